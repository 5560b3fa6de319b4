//! Whether a role's trust policy lets somebody assume it.
//!
//! A service says on behalf of which account it asks, and not yet of which resource: of a condition on `aws:SourceArn` only
//! the account is compared. All other conditions are evaluated as everywhere.

use crate::rules::evaluate::{Context, Met, conditions, covers_action, has_variables};
use crate::rules::policy_document::{Effect, OneOrMany, PolicyDocument, Principals, Statement};
use kernel::Arn;
use serde_json::Value;

/// The condition key that only services have.
const SOURCE_ARN: &str = "aws:sourcearn";
/// Its account, in the context of a service that asks.
pub(crate) const SOURCE_ARN_ACCOUNT: &str = "aws:sourcearn/account";

/// Who wants the role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker<'a> {
    /// A service, for example `codebuild.amazonaws.com`.
    Service(&'a str),
    /// An identity by its ARN, in its account.
    Identity { arn: &'a str, account: &'a str },
}

/// Whether `document` trusts `asker` with `action` (`sts:AssumeRole`, `sts:TagSession` or `sts:SetSourceIdentity`): some
/// statement allows and none denies.
pub(crate) fn trusts(document: &PolicyDocument, asker: Asker<'_>, action: &str, context: &Context) -> bool {
    let applies = |statement: &&Statement| covers_action(statement, action) && names(statement, asker);
    let statements: Vec<&Statement> = document.statement.iter().filter(applies).collect();
    let variables = has_variables(document).then_some(context);
    let met = |statement: &Statement| match asker {
        Asker::Service(_) => conditions(&by_account(statement), context, variables),
        Asker::Identity { .. } => conditions(statement, context, variables),
    };
    let allowed = statements.iter().any(|s| s.effect == Effect::Allow && met(s) == Met::Yes);
    allowed && !statements.iter().any(|s| s.effect == Effect::Deny && met(s) != Met::No)
}

/// Whether `document` allows this very identity, or the role of this session, to do `action`: then, in one account, nobody
/// else needs to allow it the role. A statement that allows something else, or denies, or whose conditions are not met,
/// does not count.
pub(crate) fn names_directly(
    document: &PolicyDocument,
    (arn, account): (&str, &str),
    action: &str,
    context: &Context,
) -> bool {
    let variables = has_variables(document).then_some(context);
    let allows = |statement: &&Statement| {
        statement.effect == Effect::Allow
            && covers_action(statement, action)
            && conditions(statement, context, variables) == Met::Yes
    };
    let whole_account = [account.to_owned(), format!("arn:aws:iam::{account}:root"), "*".to_owned()];
    document.statement.iter().filter(allows).any(|statement| match &statement.principal {
        Some(Principals::ByKind(kinds)) => kinds.get("AWS").is_some_and(|names| {
            names.iter().any(|name| !whole_account.contains(name) && names_identity(name, arn, account))
        }),
        _ => false,
    })
}

