//! The gate's question, "may this caller do this": the rule over the caller's policies, and CodeDeploy's answer where the
//! rule asks for it.

use crate::keyring::Keyring;
use crate::rules::decision::{Decision, Mode, Reason, denial};
use crate::rules::evaluate::Context;
use async_trait::async_trait;
use aws::codedeploy_commands::HostGrants;
use aws::{Authorizer, Error, PASS_ROLE};
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
        self.judge(caller, action, resources, |context| context).await
    }

    async fn authorize_passing(&self, caller: &Caller, role: &str, service: &str) -> Result<(), Error> {
        let to = |context: Context| context.with("iam:passedtoservice", [service]);
        // The services that take roles speak JSON, and so know a denial by this name.
        let by_name = |error: Error| Error::modelled("AccessDeniedException", 400, error.message);
        let named = |error: Error| if error.is("AccessDenied") { by_name(error) } else { error };
        self.judge(caller, PASS_ROLE, &[role.to_owned()], to).await.map_err(named)
    }
}

impl Policy {
    /// `more` adds the condition keys of the call itself.
    async fn judge(
        &self,
        caller: &Caller,
        action: &str,
        resources: &[String],
        more: impl FnOnce(Context) -> Context,
    ) -> Result<(), Error> {
        let decision = self.keyring.decide(self.mode, caller, action, resources, more).await?;
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
