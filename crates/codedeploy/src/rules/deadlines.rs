//! How long CodeDeploy waits for whom.

use std::time::Duration;

/// The waits of one server; tests shorten them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// How long a poll is held open when there is nothing to do. AWS holds it for about 45 s and agents wait for 80 s.
    pub poll: Duration,
    /// How long a host may take to acknowledge a command before it is given out again.
    pub lease: Duration,
    /// The same after a restart of the server, where its answer with the command may have been lost.
    pub answer_lost: Duration,
    /// How long a host may take to take up an event at all (CodeDeploy quotas: five minutes).
    pub take_up: Duration,
    /// How long an event may run: the hour of the quotas and the ten minutes that AWS adds for the agent.
    pub event: Duration,
    /// How long a deployment may run (CodeDeploy quotas: eight hours in place).
    pub deployment: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(30),
            lease: Duration::from_secs(60),
            answer_lost: Duration::from_secs(5),
            take_up: Duration::from_secs(5 * 60),
            event: Duration::from_secs(70 * 60),
            deployment: Duration::from_secs(8 * 60 * 60),
        }
    }
}
