//! The gate's question, "may this caller do this": the rule, and CodeDeploy's answer where the rule asks for it.

use crate::rules::decision::{Decision, Mode, decide, denial};
use async_trait::async_trait;
use aws::codedeploy_commands::HostGrants;
use aws::{Authorizer, Error};
use kernel::Caller;
use std::sync::{Arc, OnceLock};

/// What callers may do, for every gate.
pub struct Policy {
    mode: Mode,
    hosts: OnceLock<Arc<dyn HostGrants>>,
}

impl Policy {
    /// The policy of a mode; until [`Policy::set_host_grants`] no user is a host.
    #[must_use]
    pub fn new(mode: Mode) -> Arc<Self> {
        Arc::new(Self { mode, hosts: OnceLock::new() })
    }

    /// Wires CodeDeploy's answer to "is this one of your hosts". Late, since CodeDeploy's own gate needs the policy first;
    /// once: later calls change nothing.
    pub fn set_host_grants(&self, hosts: Arc<dyn HostGrants>) {
        let _ = self.hosts.set(hosts);
    }
}

#[async_trait]
impl Authorizer for Policy {
    async fn authorize(&self, caller: &Caller, action: &str, resources: &[String]) -> Result<(), Error> {
        let decision = decide(self.mode, caller, action, resources);
        let allowed = match (decision, self.hosts.get()) {
            (Decision::Allow, _) => true,
            (Decision::IfHost, Some(hosts)) => hosts.is_host(caller).await?,
            (Decision::IfRevision { bucket, key }, Some(hosts)) => hosts.may_read_object(caller, &bucket, &key).await?,
            (Decision::Deny | Decision::IfHost | Decision::IfRevision { .. }, _) => false,
        };
        allowed.then_some(()).ok_or_else(|| denial(caller, action, resources))
    }
}
