//! A door for `fuzz/bodies`: policy documents and what they say.

use crate::rules::evaluate::{Context, Pattern, Request, Verdict, evaluate};
use crate::rules::policy_document::{PolicyDocument, Use, parse};

/// A document that was read.
#[derive(Debug, PartialEq)]
pub struct Policy(PolicyDocument);

/// Reads a document, of a role's trust or of an identity.
///
/// # Errors
/// Why it is refused.
pub fn policy(text: &str, trust: bool) -> Result<Policy, String> {
    parse(text, if trust { Use::Trust } else { Use::Identity }).map(Policy).map_err(|error| error.to_string())
}

/// `Some(true)` for allow, `Some(false)` for deny, nothing for silence; `keys` are condition keys with one value each.
#[must_use]
pub fn says(policies: &[&Policy], action: &str, resource: &str, keys: &[(&str, &str)]) -> Option<bool> {
    let context = keys.iter().fold(Context::default(), |context, (key, value)| context.with(key, [value]));
    let documents = policies.iter().map(|policy| &policy.0);
    match evaluate(documents, Request { action, resource, context: &context }) {
        Verdict::Allow => Some(true),
        Verdict::Deny(_) => Some(false),
        Verdict::Silent => None,
    }
}

/// Whether a text matches a pattern with `*` and `?`.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> Option<bool> {
    Pattern::parse(pattern, None).map(|pattern| pattern.matches(text))
}
