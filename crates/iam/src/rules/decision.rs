//! What a caller may do until policies are evaluated: the root key, role sessions (which only root or a service can have
//! got) and services may do everything in their own account; a user only what CodeDeploy grants its hosts; a session with
//! a policy of its own nothing.

use aws::Error;
use kernel::{Arn, Caller, Principal};

/// Whether keys that iam does not know are let in as the root of their account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// SigV4 required and every call authorized.
    Enforce,
    /// Any credentials, everything allowed: for loopback only.
    Open,
}

/// The answer for one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Allowed.
    Allow,
    /// Denied.
    Deny,
    /// Allowed if CodeDeploy knows the caller as one of its hosts.
    IfHost,
    /// Allowed if this object is the revision that the caller's host is to install.
    IfRevision {
        /// The S3 bucket.
        bucket: String,
        /// The object's key.
        key: String,
    },
}

/// Decides on `action` over `resources` (ARNs; none means `*`).
pub(crate) fn decide(mode: Mode, caller: &Caller, action: &str, resources: &[String]) -> Decision {
    if mode == Mode::Open {
        return Decision::Allow;
    }
    match &caller.principal {
        Principal::Service(_) => Decision::Allow,
        // What a session policy leaves is not evaluated, and more than it leaves must not be given.
        Principal::Role { .. } if is_narrowed(caller) && !is_identity_question(action) => Decision::Deny,
        Principal::Root | Principal::Role { .. } if own_account(caller, action, resources) => Decision::Allow,
        Principal::User { .. } => decide_user(action, resources),
        Principal::Root | Principal::Role { .. } => Decision::Deny,
    }
}

/// Whether whoever assumed the role gave the session less than the role has.
fn is_narrowed(caller: &Caller) -> bool {
    caller.session.as_ref().is_some_and(|session| session.policy.is_some())
}

/// AWS lets every identity ask who it is, whatever its policies say.
fn is_identity_question(action: &str) -> bool {
    action == "sts:GetCallerIdentity"
}

/// Resources of another account need a policy on their side. A role's trust policy is one: `sts:AssumeRole` checks it.
fn own_account(caller: &Caller, action: &str, resources: &[String]) -> bool {
    action == "sts:AssumeRole"
        || resources.iter().filter_map(|resource| resource.parse::<Arn>().ok()).all(|arn| {
            let Arn { account, .. } = arn;
            account.is_empty() || account == "*" || account == "aws" || account == caller.account
        })
}

fn decide_user(action: &str, resources: &[String]) -> Decision {
    if is_identity_question(action) {
        return Decision::Allow;
    }
    match (action.split_once(':'), resources) {
        (Some(("codedeploy-commands" | "codedeploy-commands-secure", _)), _) => Decision::IfHost,
        (Some(("s3", "GetObject" | "GetObjectVersion")), [object]) => revision(object),
        _ => Decision::Deny,
    }
}

fn revision(object: &str) -> Decision {
    let path = object.strip_prefix("arn:aws:s3:::").and_then(|path| path.split_once('/'));
    path.map_or(Decision::Deny, |(bucket, key)| Decision::IfRevision { bucket: bucket.into(), key: key.into() })
}

