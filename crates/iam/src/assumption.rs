//! Taking a role: for a caller by `AssumeRole`, and for a service that a role was passed to.

use crate::model::{Carrier as _, Identity, Role, scope};
use crate::principals::{role_of, unknown_role_id};
use crate::rules::decision::{Decision, Reason, denial};
use crate::rules::evaluate::{Context, Subject};
use crate::rules::policy_document::{PolicyDocument, Use, parse};
use crate::rules::trust::{Asker, SOURCE_ARN_ACCOUNT, names_directly, trusts};
use crate::service::Service;
use aws::Error;
use kernel::{Caller, Principal, Scope, Session};

/// What the caller wants of a role.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    pub(crate) role_arn: String,
    pub(crate) session: Session,
    /// What the trust policy may ask for.
    pub(crate) external_id: Option<String>,
}

/// A role that may be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) account: String,
    pub(crate) principal: Principal,
    /// Seconds; `None` for a role that open mode accepts without a document.
    pub(crate) longest: Option<i32>,
}

impl Service {
    /// The role, if `caller` may take it: policies of the caller and the role's trust policy must both allow
    /// `sts:AssumeRole`, and `sts:TagSession` and `sts:SetSourceIdentity` where the session has such.
    ///
    /// # Errors
    /// `ValidationError` for what is no role's ARN; `AccessDenied`, also for a role that is not there: AWS does not say which.
    pub(crate) async fn take(&self, caller: &Caller, wanted: &Wanted) -> Result<Taken, Error> {
        let arn = &wanted.role_arn;
        let (account, name) =
            role_of(arn).ok_or_else(|| Error::modelled("ValidationError", 400, format!("{arn:.200} is invalid")))?;
        let Some(role) = self.role(&account, &name, arn).await? else {
            // State is kept by account, and definitions written for AWS should run unchanged.
            let principal = Principal::Role { id: unknown_role_id(&name), name };
            let unseen = Taken { account, principal, longest: None };
            return self.is_open().then_some(unseen).ok_or_else(|| not_assumable(caller, "sts:AssumeRole", arn));
        };
        let trust = trust_of(&role);
        let (_, subject) = self.keyring.standing(caller).await?;
        let context = wanted.keys(Context::of(caller, &subject, self.keyring.now()));
        for action in wanted.actions() {
            let own = (caller.arn(), &caller.account);
            let named = account == caller.account
                && trust.as_ref().is_some_and(|trust| names_directly(trust, (&own.0, own.1), action, &context));
            self.check_identity(caller, action, wanted, named).await?;
            let asker = Asker::Identity { arn: &own.0, account: own.1 };
            if !trust.as_ref().is_some_and(|trust| trusts(trust, asker, action, &context)) {
                return Err(not_assumable(caller, action, arn));
            }
        }
        Ok(Taken { account, principal: principal(&role), longest: Some(role.max_session_duration) })
    }

    /// What the caller's own policies say; `named`: the role's trust policy allows it to the caller in person.
    async fn check_identity(&self, caller: &Caller, action: &str, wanted: &Wanted, named: bool) -> Result<(), Error> {
        let resources = [wanted.role_arn.clone()];
        let more = |context| wanted.keys(context);
        match self.keyring.decide(self.mode, caller, action, &resources, more).await? {
            Decision::Allow => Ok(()),
            Decision::Deny(reason @ (Reason::Denied { .. } | Reason::NotInSession | Reason::Boundary)) => {
                Err(denial(caller, action, &resources, &reason))
            }
            Decision::IfNamed if named => Ok(()),
            _ => Err(not_assumable(caller, action, &wanted.role_arn)),
        }
    }

    /// The role of an ARN; its path must be the one that the ARN names.
    pub(crate) async fn role(&self, account: &str, name: &str, arn: &str) -> Result<Option<Role>, kernel::StoreError> {
        let role = self.keyring.documents.get::<Role>(&scope(account), &Identity::key(name)).await?;
        Ok(role.map(|role| role.value).filter(|role| role.arn(account) == arn))
    }

    /// Whether a role's trust policy lets `service` take it on behalf of the account of `scope`.
    pub(crate) fn trusts_service(&self, role: &Role, service: &str, scope: &Scope) -> bool {
        let caller = Caller::service(scope, service);
        let context = Context::of(&caller, &Subject::default(), self.keyring.now())
            .without("aws:sourcearn")
            .with("aws:sourceaccount", [&scope.account])
            .with(SOURCE_ARN_ACCOUNT, [&scope.account]);
        trust_of(role).is_some_and(|trust| trusts(&trust, Asker::Service(service), "sts:AssumeRole", &context))
    }
}

impl Wanted {
    /// What policies must allow.
    fn actions(&self) -> Vec<&'static str> {
        let mut actions = vec!["sts:AssumeRole"];
        actions.extend((!self.session.tags.is_empty()).then_some("sts:TagSession"));
        actions.extend(self.session.source_identity.as_ref().map(|_| "sts:SetSourceIdentity"));
        actions
    }

    /// The condition keys of the request.
    fn keys(&self, context: Context) -> Context {
        let session = &self.session;
        let mut context = context
            .with("sts:externalid", &self.external_id)
            .with("sts:rolesessionname", [&session.name])
            .with("sts:sourceidentity", &session.source_identity)
            .with("sts:transitivetagkeys", &session.transitive_tags)
            .with("aws:tagkeys", session.tags.keys())
            .with_prefix("aws:requesttag/");
        for (key, value) in &session.tags {
            context = context.with(&format!("aws:requesttag/{key}"), [value]);
        }
        context
    }
}

/// A stored policy is well-formed; one that is not trusts nobody.
fn trust_of(role: &Role) -> Option<PolicyDocument> {
    parse(&role.trust, Use::Trust).ok()
}

/// The principal that a role's sessions act as.
pub(crate) fn principal(role: &Role) -> Principal {
    Principal::Role { name: role.identity.name.clone(), id: role.identity.id.clone() }
}

fn not_assumable(caller: &Caller, action: &str, role_arn: &str) -> Error {
    let text = format!("User: {} is not authorized to perform: {action} on resource: {role_arn}", caller.arn());
    Error::modelled("AccessDenied", 403, text)
}
