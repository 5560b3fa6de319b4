//! Which hosts go in the next wave, and when a Server deployment has failed.
//!
//! Source: CodeDeploy user guide, "Instance health" and "Working with deployment configurations".
//! A host counts against the deployment while it is being deployed to and once it has failed; at
//! most *fleet − minimum* hosts may count at any moment. Two decisions where the guide leaves room:
//! a host that was unhealthy before counts like any other (so a first deployment rolls out in the
//! same waves as the next one), and hosts of equal standing go in the order of their names.

mod minimum;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tables;

pub use minimum::MinimumHealthy;
use serde::{Deserialize, Serialize};

/// AWS's exact sentence for a deployment that lost too many hosts; scripts look for it.
pub const TOO_MANY_FAILED: &str = "The overall deployment failed because too many individual instances failed deployment, too few healthy instances are available for deployment, or some instances in your deployment group are experiencing problems.";

/// What is known of a host before the deployment; the lower goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Standing {
    /// The last deployment to it failed, or there was none.
    Unhealthy,
    /// It never installed a revision of this group successfully.
    UnknownRevision,
    /// It runs a revision older than the group's.
    OldRevision,
    /// It already runs the group's revision.
    CurrentRevision,
}

/// Where a host is within this deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Progress {
    /// Not touched yet.
    Pending,
    /// Its lifecycle events are running.
    InProgress,
    /// Every event succeeded.
    Succeeded,
    /// An event failed or timed out.
    Failed,
    /// Given up before it was touched.
    Skipped,
}

impl Progress {
    /// The name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::InProgress => "InProgress",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Skipped => "Skipped",
        }
    }
}

/// One host of the fleet as the rule sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// The target id.
    pub id: String,
    /// Its health before this deployment.
    pub standing: Standing,
    /// Its progress in this deployment.
    pub progress: Progress,
}

/// What the deployment does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Start these hosts, in this order.
    Start(Vec<String>),
    /// Hosts are in flight and nothing else may start.
    Wait,
    /// The deployment can no longer succeed: skip these, let what is in flight end.
    GiveUp(Vec<String>),
    /// All hosts ended and enough of them succeeded.
    Succeed,
    /// All hosts ended or were skipped and too few succeeded.
    Fail,
}

#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    fleet: usize,
    pending: usize,
    in_flight: usize,
    succeeded: usize,
    failed: usize,
    skipped: usize,
}

impl Tally {
    fn of(hosts: &[Host]) -> Self {
        let mut tally = Self { fleet: hosts.len(), ..Self::default() };
        for host in hosts {
            *match host.progress {
                Progress::Pending => &mut tally.pending,
                Progress::InProgress => &mut tally.in_flight,
                Progress::Succeeded => &mut tally.succeeded,
                Progress::Failed => &mut tally.failed,
                Progress::Skipped => &mut tally.skipped,
            } += 1;
        }
        tally
    }

    /// Whether success is out of reach: too few hosts are left to succeed, or the healthy ones are
    /// down to the minimum while some still wait. The last hosts may fail without this happening.
    fn lost(&self, minimum: MinimumHealthy) -> bool {
        self.fleet - self.failed < minimum.successes(self.fleet)
            || (self.pending > 0 && self.failed >= minimum.concurrency(self.fleet))
    }
}

/// Decides the next step of a deployment from the state of its whole fleet.
///
/// The caller applies the decision and asks again when a host ends. A fleet for which
/// [`MinimumHealthy::can_start`] is false never starts a host.
pub fn next(minimum: MinimumHealthy, hosts: &[Host]) -> Decision {
    let tally = Tally::of(hosts);
    if tally.skipped == 0 && tally.pending > 0 {
        if tally.lost(minimum) {
            return Decision::GiveUp(pending(hosts).into_iter().map(|host| host.id.clone()).collect());
        }
        return start(minimum, hosts, tally);
    }
    if tally.in_flight > 0 {
        return Decision::Wait;
    }
    if tally.skipped == 0 && tally.succeeded >= minimum.successes(tally.fleet) {
        return Decision::Succeed;
    }
    Decision::Fail
}

fn start(minimum: MinimumHealthy, hosts: &[Host], tally: Tally) -> Decision {
    let room = minimum.concurrency(tally.fleet).saturating_sub(tally.in_flight + tally.failed);
    if room == 0 {
        return Decision::Wait;
    }
    Decision::Start(pending(hosts).into_iter().take(room).map(|host| host.id.clone()).collect())
}

fn pending(hosts: &[Host]) -> Vec<&Host> {
    let mut pending: Vec<&Host> = hosts.iter().filter(|host| host.progress == Progress::Pending).collect();
    pending.sort_by(|a, b| (a.standing, &a.id).cmp(&(b.standing, &b.id)));
    pending
}