/// `AccessDenied` in AWS's words. JSON services know it as `AccessDeniedException`.
pub(crate) fn denial(caller: &Caller, action: &str, resources: &[String]) -> Error {
    let resource = resources.first().map_or("*", String::as_str);
    let kind = if is_narrowed(caller) { "session" } else { "identity-based" };
    let message = format!(
        "User: {} is not authorized to perform: {action} on resource: {resource} \
         because no {kind} policy allows the {action} action",
        caller.arn()
    );
    match action.split_once(':') {
        Some(("iam" | "sts" | "sns" | "cloudformation" | "s3", _)) => Error::modelled("AccessDenied", 403, message),
        _ => Error::modelled("AccessDeniedException", 400, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::Scope;
    use proptest::prelude::*;

    fn caller(principal: Principal) -> Caller {
        Caller { principal, ..Caller::root(&Scope::new("111111111111", "us-east-1"), "r") }
    }

    fn user() -> Caller {
        caller(Principal::User { name: "host".into(), id: "AIDA".into() })
    }

    fn role() -> Caller {
        caller(Principal::Role { name: "build".into(), id: "AROA".into() })
    }

    #[test]
    fn enforce_mode() {
        use Decision::{Allow, Deny, IfHost};
        let (own, foreign) = (
            "arn:aws:codebuild:us-east-1:111111111111:project/p",
            "arn:aws:codebuild:us-east-1:222222222222:project/p",
        );
        let object = Decision::IfRevision { bucket: "b".into(), key: "k/l.zip".into() };
        let root = || caller(Principal::Root);
        let service = caller(Principal::Service("codepipeline.amazonaws.com".into()));
        for (caller, action, resource, decision) in [
            (root(), "codebuild:StartBuild", own, Allow),
            (root(), "codebuild:StartBuild", "*", Allow),
            (root(), "codebuild:StartBuild", foreign, Deny),
            (root(), "sts:AssumeRole", "arn:aws:iam::222222222222:role/r", Allow),
            (root(), "s3:GetObject", "arn:aws:s3:::b/k", Allow),
            (role(), "codebuild:StartBuild", own, Allow),
            (role(), "codebuild:StartBuild", foreign, Deny),
            (service, "codebuild:StartBuild", own, Allow),
            (user(), "codebuild:StartBuild", own, Deny),
            (user(), "iam:CreateUser", "*", Deny),
            (user(), "sts:AssumeRole", "arn:aws:iam::111111111111:role/r", Deny),
            (user(), "sts:GetCallerIdentity", "*", Allow),
            (user(), "codedeploy-commands:PollHostCommand", "*", IfHost),
            (user(), "codedeploy-commands-secure:PollHostCommand", "*", IfHost),
            (user(), "codedeploy:GetDeployment", "*", Deny),
            (user(), "s3:GetObject", "arn:aws:s3:::b/k/l.zip", object),
            (user(), "s3:GetObject", "arn:aws:s3:::b", Deny),
            (user(), "s3:PutObject", "arn:aws:s3:::b/k", Deny),
        ] {
            let decided = decide(Mode::Enforce, &caller, action, &[resource.to_owned()]);
            assert_eq!(decided, decision, "{} {action} {resource}", caller.arn());
        }
    }

    #[test]
    fn a_session_policy_is_never_taken_for_the_whole_role() {
        let policy = Some(r#"{"Version":"2012-10-17","Statement":[]}"#.to_owned());
        let session = |policy| Some(kernel::Session { name: "s".into(), policy, ..Default::default() });
        let (whole, narrowed) =
            (Caller { session: session(None), ..role() }, Caller { session: session(policy), ..role() });
        let decide = |caller: &Caller, action: &str| decide(Mode::Enforce, caller, action, &[]);
        assert_eq!(decide(&whole, "s3:PutObject"), Decision::Allow);
        assert_eq!(decide(&narrowed, "s3:PutObject"), Decision::Deny);
        assert_eq!(decide(&narrowed, "sts:AssumeRole"), Decision::Deny, "that would shake the policy off");
        assert_eq!(decide(&narrowed, "sts:GetCallerIdentity"), Decision::Allow);
        assert!(denial(&narrowed, "s3:PutObject", &[]).message.contains("no session policy allows"));
    }

    #[test]
    fn open_mode_allows() {
        assert_eq!(decide(Mode::Open, &user(), "codebuild:StartBuild", &[]), Decision::Allow);
    }

    #[test]
    fn the_denial_has_the_words_and_the_code_of_the_service() {
        let error = denial(&user(), "codebuild:StartBuild", &["arn:x".into()]);
        assert!(error.message.starts_with(
            "User: arn:aws:iam::111111111111:user/host is not authorized to perform: codebuild:StartBuild on resource: arn:x because"
        ));
        assert_eq!((error.code.as_str(), error.status), ("AccessDeniedException", 400));
        let error = denial(&user(), "iam:GetUser", &[]);
        assert_eq!((error.code.as_str(), error.status), ("AccessDenied", 403));
    }

    proptest! {
        #[test]
        fn a_user_is_never_simply_allowed(
            service in "(s3|iam|sts|codebuild|codedeploy|codedeploy-commands|logs)",
            operation in "[A-Z][a-zA-Z]{0,12}",
            resource in "(\\*|arn:aws:s3:::[a-z]{1,5}(/[a-z/]{1,5})?|arn:aws:iam::111111111111:role/[a-z]{1,5})",
        ) {
            prop_assume!((service.as_str(), operation.as_str()) != ("sts", "GetCallerIdentity"));
            let decision = decide(Mode::Enforce, &user(), &format!("{service}:{operation}"), &[resource]);
            prop_assert_ne!(decision, Decision::Allow);
        }

        #[test]
        fn nobody_reaches_into_another_account(noun in "[a-z]{1,8}/[a-z]{1,8}", service in "(codebuild|codecommit|iam|logs)") {
            let resource = format!("arn:aws:{service}:us-east-1:222222222222:{noun}");
            for caller in [caller(Principal::Root), role(), user()] {
                let decision = decide(Mode::Enforce, &caller, &format!("{service}:Delete"), std::slice::from_ref(&resource));
                prop_assert_eq!(decision, Decision::Deny);
            }
        }
    }
}
