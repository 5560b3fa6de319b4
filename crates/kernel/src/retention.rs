//! How long what has ended is kept, and what a collection removed.
//!
//! AWS keeps builds and executions for a year. Here whoever runs the server says; each service removes its own.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;

use crate::{StoreError, Timestamp};

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// How long one sort of thing is kept after its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Until somebody deletes it.
    Forever,
    /// This long.
    For(Duration),
}

impl Keep {
    /// Those that ended before this are past their time; `None` where nothing ever is.
    #[must_use]
    pub fn cutoff(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Keep::Forever => None,
            Keep::For(duration) => Some(now - duration),
        }
    }
}

/// What is kept for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Pipeline executions with their action executions.
    pub executions: Keep,
    /// Builds; their log streams follow their log group's own retention.
    pub builds: Keep,
    /// Deployments with their targets.
    pub deployments: Keep,
    /// Objects that CodePipeline put into artifact stores. AWS leaves them to the bucket's owner.
    pub artifacts: Keep,
    /// Container images that a registry can bring back, after their last use.
    pub images: Keep,
}

impl Default for Retention {
    fn default() -> Self {
        let year = Keep::For(365 * DAY);
        Self {
            executions: year,
            builds: year,
            deployments: year,
            artifacts: Keep::Forever,
            images: Keep::For(30 * DAY),
        }
    }
}

/// Things of one sort that a collection removed, or in a dry run would.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Removed {
    /// How many.
    pub count: u64,
    /// Bytes of content that went with them, where they have any.
    pub bytes: u64,
}

/// What a collection removed, by sort, e.g. `pipeline executions`.
pub type Collected = BTreeMap<&'static str, Removed>;

/// A service that removes its own things when they are past their time.
#[async_trait]
pub trait Collector: Send + Sync {
    /// Removes what is past its time, in small commits; safe to run beside the service's work and to break off
    /// anywhere. A dry run counts and removes nothing.
    async fn collect(&self, retention: &Retention, dry_run: bool) -> Result<Collected, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ended_before_the_cutoff_is_past_its_time() {
        let now = Timestamp::from_seconds(1_700_000_000);
        assert_eq!(Keep::Forever.cutoff(now), None);
        assert_eq!(Keep::For(DAY).cutoff(now), Some(Timestamp::from_seconds(1_700_000_000 - 86_400)));
    }
}
