//! What policy documents say about one request: allow, deny, or nothing.
//!
//! Source: "Policy evaluation logic" and "IAM JSON policy elements", IAM User Guide. What cannot be evaluated (an operator,
//! a key or a value that is not known here) never allows and always denies.

mod condition;
mod context;
mod operator;
mod pattern;

pub(crate) use condition::{Met, conditions};
pub(crate) use context::{Context, Subject};
pub(crate) use pattern::Pattern;

use crate::rules::policy_document::{Effect, OneOrMany, PolicyDocument, Statement};

/// What is asked: one action on one resource.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'r> {
    /// For example `s3:GetObject`.
    pub(crate) action: &'r str,
    /// An ARN, or `*` where the action is on none.
    pub(crate) resource: &'r str,
    /// The condition keys.
    pub(crate) context: &'r Context,
}

/// What documents say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Some statement allows and none denies.
    Allow,
    /// A statement denies: because it says so, or because this of it cannot be evaluated.
    Deny(Option<String>),
    /// No statement is about it.
    Silent,
}

/// What `documents` say about `request`, together.
pub(crate) fn evaluate<'d>(documents: impl IntoIterator<Item = &'d PolicyDocument>, request: Request<'_>) -> Verdict {
    let mut verdict = Verdict::Silent;
    for document in documents {
        let variables = has_variables(document).then_some(request.context);
        for statement in document.statement.iter() {
            if !covers_action(statement, request.action) || !covers_resource(statement, request.resource, variables) {
                continue;
            }
            match (statement.effect, conditions(statement, request.context, variables)) {
                (Effect::Deny, Met::Yes) => return Verdict::Deny(None),
                (Effect::Deny, Met::Unknown(what)) => return Verdict::Deny(Some(what)),
                (Effect::Allow, Met::Yes) => verdict = Verdict::Allow,
                (_, Met::No | Met::Unknown(_)) => {}
            }
        }
    }
    verdict
}

/// Only documents of this version have policy variables.
pub(crate) fn has_variables(document: &PolicyDocument) -> bool {
    document.version.as_deref() == Some("2012-10-17")
}

/// Whether a statement is about an action; names of actions have no case.
pub(crate) fn covers_action(statement: &Statement, action: &str) -> bool {
    let action = action.to_ascii_lowercase();
    let among = |names: &OneOrMany<String>| {
        names
            .iter()
            .any(|name| Pattern::parse(&name.to_ascii_lowercase(), None).is_some_and(|name| name.matches(&action)))
    };
    match (&statement.action, &statement.not_action) {
        (Some(actions), _) => among(actions),
        (None, Some(others)) => !among(others),
        (None, None) => false,
    }
}

