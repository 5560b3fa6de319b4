//! What a caller may do: the root key everything in its own account; users and roles what their inline policies allow, and
//! a role without any still everything in its account; a session no more than its own policy leaves; services, which act for
//! themselves, everything. A user may besides do what CodeDeploy grants its hosts.
//!
//! An explicit denial wins over all of it. Not here yet: managed and resource policies.

use crate::rules::evaluate::{Context, Request, Verdict, evaluate};
use crate::rules::policy_document::PolicyDocument;
use aws::Error;
use kernel::{Arn, Caller, Principal};
use std::sync::Arc;

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
    Deny(Reason),
    /// Allowed if CodeDeploy knows the caller as one of its hosts.
    IfHost,
    /// Allowed if the role's trust policy names the caller in person.
    IfNamed,
    /// Allowed if this object is the revision that the caller's host is to install.
    IfRevision {
        /// The S3 bucket.
        bucket: String,
        /// The object's key.
        key: String,
    },
}

/// What a role's trust policy allows.
const TAKING_A_ROLE: [&str; 3] = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"];

/// Why a call is denied, as the message tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reason {
    /// No policy of the identity allows it.
    NotAllowed,
    /// The session's own policy does not allow it.
    NotInSession,
    /// A statement of this kind of policy denies it: by its words, or because this in it cannot be evaluated.
    Denied { kind: &'static str, unknown: Option<String> },
    /// The permissions boundary is a managed policy, which are not served: so it allows nothing.
    Boundary,
    /// Credentials of GetSessionToken are not for this.
    SessionToken,
}

/// What the policies of a caller are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Standing {
    /// The inline policies; `None` where none are looked at: of root, services, and roles that have none.
    pub(crate) identity: Option<Vec<Arc<PolicyDocument>>>,
    /// Whether the identity has a permissions boundary.
    pub(crate) bounded: bool,
    /// The session's own policy.
    pub(crate) session: Option<Arc<PolicyDocument>>,
}

impl Standing {
    /// Whether any policy is to be evaluated; without, no condition is looked at.
    pub(crate) fn has_policies(&self) -> bool {
        self.identity.as_ref().is_some_and(|policies| !policies.is_empty()) || self.session.is_some()
    }
}

/// Decides on `action` over `resources` (ARNs; none means `*`).
pub(crate) fn decide(
    mode: Mode,
    caller: &Caller,
    action: &str,
    resources: &[String],
    standing: &Standing,
    context: &Context,
) -> Decision {
    let service = matches!(caller.principal, Principal::Service(_));
    if mode == Mode::Open || service || is_identity_question(action) {
        return Decision::Allow;
    }
    if !is_for_session_tokens(caller, action) {
        return Decision::Deny(Reason::SessionToken);
    }
    if action == "sts:GetSessionToken" && caller.session.is_none() {
        // It gives nothing that the caller has not.
        return Decision::Allow;
    }
    if !own_account(caller, action, resources) {
        return Decision::Deny(Reason::NotAllowed);
    }
    let everything = [String::from("*")];
    let asked = if resources.is_empty() { &everything[..] } else { resources };
    let reasons = asked.iter().filter_map(|resource| refusal(standing, Request { action, resource, context }));
    // A denial by words outweighs what is merely not allowed, whatever the order of resources.
    let worst = reasons.max_by_key(|reason| matches!(reason, Reason::Denied { .. }));
    match (worst, &caller.principal) {
        (None, _) => Decision::Allow,
        (Some(Reason::NotAllowed), _) if TAKING_A_ROLE.contains(&action) => Decision::IfNamed,
        (Some(Reason::NotAllowed), Principal::User { .. }) => decide_user(action, resources),
        (Some(reason), _) => Decision::Deny(reason),
    }
}

