//! Whether a role's trust policy lets somebody assume it.
//!
//! Conditions on `aws:SourceAccount`, `aws:SourceArn` (its account) and `sts:ExternalId` are evaluated; a statement with
//! any other condition, or a pattern in these, never allows, and always denies.

use crate::rules::policy_document::{Effect, OneOrMany, PolicyDocument, Principals, Statement};
use kernel::Arn;
use serde_json::Value;

/// Who wants the role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker<'a> {
    /// A service, for example `codebuild.amazonaws.com`.
    Service(&'a str),
    /// An identity by its ARN, in its account.
    Identity { arn: &'a str, account: &'a str },
}

/// What conditions look at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Circumstances<'a> {
    /// The account on whose behalf a service asks.
    pub(crate) source_account: Option<&'a str>,
    /// What the caller of `AssumeRole` gave.
    pub(crate) external_id: Option<&'a str>,
}

/// Whether `document` trusts `asker`: some statement allows and none denies.
pub(crate) fn trusts(document: &PolicyDocument, asker: Asker<'_>, circumstances: Circumstances<'_>) -> bool {
    let applies = |statement: &&Statement| covers_assume_role(statement) && names(statement, asker);
    let statements: Vec<&Statement> = document.statement.iter().filter(applies).collect();
    let met = |statement: &&Statement| conditions(statement, circumstances);
    let allowed = statements.iter().any(|s| s.effect == Effect::Allow && met(s) == Some(true));
    allowed && !statements.iter().any(|s| s.effect == Effect::Deny && met(s) != Some(false))
}

fn covers_assume_role(statement: &Statement) -> bool {
    let named = |actions: &OneOrMany<String>| {
        actions.iter().any(|action| {
            ["sts:assumerole", "sts:assume*", "sts:*", "*"].contains(&action.to_ascii_lowercase().as_str())
        })
    };
    match (&statement.action, &statement.not_action) {
        (Some(actions), _) => named(actions),
        (None, Some(others)) => !named(others),
        (None, None) => false,
    }
}

fn names(statement: &Statement, asker: Asker<'_>) -> bool {
    match (&statement.principal, &statement.not_principal) {
        (Some(principals), _) => is_among(principals, asker),
        // A NotPrincipal in an Allow would trust the whole world; AWS advises against it, and here it never allows.
        (None, Some(others)) => statement.effect == Effect::Deny && !is_among(others, asker),
        (None, None) => false,
    }
}

fn is_among(principals: &Principals, asker: Asker<'_>) -> bool {
    match (principals, asker) {
        (Principals::Everyone(text), _) => text == "*",
        (Principals::ByKind(kinds), Asker::Service(service)) => {
            kinds.get("Service").is_some_and(|services| services.iter().any(|name| name == service))
        }
        (Principals::ByKind(kinds), Asker::Identity { arn, account }) => {
            kinds.get("AWS").is_some_and(|names| names.iter().any(|name| names_identity(name, arn, account)))
        }
    }
}

/// A principal element `AWS`: everyone, a whole account (by number or root ARN), or one identity. A role's sessions are
/// covered by the role's own ARN.
fn names_identity(name: &str, arn: &str, account: &str) -> bool {
    if name == "*" || name == account || name == arn {
        return true;
    }
    let Ok(named) = name.parse::<Arn>() else { return false };
    let whole_account = named.service == "iam" && named.account == account && named.resource == "root";
    let Some((role, _)) = assumed_role(arn) else { return whole_account };
    let is_role = named.service == "iam" && named.account == account;
    whole_account || is_role && named.resource_after("role/").and_then(|path| path.rsplit('/').next()) == Some(&role)
}

/// Role and session of `arn:aws:sts::A:assumed-role/ROLE/SESSION`.
fn assumed_role(arn: &str) -> Option<(String, String)> {
    let arn: Arn = arn.parse().ok()?;
    let (role, session) = arn.resource_after("assumed-role/")?.split_once('/')?;
    Some((role.to_owned(), session.to_owned()))
}