fn covers_resource(statement: &Statement, resource: &str, variables: Option<&Context>) -> bool {
    let among = |patterns: &OneOrMany<String>| {
        let mut patterns = patterns.iter().filter_map(|pattern| Pattern::parse(pattern, variables));
        patterns.any(|pattern| pattern.matches_arn(resource))
    };
    match (&statement.resource, &statement.not_resource) {
        (Some(resources), _) => among(resources),
        (None, Some(others)) => !among(others),
        (None, None) => false,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::rules::policy_document::{Use, parse};
    use proptest::prelude::*;

    fn document(statements: &str) -> PolicyDocument {
        parse(&format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#), Use::Identity).unwrap()
    }

    fn verdict(statements: &str, action: &str, resource: &str) -> Verdict {
        let context = Context::default().with("aws:username", ["jane"]).with("aws:sourceip", ["10.0.0.1"]);
        evaluate([&document(statements)], Request { action, resource, context: &context })
    }

    const READ: &str = r#"{"Effect":"Allow","Action":["s3:Get*","s3:ListBucket"],"Resource":["arn:aws:s3:::app/*","arn:aws:s3:::app"]}"#;

    #[test]
    fn action_and_resource_are_matched_together() {
        for (action, resource, expected) in [
            ("s3:GetObject", "arn:aws:s3:::app/a/b", Verdict::Allow),
            ("S3:getobject", "arn:aws:s3:::app/a", Verdict::Allow),
            ("s3:ListBucket", "arn:aws:s3:::app", Verdict::Allow),
            ("s3:PutObject", "arn:aws:s3:::app/a", Verdict::Silent),
            ("s3:GetObject", "arn:aws:s3:::other/a", Verdict::Silent),
            ("s3:GetObject", "arn:aws:s3:::App/a", Verdict::Silent),
            ("s3:GetObject", "*", Verdict::Silent),
            ("xs3:GetObject", "arn:aws:s3:::app/a", Verdict::Silent),
        ] {
            assert_eq!(verdict(READ, action, resource), expected, "{action} {resource}");
        }
    }

    #[test]
    fn not_action_and_not_resource_are_everything_else() {
        let others = r#"{"Effect":"Allow","NotAction":"iam:*","NotResource":"arn:aws:s3:::secret*"}"#;
        for (action, resource, expected) in [
            ("s3:GetObject", "arn:aws:s3:::app/a", Verdict::Allow),
            ("s3:GetObject", "arn:aws:s3:::secret/a", Verdict::Silent),
            ("iam:GetUser", "*", Verdict::Silent),
            ("sts:GetCallerIdentity", "*", Verdict::Allow),
        ] {
            assert_eq!(verdict(others, action, resource), expected, "{action} {resource}");
        }
    }

    #[test]
    fn a_denial_wins_wherever_it_stands() {
        let deny = r#"{"Effect":"Deny","Action":"s3:GetObject","Resource":"arn:aws:s3:::app/private/*"}"#;
        for statements in [format!("{READ},{deny}"), format!("{deny},{READ}")] {
            assert_eq!(verdict(&statements, "s3:GetObject", "arn:aws:s3:::app/private/a"), Verdict::Deny(None));
            assert_eq!(verdict(&statements, "s3:GetObject", "arn:aws:s3:::app/a"), Verdict::Allow);
        }
        let context = Context::default();
        let request = Request { action: "s3:GetObject", resource: "arn:aws:s3:::app/private/a", context: &context };
        assert_eq!(evaluate([&document(READ), &document(deny)], request), Verdict::Deny(None), "in another document");
    }

    #[test]
    fn what_cannot_be_evaluated_fails_closed() {
        for condition in [
            r#"{"StringResembles":{"aws:username":"jane"}}"#,
            r#"{"StringEquals":{"s3:x-amz-acl":"public-read"}}"#,
            r#"{"IpAddress":{"aws:SourceIp":"not an address"}}"#,
            r#"{"StringNotEquals":{"s3:x-amz-acl":"public-read"}}"#,
            r#"{"Null":{"ec2:Vpc":"true"}}"#,
        ] {
            let statement = |effect: &str| {
                format!(r#"{{"Effect":"{effect}","Action":"*","Resource":"*","Condition":{condition}}}"#)
            };
            assert_eq!(verdict(&statement("Allow"), "s3:GetObject", "*"), Verdict::Silent, "{condition}");
            let denied = verdict(&statement("Deny"), "s3:GetObject", "*");
            assert!(matches!(denied, Verdict::Deny(Some(_))), "{condition}: {denied:?}");
        }
    }

    #[test]
    fn variables_stand_for_their_values_in_documents_of_2012() {
        let own = r#"{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::home/${aws:username}/*"}"#;
        assert_eq!(verdict(own, "s3:GetObject", "arn:aws:s3:::home/jane/a"), Verdict::Allow);
        assert_eq!(verdict(own, "s3:GetObject", "arn:aws:s3:::home/joe/a"), Verdict::Silent);
        let old = parse(&format!(r#"{{"Version":"2008-10-17","Statement":[{own}]}}"#), Use::Identity).unwrap();
        let context = Context::default().with("aws:username", ["jane"]);
        let ask = |resource| evaluate([&old], Request { action: "s3:GetObject", resource, context: &context });
        assert_eq!(ask("arn:aws:s3:::home/jane/a"), Verdict::Silent);
        assert_eq!(ask("arn:aws:s3:::home/${aws:username}/a"), Verdict::Allow);
    }

    proptest! {
        #[test]
        fn nothing_is_allowed_that_no_statement_names(action in "[a-z]{1,6}:[A-Za-z]{1,8}", resource in "arn:aws:[a-z]{1,4}:::[a-z]{1,6}") {
            prop_assume!(!action.to_lowercase().starts_with("s3:"));
            prop_assert_eq!(verdict(READ, &action, &resource), Verdict::Silent);
        }

        #[test]
        fn a_denial_of_all_denies_all(action in "[a-z]{1,6}:[A-Za-z]{1,8}", resource in "(\\*|arn:aws:[a-z]{1,4}:::[a-z/]{1,6})") {
            let all = r#"{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","NotAction":"","Resource":"*"}"#;
            prop_assert_eq!(verdict(all, &action, &resource), Verdict::Deny(None));
        }
    }
}
