//! The policies of who calls, read for a decision.

use crate::keyring::Keyring;
use crate::model::{Carrier, Identity, InlinePolicy, Role, User, scope};
use crate::rules::decision::{Decision, Mode, Standing, decide};
use crate::rules::evaluate::{Context, Subject};
use crate::rules::policy_document::{PolicyDocument, Use, parse};
use aws::Error;
use kernel::{Caller, Principal};
use std::sync::Arc;

impl Keyring {
    /// Decides on `action` over `resources`; `more` adds the condition keys of the request itself.
    ///
    /// # Errors
    /// What the store fails with.
    pub(crate) async fn decide(
        &self,
        mode: Mode,
        caller: &Caller,
        action: &str,
        resources: &[String],
        more: impl FnOnce(Context) -> Context,
    ) -> Result<Decision, Error> {
        if mode == Mode::Open {
            return Ok(Decision::Allow);
        }
        let (standing, subject) = self.standing(caller).await?;
        // Most callers have no policies: of root, nothing is asked that a condition could tell.
        let context = match standing.has_policies() {
            true => more(Context::of(caller, &subject, self.now())),
            false => Context::default(),
        };
        Ok(decide(mode, caller, action, resources, &standing, &context))
    }

    /// What the policies of a caller are, and who it is to them.
    pub(crate) async fn standing(&self, caller: &Caller) -> Result<(Standing, Subject), Error> {
        let (mut standing, subject) = match &caller.principal {
            Principal::User { name, id } => {
                let name = name.rsplit('/').next().unwrap_or(name);
                self.of_carrier::<User>(&caller.account, name, id, Some(Vec::new())).await?
            }
            Principal::Role { name, id } => self.of_carrier::<Role>(&caller.account, name, id, None).await?,
            Principal::Root | Principal::Service(_) => {
                (Standing::default(), Subject { arn: caller.arn(), tags: Vec::new() })
            }
        };
        let policy = caller.session.as_ref().and_then(|session| session.policy.as_deref());
        standing.session = policy.map(document).transpose()?;
        Ok((standing, subject))
    }

    /// `without`: what stands for an identity that has no policies.
    async fn of_carrier<T: Carrier>(
        &self,
        account: &str,
        name: &str,
        id: &str,
        without: Option<Vec<Arc<PolicyDocument>>>,
    ) -> Result<(Standing, Subject), Error> {
        let found = self.documents.get::<T>(&scope(account), &Identity::key(name)).await?;
        let Some(carrier) = found.filter(|carrier| carrier.identity().id == id) else {
            // It is no more, or another one of its name: whatever it was allowed, this caller is not.
            let gone = Standing { identity: Some(Vec::new()), ..Standing::default() };
            return Ok((gone, Subject::default()));
        };
        let own = carrier.identity();
        let policies = self.inline::<T>(account, own).await?;
        let identity = if policies.is_empty() { without } else { Some(policies) };
        let standing = Standing { identity, bounded: own.boundary.is_some(), session: None };
        Ok((standing, Subject { arn: carrier.arn(account), tags: own.tags.clone() }))
    }

    async fn inline<T: Carrier>(&self, account: &str, own: &Identity) -> Result<Vec<Arc<PolicyDocument>>, Error> {
        if own.policies.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<_> = own.policies.iter().map(|name| InlinePolicy::key_of::<T>(&own.name, name)).collect();
        let policies = self.documents.get_many::<InlinePolicy>(&scope(account), &keys).await?;
        policies.into_iter().flatten().map(|policy| document(&policy.document)).collect()
    }
}

/// A document that was checked when it was stored or sealed.
fn document(text: &str) -> Result<Arc<PolicyDocument>, Error> {
    parse(text, Use::Identity).map(Arc::new).map_err(Error::internal)
}
