//! STS: who calls, and temporary credentials.

use crate::api::errors::invalid;
use crate::assumption::{Taken, Wanted};
use crate::principals::inherited;
use crate::rules::access_key_id;
use crate::rules::policy_document::{Use, parse};
use crate::service::Service;
use aws::Error;
use aws::sts::{
    AssumeRoleInput, AssumeRoleOutput, AssumedRoleUser, Credentials, GetAccessKeyInfoInput, GetAccessKeyInfoOutput,
    GetCallerIdentityOutput, GetSessionTokenInput, GetSessionTokenOutput, error,
};
use kernel::{Caller, Principal, Session};
use std::time::Duration;

/// Seconds of a session where the request says nothing, and the most where one role assumes another.
const ONE_HOUR: i32 = 3_600;
/// Characters of a session policy.
const POLICY_LIMIT: usize = 2_048;
/// Bytes of session policy and tags that a token has room for: it travels in a header of each request.
const PACKED_LIMIT: usize = 4_096;

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

/// `GetAccessKeyInfo`: the account is in the id.
pub(crate) fn access_key_info(input: GetAccessKeyInfoInput) -> Result<GetAccessKeyInfoOutput, Error> {
    let id = input.access_key_id.unwrap_or_default();
    let account = access_key_id::account(&id);
    let account = account.ok_or_else(|| invalid(format!("{id:.128} is not a valid access key id")))?;
    Ok(GetAccessKeyInfoOutput { account: Some(account) })
}

/// `GetSessionToken`: temporary credentials of the user, or the account, itself. Writes nothing.
pub(crate) fn session_token(
    service: &Service,
    caller: &Caller,
    input: GetSessionTokenInput,
) -> Result<GetSessionTokenOutput, Error> {
    if caller.session.is_some() || matches!(caller.principal, Principal::Service(_)) {
        return Err(denied("Cannot call GetSessionToken with session credentials"));
    }
    if input.serial_number.is_some() || input.token_code.is_some() {
        return Err(denied("MultiFactorAuthentication failed: this version of Landfall has no MFA devices"));
    }
    let seconds = match (&caller.principal, input.duration_seconds) {
        // For the account itself, whatever longer it asks for.
        (Principal::Root, seconds) => seconds.unwrap_or(ONE_HOUR).min(ONE_HOUR),
        (_, seconds) => seconds.unwrap_or(12 * ONE_HOUR),
    };
    let credentials = service
        .keyring
        .issue(&caller.account, caller.principal.clone(), Session::default(), duration(seconds))
        .map_err(Error::internal)?;
    Ok(GetSessionTokenOutput { credentials: Some(shape(credentials)), ..Default::default() })
}

/// `AssumeRole`: a sealed session of a role that trusts the caller. Writes nothing.
pub(crate) async fn assume_role(
    service: &Service,
    caller: &Caller,
    input: AssumeRoleInput,
) -> Result<AssumeRoleOutput, Error> {
    let seconds = input.duration_seconds.unwrap_or(ONE_HOUR);
    let (wanted, packed_policy_size) = wanted(caller, input)?;
    let taken = service.take(caller, &wanted).await?;
    let lifetime = lifetime(caller, &taken, seconds)?;
    let (Taken { account, principal, .. }, session) = (taken, wanted.session);
    let assumed = Caller { account, principal, session: Some(session.clone()), ..caller.clone() };
    let credentials = service
        .keyring
        .issue(&assumed.account, assumed.principal.clone(), session.clone(), lifetime)
        .map_err(Error::internal)?;
    let user = AssumedRoleUser { assumed_role_id: caller_identity(&assumed).user_id, arn: Some(assumed.arn()) };
    Ok(AssumeRoleOutput {
        credentials: Some(shape(credentials)),
        assumed_role_user: Some(user),
        packed_policy_size,
        source_identity: session.source_identity,
        ..Default::default()
    })
}

fn denied(text: &str) -> Error {
    Error::modelled("AccessDenied", 403, text)
}

