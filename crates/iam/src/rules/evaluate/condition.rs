//! The conditions of a statement.

use super::context::{Context, Values};
use super::operator::{Comparison, Operator, Quantifier, boolean, fits};
use crate::rules::policy_document::{OneOrMany, Statement};
use serde_json::Value;

/// Whether conditions are met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Met {
    Yes,
    No,
    /// This cannot be evaluated.
    Unknown(String),
}

/// Whether all conditions of a statement are met. One that is not settles it, also beside one that is not known.
pub(crate) fn conditions(statement: &Statement, context: &Context, variables: Option<&Context>) -> Met {
    let mut all = Met::Yes;
    for (operator, keys) in &statement.condition {
        for (key, values) in keys {
            match condition(operator, key, values, context, variables) {
                Met::Yes => {}
                Met::No => return Met::No,
                unknown @ Met::Unknown(_) => all = unknown,
            }
        }
    }
    all
}

fn condition(
    operator: &str,
    key: &str,
    values: &OneOrMany<Value>,
    context: &Context,
    variables: Option<&Context>,
) -> Met {
    let Some(known) = Operator::parse(operator) else { return Met::Unknown(format!("the operator {operator}")) };
    let expected: Option<Vec<String>> = values.iter().map(text).collect();
    let Some(expected) = expected else { return Met::Unknown(format!("the values of {key}")) };
    let actual = match context.get(key) {
        Values::Unknown => return Met::Unknown(format!("the condition key {key}")),
        Values::Absent => &[][..],
        Values::Present(actual) => actual,
    };
    match met(known, &expected, actual, variables) {
        Some(true) => Met::Yes,
        Some(false) => Met::No,
        None => Met::Unknown(format!("the values of {key} with {operator}")),
    }
}

/// `actual` is empty where the request does not have the key.
fn met(operator: Operator, expected: &[String], actual: &[String], variables: Option<&Context>) -> Option<bool> {
    if operator.comparison == Comparison::Null {
        let absent: Option<Vec<bool>> = expected.iter().map(|text| boolean(text)).collect();
        return Some(absent?.contains(&actual.is_empty()));
    }
    if actual.is_empty() {
        let without = operator.if_exists || operator.negated && operator.quantifier == Quantifier::One;
        return Some(without || operator.quantifier == Quantifier::All);
    }
    let mut hits = Vec::with_capacity(actual.len());
    for actual in actual {
        let each: Option<Vec<bool>> =
            expected.iter().map(|expected| fits(operator.comparison, expected, actual, variables)).collect();
        hits.push(each?.contains(&true) != operator.negated);
    }
    Some(match (operator.quantifier, operator.negated) {
        (Quantifier::Any, _) | (Quantifier::One, false) => hits.contains(&true),
        (Quantifier::All, _) | (Quantifier::One, true) => !hits.contains(&false),
    })
}

