//! Minimum healthy hosts: the number behind a deployment configuration.

use serde::{Deserialize, Serialize};

/// How many hosts must stay healthy while a deployment runs.
///
/// Source: `MinimumHealthyHosts` of the CodeDeploy API and the predefined configurations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MinimumHealthy {
    /// `CodeDeployDefault.OneAtATime`: all but one, also in a fleet of one.
    OneAtATime,
    /// A number of hosts.
    HostCount(u32),
    /// A share of the fleet in percent (0 to 99), rounded up to whole hosts.
    FleetPercent(u32),
}

impl MinimumHealthy {
    /// Hosts that must stay healthy in a fleet of this size.
    pub fn hosts(self, fleet: usize) -> usize {
        match self {
            Self::OneAtATime => fleet.saturating_sub(1),
            Self::HostCount(count) => count as usize,
            Self::FleetPercent(percent) => (fleet * percent as usize).div_ceil(100),
        }
    }

    /// Hosts that may be in flight or failed at the same moment.
    pub fn concurrency(self, fleet: usize) -> usize {
        fleet.saturating_sub(self.hosts(fleet))
    }

    /// Hosts that must end Succeeded; one success is always needed.
    pub fn successes(self, fleet: usize) -> usize {
        self.hosts(fleet).max(1)
    }

    /// Whether a deployment to a fleet of this size can start at all: not with no host, and not
    /// when the minimum leaves no host to take offline (`HEALTH_CONSTRAINTS_INVALID`).
    pub fn can_start(self, fleet: usize) -> bool {
        self.concurrency(fleet) > 0
    }
}