fn lifetime(caller: &Caller, taken: &Taken, seconds: i32) -> Result<Duration, Error> {
    if seconds > taken.longest.unwrap_or(12 * ONE_HOUR) {
        return Err(invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role."));
    }
    if seconds > ONE_HOUR && matches!(caller.principal, Principal::Role { .. }) {
        let limit = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining";
        return Err(invalid(limit));
    }
    Ok(duration(seconds))
}

fn duration(seconds: i32) -> Duration {
    Duration::from_secs(u64::from(seconds.unsigned_abs()))
}

/// The role and session that the request describes, and how full (in percent) the session's policy and tags make it.
fn wanted(caller: &Caller, input: AssumeRoleInput) -> Result<(Wanted, Option<i32>), Error> {
    if input.policy_arns.is_some_and(|arns| !arns.is_empty()) {
        return Err(invalid("PolicyArns: managed session policies are not served; give the policy itself in Policy."));
    }
    if input.serial_number.is_some() || input.token_code.is_some() {
        return Err(denied("MultiFactorAuthentication failed: this version of Landfall has no MFA devices"));
    }
    let from = match &caller.principal {
        Principal::Role { .. } => caller.session.clone().unwrap_or_default(),
        _ => Session::default(),
    };
    let mut session = inherited(from, input.role_session_name.as_deref().unwrap_or_default());
    let tags = input.tags.unwrap_or_default().into_iter();
    let tags: Vec<_> = tags.map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default())).collect();
    add_tags(&mut session, tags, input.transitive_tag_keys.unwrap_or_default())?;
    add_source_identity(&mut session, input.source_identity)?;
    session.policy = input.policy;
    let size = packed(&session)?;
    let wanted = Wanted { role_arn: input.role_arn.unwrap_or_default(), session, external_id: input.external_id };
    Ok((wanted, size))
}

/// Tag keys have no case; a session keeps what it inherited.
fn add_tags(session: &mut Session, tags: Vec<(String, String)>, transitive: Vec<String>) -> Result<(), Error> {
    let parameter = |text: &str| Error::modelled("InvalidParameterValue", 400, text);
    let inherited = session.transitive_tags.clone();
    let mut given: Vec<String> = Vec::new();
    for (key, value) in tags {
        if given.iter().any(|other| other.eq_ignore_ascii_case(&key)) {
            return Err(parameter("Duplicate tag keys found. Please note that Tag keys are case insensitive."));
        }
        if inherited.iter().any(|other| other.eq_ignore_ascii_case(&key)) {
            return Err(parameter(
                "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from \
                 the calling session.",
            ));
        }
        given.push(key.clone());
        session.tags.insert(key, value);
    }
    for key in transitive {
        if !given.contains(&key) {
            return Err(parameter("The specified transitive tag key must be included in the requested tags."));
        }
        session.transitive_tags.push(key);
    }
    Ok(())
}

/// Once said, it stays for the whole chain.
fn add_source_identity(session: &mut Session, given: Option<String>) -> Result<(), Error> {
    match (&session.source_identity, given) {
        (Some(known), Some(other)) if *known != other => {
            Err(denied("The source identity of a session cannot be changed by a session that is assumed from it."))
        }
        (None, given @ Some(_)) => {
            session.source_identity = given;
            Ok(())
        }
        _ => Ok(()),
    }
}

fn packed(session: &Session) -> Result<Option<i32>, Error> {
    let too_large = |percent: i32| {
        let text = format!("Packed policy consumes {percent}% of allotted space, please use smaller policy.");
        error::packed_policy_too_large_exception(text)
    };
    if let Some(text) = &session.policy {
        parse(text, Use::Identity)
            .map_err(|malformed| error::malformed_policy_document_exception(malformed.to_string()))?;
        if text.len() > POLICY_LIMIT {
            return Err(too_large(percent(text.len(), POLICY_LIMIT)));
        }
    }
    let tags: usize = session.tags.iter().map(|(key, value)| key.len() + value.len()).sum();
    let bytes = tags + session.policy.as_ref().map_or(0, String::len);
    if bytes > PACKED_LIMIT {
        return Err(too_large(percent(bytes, PACKED_LIMIT)));
    }
    Ok((bytes > 0).then(|| percent(bytes, PACKED_LIMIT)))
}

fn percent(bytes: usize, limit: usize) -> i32 {
    i32::try_from((bytes * 100).div_ceil(limit)).unwrap_or(i32::MAX)
}

fn shape(credentials: kernel::Credentials) -> Credentials {
    Credentials {
        access_key_id: Some(credentials.access_key_id),
        secret_access_key: Some(credentials.secret_access_key),
        session_token: credentials.session_token,
        expiration: credentials.expiration,
    }
}