/// Strings, and what people write without quotes.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn context() -> Context {
        let context = Context::default().with("one", ["a"]).with("many", ["a", "b"]).with("none", None::<&str>);
        context.with("yes", ["true"]).with("aws:username", ["a"])
    }

    fn ask(conditions: &str) -> Met {
        let text = format!(r#"{{"Effect":"Allow","Action":"*","Resource":"*","Condition":{conditions}}}"#);
        let statement: Statement = serde_json::from_str(&text).unwrap();
        super::conditions(&statement, &context(), Some(&context()))
    }

    #[test]
    fn values_are_alternatives_and_keys_all_count() {
        for (conditions, met) in [
            (r#"{"StringEquals":{"one":["x","a"]}}"#, Met::Yes),
            (r#"{"StringEquals":{"one":"x"}}"#, Met::No),
            (r#"{"StringEquals":{"one":[]}}"#, Met::No),
            (r#"{"StringEquals":{"one":"a","yes":"x"}}"#, Met::No),
            (r#"{"StringEquals":{"one":"a"},"Bool":{"yes":true}}"#, Met::Yes),
            (r#"{"StringNotEquals":{"one":["x","y"]}}"#, Met::Yes),
            (r#"{"StringNotEquals":{"one":["x","a"]}}"#, Met::No),
            (r#"{"StringEquals":{"one":"${aws:username}"}}"#, Met::Yes),
            (r#"{"StringEquals":{"one":"${aws:principaltag/x}"}}"#, Met::No),
            ("{}", Met::Yes),
        ] {
            assert_eq!(ask(conditions), met, "{conditions}");
        }
    }

    #[test]
    fn keys_that_the_request_does_not_have() {
        for (conditions, met) in [
            (r#"{"StringEquals":{"none":"a"}}"#, Met::No),
            (r#"{"StringEqualsIfExists":{"none":"a"}}"#, Met::Yes),
            (r#"{"StringEqualsIfExists":{"one":"x"}}"#, Met::No),
            (r#"{"StringNotEquals":{"none":"a"}}"#, Met::Yes),
            (r#"{"NotIpAddress":{"none":"10.0.0.0/8"}}"#, Met::Yes),
            (r#"{"ForAllValues:StringEquals":{"none":"a"}}"#, Met::Yes),
            (r#"{"ForAnyValue:StringEquals":{"none":"a"}}"#, Met::No),
            (r#"{"ForAnyValue:StringNotEquals":{"none":"a"}}"#, Met::No),
            (r#"{"Null":{"none":"true"}}"#, Met::Yes),
            (r#"{"Null":{"none":"false"}}"#, Met::No),
            (r#"{"Null":{"one":false}}"#, Met::Yes),
        ] {
            assert_eq!(ask(conditions), met, "{conditions}");
        }
    }

    #[test]
    fn keys_with_many_values() {
        for (conditions, met) in [
            (r#"{"ForAllValues:StringEquals":{"many":["a","b","c"]}}"#, Met::Yes),
            (r#"{"ForAllValues:StringEquals":{"many":["a"]}}"#, Met::No),
            (r#"{"ForAnyValue:StringEquals":{"many":["b"]}}"#, Met::Yes),
            (r#"{"ForAnyValue:StringEquals":{"many":["c"]}}"#, Met::No),
            (r#"{"ForAllValues:StringNotEquals":{"many":["c"]}}"#, Met::Yes),
            (r#"{"ForAllValues:StringNotEquals":{"many":["b"]}}"#, Met::No),
            (r#"{"ForAnyValue:StringNotEquals":{"many":["b"]}}"#, Met::Yes),
            (r#"{"StringNotEquals":{"many":["b"]}}"#, Met::No),
            (r#"{"StringEquals":{"many":["b"]}}"#, Met::Yes),
        ] {
            assert_eq!(ask(conditions), met, "{conditions}");
        }
    }

    #[test]
    fn what_is_not_known_is_said_and_settled_by_what_is_not_met() {
        for (conditions, what) in [
            (r#"{"StringIs":{"one":"a"}}"#, "the operator StringIs"),
            (r#"{"StringEquals":{"s3:prefix":"a"}}"#, "the condition key s3:prefix"),
            (r#"{"StringEquals":{"one":{"a":1}}}"#, "the values of one"),
            (r#"{"NumericEquals":{"one":"x"}}"#, "the values of one with NumericEquals"),
            (r#"{"Null":{"one":"perhaps"}}"#, "the values of one with Null"),
        ] {
            assert_eq!(ask(conditions), Met::Unknown(what.to_owned()));
        }
        assert_eq!(ask(r#"{"StringIs":{"one":"a"},"StringEquals":{"one":"x"}}"#), Met::No);
    }

    proptest! {
        #[test]
        fn a_negation_is_the_opposite_of_what_it_negates(values in proptest::collection::vec("[abc]", 0..4), key in "(one|many)") {
            let ask = |operator: &str| ask(&format!(r#"{{"{operator}":{{"{key}":{}}}}}"#, serde_json::to_string(&values).unwrap()));
            prop_assert_ne!(ask("StringEquals"), ask("StringNotEquals"));
            prop_assert_ne!(ask("ForAnyValue:StringEquals"), ask("ForAllValues:StringNotEquals"));
        }
    }
}