/// Why one resource is refused, if it is.
fn refusal(standing: &Standing, request: Request<'_>) -> Option<Reason> {
    let documents = |policies: &[Arc<PolicyDocument>]| evaluate(policies.iter().map(Arc::as_ref), request);
    let identity = standing.identity.as_deref().map_or(Verdict::Allow, documents);
    let session = standing.session.as_deref().map_or(Verdict::Allow, |policy| evaluate([policy], request));
    match (identity, session) {
        (Verdict::Deny(unknown), _) => Some(Reason::Denied { kind: "identity-based", unknown }),
        (_, Verdict::Deny(unknown)) => Some(Reason::Denied { kind: "session", unknown }),
        (_, Verdict::Silent) => Some(Reason::NotInSession),
        (Verdict::Silent, _) => Some(Reason::NotAllowed),
        (Verdict::Allow, Verdict::Allow) => {
            (standing.bounded && standing.identity.is_some()).then_some(Reason::Boundary)
        }
    }
}

/// Credentials of GetSessionToken may not be used for IAM, and of STS only for AssumeRole ("GetSessionToken", STS API
/// Reference).
fn is_for_session_tokens(caller: &Caller, action: &str) -> bool {
    let temporary = caller.session.is_some() && !matches!(caller.principal, Principal::Role { .. });
    !temporary || action == "sts:AssumeRole" || !(action.starts_with("iam:") || action.starts_with("sts:"))
}

/// AWS lets every identity ask who it is, whatever its policies say.
fn is_identity_question(action: &str) -> bool {
    action == "sts:GetCallerIdentity"
}

/// Resources of another account need a policy on their side. A role's trust policy is one: `sts:AssumeRole` checks it.
fn own_account(caller: &Caller, action: &str, resources: &[String]) -> bool {
    TAKING_A_ROLE.contains(&action)
        || resources.iter().filter_map(|resource| resource.parse::<Arn>().ok()).all(|arn| {
            let Arn { partition, account, .. } = arn;
            // One of another partition would be what a denial does not name, and a service that does not look at it takes.
            partition == caller.partition
                && (account.is_empty() || account == "*" || account == "aws" || account == caller.account)
        })
}

/// What CodeDeploy may grant a user that nobody else allowed it.
fn decide_user(action: &str, resources: &[String]) -> Decision {
    match (action.split_once(':'), resources) {
        (Some(("codedeploy-commands" | "codedeploy-commands-secure", _)), _) => Decision::IfHost,
        (Some(("s3", "GetObject" | "GetObjectVersion")), [object]) => revision(object),
        _ => Decision::Deny(Reason::NotAllowed),
    }
}

fn revision(object: &str) -> Decision {
    let path = object.strip_prefix("arn:aws:s3:::").and_then(|path| path.split_once('/'));
    path.map_or(Decision::Deny(Reason::NotAllowed), |(bucket, key)| Decision::IfRevision {
        bucket: bucket.into(),
        key: key.into(),
    })
}

/// `AccessDenied` in AWS's words. JSON services know it as `AccessDeniedException`.
pub(crate) fn denial(caller: &Caller, action: &str, resources: &[String], reason: &Reason) -> Error {
    let resource = resources.first().map_or("*", String::as_str);
    let why = match reason {
        Reason::NotAllowed => format!("because no identity-based policy allows the {action} action"),
        Reason::NotInSession => format!("because no session policy allows the {action} action"),
        Reason::Denied { kind, unknown: None } => format!("with an explicit deny in {} {kind} policy", article(kind)),
        Reason::Denied { kind, unknown: Some(what) } => format!(
            "because {} {kind} policy denies it under a condition that this version of Landfall cannot evaluate: {what}",
            article(kind)
        ),
        Reason::Boundary => {
            "because its permissions boundary is a managed policy, which this version of Landfall does not \
                             serve"
                .to_owned()
        }
        Reason::SessionToken => {
            "with the credentials of GetSessionToken, which are neither for IAM nor, except AssumeRole, for STS"
                .to_owned()
        }
    };
    let message =
        format!("User: {} is not authorized to perform: {action} on resource: {resource} {why}", caller.arn());
    match action.split_once(':') {
        Some(("iam" | "sts" | "sns" | "cloudformation" | "s3", _)) => Error::modelled("AccessDenied", 403, message),
        _ => Error::modelled("AccessDeniedException", 400, message),
    }
}

