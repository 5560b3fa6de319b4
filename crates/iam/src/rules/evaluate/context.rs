//! The values of condition keys in one request.
//!
//! Source: "AWS global condition context keys", IAM User Guide. A key that is not listed here may mean anything, so that no
//! condition on it can be evaluated; one that is listed and has no value is absent, as in AWS.

use kernel::{Caller, Principal, Timestamp};
use std::collections::BTreeMap;

/// Keys that requests to Landfall never have: there are no VPC endpoints, organizations, identity providers and MFA devices.
const NEVER: &[&str] = &[
    "aws:federatedprovider",
    "aws:multifactorauthage",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:sourceorgid",
    "aws:sourceorgpaths",
    "aws:sourcevpc",
    "aws:sourcevpcarn",
    "aws:sourcevpce",
    "aws:vpcsourceip",
];

/// The prefix of keys for the tags of who asks.
const PRINCIPAL_TAG: &str = "aws:principaltag/";

/// Condition keys with their values.
#[derive(Debug, Clone, Default)]
pub(crate) struct Context {
    /// By key in lower case; no value means that the key is absent.
    values: BTreeMap<String, Vec<String>>,
    /// Of keys of which all others are absent.
    prefixes: Vec<&'static str>,
}

/// What is known of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Values<'c> {
    /// Its values, one at least.
    Present(&'c [String]),
    /// The request does not have it.
    Absent,
    /// Landfall does not know what it means.
    Unknown,
}

/// Who asks, as policies see it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Subject {
    /// The ARN of the user or role, with its path.
    pub(crate) arn: String,
    /// Its own tags; those of the session outweigh them.
    pub(crate) tags: Vec<(String, String)>,
}

impl Context {
    /// The global keys of a call at `now`.
    pub(crate) fn of(caller: &Caller, identity: &Subject, now: Timestamp) -> Self {
        let (via, session) = (caller.via.as_ref(), caller.session.as_ref());
        let service = match &caller.principal {
            Principal::Service(name) => Some(name.as_str()),
            _ => None,
        };
        let mfa = session.map(|_| "false");
        let mut context = Self::default()
            .with("aws:currenttime", [now.iso8601()])
            .with("aws:epochtime", [now.seconds()])
            .with("aws:requestedregion", [&caller.region])
            .with("aws:principalaccount", [&caller.account])
            .with("aws:principalarn", [&identity.arn])
            .with("aws:principaltype", [kind(&caller.principal)])
            .with("aws:principalisawsservice", [service.is_some()])
            .with("aws:principalservicename", service)
            .with("aws:userid", user_id(caller))
            .with("aws:username", user_name(&caller.principal))
            .with("aws:sourceip", &caller.source_ip)
            .with("aws:securetransport", [is_secure(caller)])
            .with("aws:sourcearn", via.and_then(|via| via.source_arn.as_ref()))
            .with("aws:sourceaccount", via.and_then(|via| via.source_account.as_ref()))
            .with("aws:sourceidentity", session.and_then(|session| session.source_identity.as_ref()))
            .with("aws:viaawsservice", [false])
            .with("aws:calledvia", None::<&str>)
            .with("aws:multifactorauthpresent", mfa)
            .with_prefix(PRINCIPAL_TAG);
        for (key, value) in &identity.tags {
            context = context.with_tag(key, value);
        }
        for (key, value) in session.iter().flat_map(|session| &session.tags) {
            context = context.with_tag(key, value);
        }
        context
    }

    /// With a key and its values; none says that the request does not have it.
    pub(crate) fn with<V: ToString>(mut self, key: &str, values: impl IntoIterator<Item = V>) -> Self {
        let values = values.into_iter().map(|value| value.to_string()).collect();
        self.values.insert(key.to_lowercase(), values);
        self
    }

    fn with_tag(self, key: &str, value: &str) -> Self {
        self.with(&format!("{PRINCIPAL_TAG}{key}"), [value])
    }

    /// With all keys of a prefix known: those without a value are absent.
    pub(crate) fn with_prefix(mut self, prefix: &'static str) -> Self {
        self.prefixes.push(prefix);
        self
    }

    /// Without a key that may have a value, but nobody knows which.
    pub(crate) fn without(mut self, key: &str) -> Self {
        self.values.remove(key);
        self
    }

    /// The values of a key, whose name has no case.
    pub(crate) fn get(&self, key: &str) -> Values<'_> {
        let key = key.to_lowercase();
        match self.values.get(&key) {
            Some(values) if !values.is_empty() => Values::Present(values),
            Some(_) => Values::Absent,
            None if NEVER.contains(&key.as_str()) => Values::Absent,
            None if self.prefixes.iter().any(|prefix| key.starts_with(prefix)) => Values::Absent,
            None => Values::Unknown,
        }
    }
}