/// `Some(true)`: all met; `Some(false)`: one is not; `None`: one cannot be evaluated.
fn conditions(statement: &Statement, circumstances: Circumstances<'_>) -> Option<bool> {
    let mut all = Some(true);
    for (operator, keys) in &statement.condition {
        for (key, values) in keys {
            match condition(operator, key, values, circumstances) {
                Some(false) => return Some(false),
                None => all = None,
                Some(true) => {}
            }
        }
    }
    all
}

fn condition(operator: &str, key: &str, values: &OneOrMany<Value>, circumstances: Circumstances<'_>) -> Option<bool> {
    if !matches!(operator, "StringEquals" | "StringLike" | "ArnEquals" | "ArnLike") {
        return None;
    }
    let values: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
    match key.to_ascii_lowercase().as_str() {
        "aws:sourceaccount" => is_one_of(&values, circumstances.source_account),
        "aws:sourcearn" => {
            let account = circumstances.source_account?;
            let arns: Vec<Arn> = values.iter().filter_map(|value| value.parse().ok()).collect();
            let accounts: Vec<&str> = arns.iter().map(|arn| arn.account.as_str()).collect();
            if accounts.contains(&"*") { Some(true) } else { is_one_of(&accounts, Some(account)) }
        }
        "sts:externalid" => is_one_of(&values, circumstances.external_id),
        _ => None,
    }
}

