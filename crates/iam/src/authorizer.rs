//! The gate's question, "may this caller do this": the rule over the caller's policies, and CodeDeploy's answer where the
//! rule asks for it.

use crate::keyring::Keyring;
use crate::rules::decision::{Decision, Mode, Reason, denial};
use async_trait::async_trait;
use aws::codedeploy_commands::HostGrants;
use aws::{Authorizer, Error};
use kernel::Caller;
use std::sync::{Arc, OnceLock};

/// What callers may do, for every gate.
pub struct Policy {
    keyring: Arc<Keyring>,
    mode: Mode,
    hosts: OnceLock<Arc<dyn HostGrants>>,
}

impl Policy {
    /// The policy of a mode; until [`Policy::set_host_grants`] no user is a host.
    pub(crate) fn new(keyring: Arc<Keyring>, mode: Mode) -> Arc<Self> {
        Arc::new(Self { keyring, mode, hosts: OnceLock::new() })
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
        // Trust policy and request have a say in it: the operation itself decides.
        if action == "sts:AssumeRole" {
            return Ok(());
        }
        let decision = self.keyring.decide(self.mode, caller, action, resources, |context| context).await?;
        let (allowed, reason) = match (decision, self.hosts.get()) {
            (Decision::Allow, _) => return Ok(()),
            (Decision::Deny(reason), _) => (false, reason),
            (Decision::IfHost, Some(hosts)) => (hosts.is_host(caller).await?, Reason::NotAllowed),
            (Decision::IfRevision { bucket, key }, Some(hosts)) => {
                (hosts.may_read_object(caller, &bucket, &key).await?, Reason::NotAllowed)
            }
            (Decision::IfNamed | Decision::IfHost | Decision::IfRevision { .. }, _) => (false, Reason::NotAllowed),
        };
        allowed.then_some(()).ok_or_else(|| denial(caller, action, resources, &reason))
    }
}
