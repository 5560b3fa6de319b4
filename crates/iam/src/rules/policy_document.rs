//! Reading of policy documents: the JSON grammar of IAM, as far as storing and trusting need it.
//!
//! Source: "Grammar of the IAM JSON policy language", IAM User Guide.

use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Longest document that is read: IAM's limit for a role's inline policies.
pub(crate) const MAX_BYTES: usize = 10_240;

/// A policy document.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct PolicyDocument {
    /// `2012-10-17` or `2008-10-17`.
    pub(crate) version: Option<String>,
    #[serde(rename = "Id")]
    _id: Option<String>,
    /// One statement may stand without its list.
    pub(crate) statement: OneOrMany<Statement>,
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Statement {
    #[serde(rename = "Sid")]
    _sid: Option<String>,
    pub(crate) effect: Effect,
    pub(crate) principal: Option<Principals>,
    #[serde(rename = "NotPrincipal")]
    pub(crate) not_principal: Option<Principals>,
    pub(crate) action: Option<OneOrMany<String>>,
    pub(crate) not_action: Option<OneOrMany<String>>,
    pub(crate) resource: Option<OneOrMany<String>>,
    pub(crate) not_resource: Option<OneOrMany<String>>,
    /// Operator → key → values.
    #[serde(default)]
    pub(crate) condition: BTreeMap<String, BTreeMap<String, OneOrMany<Value>>>,
}

/// `Allow` or `Deny`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum Effect {
    Allow,
    Deny,
}

/// `"*"`, or lists by kind (`AWS`, `Service`, `Federated`, `CanonicalUser`).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Principals {
    Everyone(String),
    ByKind(BTreeMap<String, OneOrMany<String>>),
}

/// JSON lists that may be written as their only element.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMany<T> {
    // First, since an element may be any JSON, a list too.
    Many(Vec<T>),
    One(T),
}

impl<T> OneOrMany<T> {
    /// The elements.
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, T> {
        match self {
            Self::One(element) => std::slice::from_ref(element).iter(),
            Self::Many(elements) => elements.iter(),
        }
    }
}

/// Which document it is: a role's trust policy names principals, an identity's policy names resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Trust,
    Identity,
}

/// Why a document is refused; the text of `MalformedPolicyDocument`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("Cannot exceed quota for policy size: {MAX_BYTES} bytes")]
    TooLong,
    #[error("Syntax errors in policy: {0}")]
    Syntax(String),
    #[error("The policy failed legacy parsing: its version must be 2012-10-17 or 2008-10-17")]
    Version,
    #[error("Policy statement must contain actions.")]
    NoAction,
    #[error("Policy statement must contain resources.")]
    NoResource,
    #[error("Trust policy statement must name principals.")]
    NoPrincipal,
    #[error("Has prohibited field {0}.")]
    Prohibited(&'static str),
}

/// Reads and checks a document.
pub(crate) fn parse(text: &str, used: Use) -> Result<PolicyDocument, Malformed> {
    if text.len() > MAX_BYTES {
        return Err(Malformed::TooLong);
    }
    let document: PolicyDocument = serde_json::from_str(text).map_err(|error| Malformed::Syntax(error.to_string()))?;
    if !matches!(document.version.as_deref(), None | Some("2012-10-17" | "2008-10-17")) {
        return Err(Malformed::Version);
    }
    document.statement.iter().try_for_each(|statement| check(statement, used))?;
    Ok(document)
}

fn check(statement: &Statement, used: Use) -> Result<(), Malformed> {
    if statement.action.is_none() && statement.not_action.is_none() {
        return Err(Malformed::NoAction);
    }
    let resources = statement.resource.is_some() || statement.not_resource.is_some();
    let principals = statement.principal.is_some() || statement.not_principal.is_some();
    match (used, resources, principals) {
        (Use::Trust, true, _) => Err(Malformed::Prohibited("Resource")),
        (Use::Trust, _, false) => Err(Malformed::NoPrincipal),
        (Use::Identity, false, _) => Err(Malformed::NoResource),
        (Use::Identity, _, true) => Err(Malformed::Prohibited("Principal")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refused(text: &str, used: Use) -> String {
        parse(text, used).map_or_else(|error| error.to_string(), |_| String::new())
    }

    #[test]
    fn documents_of_both_uses_are_told_apart() {
        let trust = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"a"},"Action":"sts:AssumeRole"}}"#;
        let identity = r#"{"Statement":[{"Sid":"x","Effect":"Deny","NotAction":["s3:*"],"Resource":"*"}]}"#;
        for (text, used, wrong) in [
            (trust, Use::Trust, ""),
            (identity, Use::Identity, ""),
            (trust, Use::Identity, "must contain resources"),
            (identity, Use::Trust, "prohibited field Resource"),
        ] {
            let refused = refused(text, used);
            assert!(refused.contains(wrong) && refused.is_empty() == wrong.is_empty(), "{refused}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, wrong) in [
            ("", "line 1 column 0"),
            ("{}", "missing field `Statement`"),
            (r#"{"Statement":[],"Extra":1}"#, "unknown field `Extra`"),
            (r#"{"Version":"2020-01-01","Statement":[]}"#, "2012-10-17 or 2008-10-17"),
            (r#"{"Statement":{"Effect":"Allow","Resource":"*"}}"#, "must contain actions"),
            (&" ".repeat(MAX_BYTES + 1), "quota for policy size"),
        ] {
            let refused = refused(text, Use::Identity);
            assert!(refused.contains(wrong), "{text:.80}: {refused}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in "[\\[\\]{}\":,a-zA-Z0-9 ]{0,200}") {
            let _ = parse(&text, Use::Trust);
        }
    }
}