/// `None` where only a pattern could still match: patterns are not evaluated.
fn is_one_of(values: &[&str], actual: Option<&str>) -> Option<bool> {
    let is_pattern = |value: &&str| value.contains(['*', '?']);
    match values.iter().any(|value| Some(*value) == actual) {
        true => Some(true),
        false if values.iter().any(is_pattern) => None,
        false => Some(false),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::rules::policy_document::{Use, parse};
    use proptest::prelude::*;

    const BUILD: Asker<'_> = Asker::Service("codebuild.amazonaws.com");
    const ROOT: Asker<'_> = Asker::Identity { arn: "arn:aws:iam::111111111111:root", account: "111111111111" };
    const SESSION: Asker<'_> =
        Asker::Identity { arn: "arn:aws:sts::111111111111:assumed-role/deploy/me", account: "111111111111" };
    const FOREIGN: Asker<'_> = Asker::Identity { arn: "arn:aws:iam::222222222222:root", account: "222222222222" };

    fn check(statements: &str, asker: Asker<'_>) -> bool {
        let document = parse(&format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#), Use::Trust).unwrap();
        let circumstances = Circumstances { source_account: Some("111111111111"), external_id: Some("x") };
        trusts(&document, asker, circumstances)
    }

    fn allow(principal: &str) -> String {
        format!(r#"{{"Effect":"Allow","Principal":{principal},"Action":"sts:AssumeRole"}}"#)
    }

    #[test]
    fn principals_are_matched_by_kind() {
        for (principal, asker, trusted) in [
            (r#"{"Service":"codebuild.amazonaws.com"}"#, BUILD, true),
            (r#"{"Service":["x","codebuild.amazonaws.com"]}"#, BUILD, true),
            (r#"{"Service":"codepipeline.amazonaws.com"}"#, BUILD, false),
            (r#"{"AWS":"codebuild.amazonaws.com"}"#, BUILD, false),
            (r#"{"AWS":"111111111111"}"#, ROOT, true),
            (r#"{"AWS":"arn:aws:iam::111111111111:root"}"#, ROOT, true),
            (r#"{"AWS":"arn:aws:iam::111111111111:root"}"#, SESSION, true),
            (r#"{"AWS":"arn:aws:iam::111111111111:root"}"#, FOREIGN, false),
            (r#"{"AWS":"arn:aws:iam::111111111111:role/path/deploy"}"#, SESSION, true),
            (r#"{"AWS":"arn:aws:iam::111111111111:role/other"}"#, SESSION, false),
            (r#"{"AWS":"arn:aws:iam::222222222222:role/deploy"}"#, SESSION, false),
            (r#"{"Service":"codebuild.amazonaws.com"}"#, ROOT, false),
            (r#""*""#, FOREIGN, true),
        ] {
            assert_eq!(check(&allow(principal), asker), trusted, "{principal} {asker:?}");
        }
    }

    #[test]
    fn only_statements_about_assume_role_count() {
        for (statement, trusted) in [
            (r#"{"Effect":"Allow","Principal":"*","Action":["sts:TagSession","sts:AssumeRole"]}"#, true),
            (r#"{"Effect":"Allow","Principal":"*","Action":"sts:*"}"#, true),
            (r#"{"Effect":"Allow","Principal":"*","Action":"sts:TagSession"}"#, false),
            (r#"{"Effect":"Allow","Principal":"*","NotAction":"sts:AssumeRole"}"#, false),
            (r#"{"Effect":"Allow","NotPrincipal":{"AWS":"1"},"Action":"sts:AssumeRole"}"#, false),
        ] {
            assert_eq!(check(statement, BUILD), trusted, "{statement}");
        }
        let denied = format!(r#"{},{{"Effect":"Deny","Principal":"*","Action":"*"}}"#, allow("\"*\""));
        assert!(!check(&denied, BUILD));
    }

    #[test]
    fn conditions_that_are_not_known_fail_closed() {
        for (condition, trusted) in [
            (r#"{"StringEquals":{"aws:SourceAccount":"111111111111"}}"#, true),
            (r#"{"StringEquals":{"aws:SourceAccount":"222222222222"}}"#, false),
            (r#"{"ArnLike":{"aws:SourceArn":"arn:aws:codebuild:us-east-1:111111111111:project/*"}}"#, true),
            (r#"{"ArnLike":{"aws:SourceArn":"arn:aws:codebuild:us-east-1:222222222222:project/*"}}"#, false),
            (r#"{"StringEquals":{"sts:ExternalId":["y","x"]}}"#, true),
            (r#"{"StringEquals":{"sts:ExternalId":"y"}}"#, false),
            (r#"{"Bool":{"aws:MultiFactorAuthPresent":"true"}}"#, false),
        ] {
            let allow =
                format!(r#"{{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole","Condition":{condition}}}"#);
            assert_eq!(check(&allow, BUILD), trusted, "{condition}");
        }
        let deny =
            r#"{"Effect":"Deny","Principal":"*","Action":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}"#;
        assert!(!check(&format!("{},{deny}", allow("\"*\"")), BUILD));
        for pattern in [
            r#"{"StringLike":{"aws:SourceAccount":"1111*"}}"#,
            r#"{"ArnLike":{"aws:SourceArn":"arn:aws:codebuild:*:11111111111?:*"}}"#,
        ] {
            let with = |effect: &str| {
                format!(r#"{{"Effect":"{effect}","Principal":"*","Action":"sts:AssumeRole","Condition":{pattern}}}"#)
            };
            assert!(!check(&with("Allow"), BUILD), "{pattern}");
            let all = r#"{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}"#;
            assert!(!check(&format!("{all},{}", with("Deny")), BUILD), "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn only_who_is_named_is_trusted(named in "[a-z]{1,6}", asking in "[a-z]{1,6}") {
            let trusted = check(&allow(&format!(r#"{{"Service":"{named}.amazonaws.com"}}"#)), Asker::Service(&format!("{asking}.amazonaws.com")));
            prop_assert_eq!(trusted, named == asking);
        }

        #[test]
        fn a_denial_wins_wherever_it_stands(before in any::<bool>()) {
            let deny = r#"{"Effect":"Deny","Principal":{"Service":"codebuild.amazonaws.com"},"Action":"sts:AssumeRole"}"#;
            let allow = allow("\"*\"");
            let statements = if before { format!("{deny},{allow}") } else { format!("{allow},{deny}") };
            prop_assert!(!check(&statements, BUILD));
            prop_assert!(check(&statements, ROOT));
        }
    }
}