fn article(kind: &str) -> &'static str {
    if kind.starts_with('i') { "an" } else { "a" }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::rules::policy_document::Use;
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

    /// A user that nobody allowed anything, or whoever needs no policy.
    fn standing(caller: &Caller) -> Standing {
        let identity = matches!(caller.principal, Principal::User { .. }).then(Vec::new);
        Standing { identity, ..Standing::default() }
    }

    fn document(statements: &str) -> Arc<PolicyDocument> {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
        Arc::new(crate::rules::policy_document::parse(&text, Use::Identity).unwrap())
    }

    fn decided(caller: &Caller, action: &str, resource: &str, standing: &Standing) -> Decision {
        decide(Mode::Enforce, caller, action, &[resource.to_owned()], standing, &Context::default())
    }

    const NOT_ALLOWED: Decision = Decision::Deny(Reason::NotAllowed);

    #[test]
    fn without_policies() {
        use Decision::{Allow, IfHost, IfNamed};
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
            (root(), "codebuild:StartBuild", foreign, NOT_ALLOWED),
            (root(), "logs:GetLogEvents", "arn:aws-x:logs:us-east-1:111111111111:log-group:g", NOT_ALLOWED),
            (root(), "sts:AssumeRole", "arn:aws:iam::222222222222:role/r", Allow),
            (root(), "s3:GetObject", "arn:aws:s3:::b/k", Allow),
            (role(), "codebuild:StartBuild", own, Allow),
            (role(), "codebuild:StartBuild", foreign, NOT_ALLOWED),
            (service, "codebuild:StartBuild", own, Allow),
            (user(), "codebuild:StartBuild", own, NOT_ALLOWED),
            (user(), "iam:CreateUser", "*", NOT_ALLOWED),
            (user(), "sts:AssumeRole", "arn:aws:iam::111111111111:role/r", IfNamed),
            (user(), "sts:GetCallerIdentity", "*", Allow),
            (user(), "sts:GetSessionToken", "*", Allow),
            (user(), "sts:GetAccessKeyInfo", "*", NOT_ALLOWED),
            (user(), "sts:TagSession", "arn:aws:iam::111111111111:role/r", IfNamed),
            (user(), "codedeploy-commands:PollHostCommand", "*", IfHost),
            (user(), "codedeploy-commands-secure:PollHostCommand", "*", IfHost),
            (user(), "codedeploy:GetDeployment", "*", NOT_ALLOWED),
            (user(), "s3:GetObject", "arn:aws:s3:::b/k/l.zip", object),
            (user(), "s3:GetObject", "arn:aws:s3:::b", NOT_ALLOWED),
            (user(), "s3:PutObject", "arn:aws:s3:::b/k", NOT_ALLOWED),
        ] {
            let decision_made = decided(&caller, action, resource, &standing(&caller));
            assert_eq!(decision_made, decision, "{} {action} {resource}", caller.arn());
        }
    }

    const READ: &str = r#"{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}"#;
    const NOT_B: &str = r#"{"Effect":"Deny","Action":"*","Resource":"arn:aws:s3:::b/*"}"#;

    #[test]
    fn with_inline_policies_users_and_roles_may_what_these_allow() {
        let denied = Decision::Deny(Reason::Denied { kind: "identity-based", unknown: None });
        for caller in [user(), role()] {
            let standing = Standing { identity: Some(vec![document(READ), document(NOT_B)]), ..Standing::default() };
            for (action, resource, decision) in [
                ("s3:GetObject", "arn:aws:s3:::a/k", Decision::Allow),
                ("s3:GetObject", "arn:aws:s3:::b/k", denied.clone()),
                ("s3:PutObject", "arn:aws:s3:::a/k", NOT_ALLOWED),
                ("codebuild:StartBuild", "arn:aws:codebuild:us-east-1:111111111111:project/p", NOT_ALLOWED),
                ("sts:AssumeRole", "arn:aws:iam::111111111111:role/r", Decision::IfNamed),
                ("codedeploy-commands:PollHostCommand", "arn:aws:s3:::b/x", denied.clone()),
            ] {
                assert_eq!(decided(&caller, action, resource, &standing), decision, "{} {action}", caller.arn());
            }
            let bounded = Standing { bounded: true, ..standing };
            assert_eq!(decided(&caller, "s3:GetObject", "*", &bounded), Decision::Deny(Reason::Boundary));
        }
    }

    #[test]
    fn every_resource_must_be_allowed_and_a_denial_of_one_is_told() {
        let standing = Standing { identity: Some(vec![document(READ), document(NOT_B)]), ..Standing::default() };
        let ask = |action: &str, resources: &[&str]| {
            let resources: Vec<String> = resources.iter().map(|&resource| resource.to_owned()).collect();
            decide(Mode::Enforce, &role(), action, &resources, &standing, &Context::default())
        };
        assert_eq!(ask("s3:GetObject", &["arn:aws:s3:::a/1", "arn:aws:s3:::a/2"]), Decision::Allow);
        for resources in [["arn:aws:s3:::a/1", "arn:aws:s3:::b/1"], ["arn:aws:s3:::b/1", "arn:aws:s3:::a/1"]] {
            let decision = ask("s3:PutObject", &resources);
            assert!(matches!(decision, Decision::Deny(Reason::Denied { .. })), "{decision:?}");
        }
        assert_eq!(ask("s3:GetAccountPublicAccessBlock", &[]), Decision::Allow);
    }

    #[test]
    fn a_session_policy_leaves_what_both_allow() {
        let session = document(r#"{"Effect":"Allow","Action":["s3:*","sts:*"],"Resource":"*"}"#);
        let narrowed = |identity: Option<Vec<Arc<PolicyDocument>>>| Standing {
            identity,
            session: Some(Arc::clone(&session)),
            ..Standing::default()
        };
        for (standing, action, decision) in [
            (narrowed(None), "s3:PutObject", Decision::Allow),
            (narrowed(None), "codebuild:StartBuild", Decision::Deny(Reason::NotInSession)),
            (narrowed(Some(vec![document(READ)])), "s3:GetObject", Decision::Allow),
            (narrowed(Some(vec![document(READ)])), "s3:PutObject", NOT_ALLOWED),
            (narrowed(Some(vec![document(READ)])), "sts:AssumeRole", Decision::IfNamed),
        ] {
            assert_eq!(decided(&role(), action, "*", &standing), decision, "{action}");
        }
        let nothing = Standing { session: Some(document(NOT_B)), ..Standing::default() };
        assert_eq!(decided(&role(), "sts:AssumeRole", "*", &nothing), Decision::Deny(Reason::NotInSession));
        assert_eq!(decided(&role(), "sts:GetCallerIdentity", "*", &nothing), Decision::Allow);
        let denied = decided(&role(), "s3:GetObject", "arn:aws:s3:::b/k", &nothing);
        assert_eq!(denied, Decision::Deny(Reason::Denied { kind: "session", unknown: None }));
    }

    #[test]
    fn credentials_of_get_session_token_are_not_for_iam_and_sts() {
        let session = Some(kernel::Session::default());
        let temporary = Caller { session, ..caller(Principal::Root) };
        for (action, allowed) in [
            ("iam:CreateUser", false),
            ("sts:GetSessionToken", false),
            ("sts:AssumeRole", true),
            ("sts:GetCallerIdentity", true),
            ("s3:PutObject", true),
        ] {
            let decision = decided(&temporary, action, "*", &Standing::default());
            assert_eq!(decision == Decision::Allow, allowed, "{action}: {decision:?}");
        }
    }

    #[test]
    fn open_mode_allows() {
        let nothing = Standing { identity: Some(Vec::new()), ..Standing::default() };
        let decision = decide(Mode::Open, &user(), "codebuild:StartBuild", &[], &nothing, &Context::default());
        assert_eq!(decision, Decision::Allow);
    }

    #[test]
    fn the_denial_has_the_words_and_the_code_of_the_service() {
        let denial = |action, resources: &[String], reason| super::denial(&user(), action, resources, &reason);
        let error = denial("codebuild:StartBuild", &["arn:x".into()], Reason::NotAllowed);
        assert_eq!(
            error.message,
            "User: arn:aws:iam::111111111111:user/host is not authorized to perform: codebuild:StartBuild on resource: \
             arn:x because no identity-based policy allows the codebuild:StartBuild action"
        );
        assert_eq!((error.code.as_str(), error.status), ("AccessDeniedException", 400));
        let error = denial("iam:GetUser", &[], Reason::NotAllowed);
        assert_eq!((error.code.as_str(), error.status), ("AccessDenied", 403));
        for (reason, end) in [
            (Reason::NotInSession, "because no session policy allows the s3:Get action"),
            (Reason::Denied { kind: "session", unknown: None }, "with an explicit deny in a session policy"),
            (
                Reason::Denied { kind: "identity-based", unknown: None },
                "with an explicit deny in an identity-based policy",
            ),
            (Reason::Denied { kind: "session", unknown: Some("the condition key k".into()) }, "the condition key k"),
        ] {
            let message = denial("s3:Get", &[], reason).message;
            assert!(message.ends_with(end), "{message}");
        }
    }

    proptest! {
        #[test]
        fn a_user_without_policies_is_never_simply_allowed(
            service in "(s3|iam|sts|codebuild|codedeploy|codedeploy-commands|logs)",
            operation in "[A-Z][a-zA-Z]{0,12}",
            resource in "(\\*|arn:aws:s3:::[a-z]{1,5}(/[a-z/]{1,5})?|arn:aws:iam::111111111111:role/[a-z]{1,5})",
        ) {
            prop_assume!(service != "sts" || !["GetCallerIdentity", "GetSessionToken"].contains(&operation.as_str()));
            let decision = decided(&user(), &format!("{service}:{operation}"), &resource, &standing(&user()));
            prop_assert_ne!(decision, Decision::Allow);
        }

        #[test]
        fn nobody_reaches_into_another_account(noun in "[a-z]{1,8}/[a-z]{1,8}", service in "(codebuild|codecommit|iam|logs)") {
            let resource = format!("arn:aws:{service}:us-east-1:222222222222:{noun}");
            let all = document(r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#);
            let standing = Standing { identity: Some(vec![all]), ..Standing::default() };
            for caller in [caller(Principal::Root), role(), user()] {
                let decision = decided(&caller, &format!("{service}:Delete"), &resource, &standing);
                prop_assert_eq!(decision, NOT_ALLOWED);
            }
        }

        #[test]
        fn a_session_policy_never_gives_more(action in "(s3:GetObject|s3:PutObject|codebuild:StartBuild|logs:GetLogEvents)", bucket in "[ab]") {
            let resource = format!("arn:aws:s3:::{bucket}/k");
            let policies = [READ, NOT_B, r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#];
            for identity in policies {
                let whole = Standing { identity: Some(vec![document(identity)]), ..Standing::default() };
                for session in policies {
                    let narrowed = Standing { session: Some(document(session)), ..whole.clone() };
                    if decided(&role(), &action, &resource, &narrowed) == Decision::Allow {
                        prop_assert_eq!(decided(&role(), &action, &resource, &whole), Decision::Allow);
                    }
                }
            }
        }
    }
}