/// The statement with the accounts of its source ARNs in their place.
fn by_account(statement: &Statement) -> Statement {
    let account = |value: &Value| Some(Value::from(value.as_str()?.split(':').nth(4)?));
    let mut reduced = statement.clone();
    for keys in reduced.condition.values_mut() {
        let Some(key) = keys.keys().find(|key| key.eq_ignore_ascii_case(SOURCE_ARN)).cloned() else { continue };
        let accounts: Option<Vec<Value>> = keys.get(&key).and_then(|arns| arns.iter().map(account).collect());
        if let Some(accounts) = accounts {
            keys.remove(&key);
            keys.insert(SOURCE_ARN_ACCOUNT.to_owned(), OneOrMany::Many(accounts));
        }
    }
    reduced
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
        let context = Context::default()
            .with("aws:sourceaccount", ["111111111111"])
            .with(SOURCE_ARN_ACCOUNT, ["111111111111"])
            .with("sts:externalid", ["x"])
            .with("aws:multifactorauthpresent", None::<&str>);
        trusts(&document, asker, "sts:AssumeRole", &context)
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
            (r#"{"Effect":"Allow","Principal":"*","Action":"sts:Assume*"}"#, true),
            (r#"{"Effect":"Allow","Principal":"*","NotAction":"sts:AssumeRole"}"#, false),
            (r#"{"Effect":"Allow","NotPrincipal":{"AWS":"1"},"Action":"sts:AssumeRole"}"#, false),
        ] {
            assert_eq!(check(statement, BUILD), trusted, "{statement}");
        }
        let denied = format!(r#"{},{{"Effect":"Deny","Principal":"*","Action":"*"}}"#, allow("\"*\""));
        assert!(!check(&denied, BUILD));
    }

    #[test]
    fn conditions_are_evaluated_and_unknown_ones_fail_closed() {
        for (condition, trusted) in [
            (r#"{"StringEquals":{"aws:SourceAccount":"111111111111"}}"#, true),
            (r#"{"StringEquals":{"aws:SourceAccount":"222222222222"}}"#, false),
            (r#"{"StringLike":{"aws:SourceAccount":"1111*"}}"#, true),
            (r#"{"ArnLike":{"aws:SourceArn":"arn:aws:codebuild:us-east-1:111111111111:project/*"}}"#, true),
            (r#"{"ArnLike":{"aws:SourceArn":"arn:aws:codebuild:us-east-1:222222222222:project/*"}}"#, false),
            (r#"{"ArnLike":{"aws:SourceArn":"arn:aws:codebuild:*:11111111111?:*"}}"#, true),
            (r#"{"ArnNotLike":{"aws:SourceArn":"arn:aws:codebuild:*:222222222222:*"}}"#, true),
            (r#"{"ArnLike":{"aws:SourceArn":"*"}}"#, false),
            (r#"{"StringEquals":{"sts:ExternalId":["y","x"]}}"#, true),
            (r#"{"StringEquals":{"sts:ExternalId":"y"}}"#, false),
            (r#"{"Bool":{"aws:MultiFactorAuthPresent":"true"}}"#, false),
            (r#"{"BoolIfExists":{"aws:MultiFactorAuthPresent":"true"}}"#, true),
            (r#"{"StringEquals":{"aws:ResourceTag/team":"a"}}"#, false),
        ] {
            let allow =
                format!(r#"{{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole","Condition":{condition}}}"#);
            assert_eq!(check(&allow, BUILD), trusted, "{condition}");
        }
        let deny = r#"{"Effect":"Deny","Principal":"*","Action":"*","Condition":{"Bool":{"aws:Unheard":"false"}}}"#;
        assert!(!check(&format!("{},{deny}", allow("\"*\"")), BUILD));
    }

    #[test]
    fn who_is_named_in_person() {
        for (principal, asker, direct) in [
            (r#"{"AWS":"arn:aws:iam::111111111111:user/jane"}"#, "arn:aws:iam::111111111111:user/jane", true),
            (r#"{"AWS":"arn:aws:iam::111111111111:user/joe"}"#, "arn:aws:iam::111111111111:user/jane", false),
            (
                r#"{"AWS":"arn:aws:iam::111111111111:role/deploy"}"#,
                "arn:aws:sts::111111111111:assumed-role/deploy/s",
                true,
            ),
            (r#"{"AWS":"arn:aws:iam::111111111111:root"}"#, "arn:aws:iam::111111111111:user/jane", false),
            (r#"{"AWS":["111111111111","*"]}"#, "arn:aws:iam::111111111111:user/jane", false),
            ("\"*\"", "arn:aws:iam::111111111111:user/jane", false),
        ] {
            let text = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, allow(principal));
            let document = parse(&text, Use::Trust).unwrap();
            let own = (asker, "111111111111");
            let named = names_directly(&document, own, "sts:AssumeRole", &Context::default());
            assert_eq!(named, direct, "{principal} {asker}");
        }
    }

    #[test]
    fn only_what_is_allowed_in_person_counts() {
        let jane = "arn:aws:iam::111111111111:user/jane";
        let context = Context::default().with("sts:externalid", ["x"]);
        for (statement, direct) in [
            (r#""Effect":"Allow","Action":"sts:AssumeRole""#, true),
            (r#""Effect":"Deny","Action":"sts:AssumeRole""#, false),
            (r#""Effect":"Allow","Action":"sts:TagSession""#, false),
            (r#""Effect":"Allow","Action":"sts:*","Condition":{"StringEquals":{"sts:ExternalId":"x"}}"#, true),
            (r#""Effect":"Allow","Action":"sts:*","Condition":{"StringEquals":{"sts:ExternalId":"y"}}"#, false),
        ] {
            let text =
                format!(r#"{{"Statement":[{},{{"Principal":{{"AWS":"{jane}"}},{statement}}}]}}"#, allow("\"*\""));
            let document = parse(&text, Use::Trust).unwrap();
            let named = names_directly(&document, (jane, "111111111111"), "sts:AssumeRole", &context);
            assert_eq!(named, direct, "{statement}");
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
