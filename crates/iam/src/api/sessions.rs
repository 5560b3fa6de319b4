//! STS: who calls, and sessions of roles.

use crate::api::errors::invalid;
use crate::model::Role;
use crate::principals::{principal, role_of, trusted, unknown_role_id};
use crate::rules::decision::denial;
use crate::rules::policy_document::{Use, parse};
use crate::rules::trust::{Asker, Circumstances};
use crate::service::Service;
use aws::Error;
use aws::sts::{AssumeRoleInput, AssumeRoleOutput, AssumedRoleUser, Credentials, GetCallerIdentityOutput, error};
use kernel::{Caller, Principal, Session};
use std::time::Duration;

/// Seconds of a session where the request says nothing, and the most where one role assumes another.
const ONE_HOUR: i32 = 3_600;
/// Characters of a session policy that the token has room for.
const POLICY_LIMIT: usize = 2_048;

/// `GetCallerIdentity`.
pub(crate) fn caller_identity(caller: &Caller) -> GetCallerIdentityOutput {
    let user_id = match (&caller.principal, &caller.session) {
        (Principal::User { id, .. }, _) => id.clone(),
        (Principal::Role { id, .. }, Some(session)) => format!("{id}:{}", session.name),
        (Principal::Role { id, .. }, None) => id.clone(),
        (Principal::Root | Principal::Service(_), _) => caller.account.clone(),
    };
    GetCallerIdentityOutput { user_id: Some(user_id), account: Some(caller.account.clone()), arn: Some(caller.arn()) }
}

/// `AssumeRole`: a sealed session of a role that trusts the caller. Writes nothing.
pub(crate) async fn assume_role(
    service: &Service,
    caller: &Caller,
    input: AssumeRoleInput,
) -> Result<AssumeRoleOutput, Error> {
    let role_arn = input.role_arn.clone().unwrap_or_default();
    let (account, name) = role_of(&role_arn).ok_or_else(|| invalid(format!("{role_arn} is invalid")))?;
    let role = service.role(&account, &name, &role_arn).await?;
    let principal = match &role {
        Some(role) => {
            let asker = Asker::Identity { arn: &caller.arn(), account: &caller.account };
            let circumstances = Circumstances { source_account: None, external_id: input.external_id.as_deref() };
            let trusted = trusted(role, asker, circumstances);
            trusted.then(|| principal(role)).ok_or_else(|| not_assumable(caller, &role_arn))?
        }
        None if service.is_open() => Principal::Role { id: unknown_role_id(&name), name },
        None => return Err(not_assumable(caller, &role_arn)),
    };
    let lifetime = lifetime(caller, role.as_ref(), input.duration_seconds.unwrap_or(ONE_HOUR))?;
    let (session, packed_policy_size) = session(input)?;
    let caller = Caller {
        account: account.clone(),
        principal: principal.clone(),
        session: Some(session.clone()),
        ..caller.clone()
    };
    let credentials = service.keyring.issue(&account, principal, session, lifetime).map_err(Error::internal)?;
    let assumed = AssumedRoleUser { assumed_role_id: caller_identity(&caller).user_id, arn: Some(caller.arn()) };
    Ok(AssumeRoleOutput {
        credentials: Some(shape(credentials)),
        assumed_role_user: Some(assumed),
        packed_policy_size,
        ..Default::default()
    })
}

/// AWS does not say whether the role is missing or does not trust the caller.
fn not_assumable(caller: &Caller, role_arn: &str) -> Error {
    let mut error = denial(caller, "sts:AssumeRole", &[role_arn.to_owned()]);
    error.message =
        format!("User: {} is not authorized to perform: sts:AssumeRole on resource: {role_arn}", caller.arn());
    error
}

fn lifetime(caller: &Caller, role: Option<&Role>, seconds: i32) -> Result<Duration, Error> {
    let longest = role.map_or(12 * ONE_HOUR, |role| role.max_session_duration);
    if seconds > longest {
        return Err(invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role."));
    }
    if seconds > ONE_HOUR && matches!(caller.principal, Principal::Role { .. }) {
        let limit = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining";
        return Err(invalid(limit));
    }
    Ok(Duration::from_secs(u64::from(seconds.unsigned_abs())))
}

/// The session that the request describes, and how full (in percent) its policy is.
fn session(input: AssumeRoleInput) -> Result<(Session, Option<i32>), Error> {
    if input.policy_arns.is_some_and(|arns| !arns.is_empty()) {
        return Err(invalid("PolicyArns: managed session policies are not served; give the policy itself in Policy."));
    }
    let policy = input.policy;
    if let Some(text) = &policy {
        parse(text, Use::Identity)
            .map_err(|malformed| error::malformed_policy_document_exception(malformed.to_string()))?;
        if text.len() > POLICY_LIMIT {
            let text =
                format!("Packed policy consumes {}% of allotted space, please use smaller policy.", percent(text));
            return Err(error::packed_policy_too_large_exception(text));
        }
    }
    let packed_size = policy.as_deref().map(percent);
    let tags = input.tags.unwrap_or_default().into_iter();
    let tags = tags.map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default())).collect();
    Ok((Session { name: input.role_session_name.unwrap_or_default(), tags, policy }, packed_size))
}

fn percent(policy: &str) -> i32 {
    i32::try_from((policy.len() * 100).div_ceil(POLICY_LIMIT)).unwrap_or(i32::MAX)
}

fn shape(credentials: kernel::Credentials) -> Credentials {
    Credentials {
        access_key_id: Some(credentials.access_key_id),
        secret_access_key: Some(credentials.secret_access_key),
        session_token: credentials.session_token,
        expiration: credentials.expiration,
    }
}