fn kind(principal: &Principal) -> &'static str {
    match principal {
        Principal::Root => "Account",
        Principal::User { .. } => "User",
        Principal::Role { .. } => "AssumedRole",
        Principal::Service(_) => "Service",
    }
}

fn user_id(caller: &Caller) -> Option<String> {
    match (&caller.principal, &caller.session) {
        (Principal::Root, _) => Some(caller.account.clone()),
        (Principal::User { id, .. }, _) => Some(id.clone()),
        (Principal::Role { id, .. }, session) => {
            Some(format!("{id}:{}", session.as_ref().map_or("", |session| &session.name)))
        }
        (Principal::Service(_), _) => None,
    }
}

/// Without its path.
fn user_name(principal: &Principal) -> Option<&str> {
    match principal {
        Principal::User { name, .. } => name.rsplit('/').next(),
        _ => None,
    }
}

/// By TLS, or by no network at all: between services, and from the inside of containers.
fn is_secure(caller: &Caller) -> bool {
    caller.source_ip.is_none() || caller.endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("https://"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::{Scope, Session, Via};

    fn shown(context: &Context, key: &str) -> String {
        match context.get(key) {
            Values::Present(values) => values.join(","),
            Values::Absent => "-".to_owned(),
            Values::Unknown => "?".to_owned(),
        }
    }

    #[test]
    fn a_roles_session_has_its_keys() {
        let tags = [("team", "a"), ("stage", "test")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        let session = Session { name: "me".into(), tags: tags.into(), ..Session::default() };
        let via = Via {
            service: "codepipeline.amazonaws.com".into(),
            source_arn: Some("arn:p".into()),
            source_account: Some("1".into()),
        };
        let caller = Caller {
            principal: Principal::Role { name: "build".into(), id: "AROA".into() },
            session: Some(session),
            via: Some(via),
            ..Caller::root(&Scope::new("111111111111", "eu-west-1"), "r")
        };
        let arn = "arn:aws:iam::111111111111:role/ci/build".to_owned();
        let identity = Subject { arn, tags: vec![("team".into(), "b".into()), ("cost".into(), "7".into())] };
        let context = Context::of(&caller, &identity, Timestamp::from_seconds(1_440_938_160));
        for (key, value) in [
            ("aws:PrincipalArn", "arn:aws:iam::111111111111:role/ci/build"),
            ("aws:userid", "AROA:me"),
            ("aws:username", "-"),
            ("aws:PrincipalType", "AssumedRole"),
            ("aws:PrincipalTag/team", "a"),
            ("aws:PrincipalTag/Stage", "test"),
            ("aws:PrincipalTag/cost", "7"),
            ("aws:PrincipalTag/other", "-"),
            ("aws:SourceArn", "arn:p"),
            ("aws:SourceAccount", "1"),
            ("aws:SourceIp", "-"),
            ("aws:SecureTransport", "true"),
            ("aws:MultiFactorAuthPresent", "false"),
            ("aws:CurrentTime", "2015-08-30T12:36:00Z"),
            ("aws:EpochTime", "1440938160"),
            ("aws:RequestedRegion", "eu-west-1"),
            ("aws:PrincipalOrgID", "-"),
            ("aws:ResourceTag/team", "?"),
            ("s3:prefix", "?"),
        ] {
            assert_eq!(shown(&context, key), value, "{key}");
        }
    }

    #[test]
    fn a_user_from_outside_has_an_address_and_a_way() {
        let user = |endpoint: &str| Caller {
            principal: Principal::User { name: "team/jane".into(), id: "AIDA".into() },
            source_ip: Some("10.0.0.1".into()),
            endpoint: Some(endpoint.into()),
            ..Caller::root(&Scope::new("111111111111", "eu-west-1"), "r")
        };
        let of = |endpoint| Context::of(&user(endpoint), &Subject::default(), Timestamp::default());
        let plain = of("http://127.0.0.1:4566");
        for (key, value) in [
            ("aws:username", "jane"),
            ("aws:userid", "AIDA"),
            ("aws:SourceIp", "10.0.0.1"),
            ("aws:SecureTransport", "false"),
            ("aws:MultiFactorAuthPresent", "-"),
            ("aws:PrincipalIsAWSService", "false"),
        ] {
            assert_eq!(shown(&plain, key), value, "{key}");
        }
        assert_eq!(shown(&of("https://127.0.0.1:4566"), "aws:securetransport"), "true");
    }
}
