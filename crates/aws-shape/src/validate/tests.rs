#![expect(unreachable_pub, reason = "the macro makes public items")]

use super::*;
use crate::{Field as _, structure};
use serde_json::json;

static NAME: Shape = Shape::new("Name", Kind::String).bounds(Some(1.0), Some(5.0)).pattern("[a-z]+");
static COLOUR: Shape = Shape::new("Colour", Kind::String).values(&["red", "blue"]);
static SECRET: Shape = Shape::new("Secret", Kind::String).bounds(None, Some(3.0)).sensitive();
static COUNT: Shape = Shape::new("Count", Kind::Integer).bounds(Some(1.0), Some(9.0));
static NAMES: Shape =
    Shape::new("Names", Kind::List { item: &NAME, wire: "member", flattened: false }).bounds(None, Some(2.0));
static LEAVES: Shape = Shape::new("Leaves", Kind::List { item: &LEAF, wire: "member", flattened: false });
static LABELS: Shape = Shape::new(
    "Labels",
    Kind::Map { key: &NAME, value: &COLOUR, key_wire: "key", value_wire: "value", flattened: false },
);

structure!(Leaf = LEAF "Leaf" {
    name: String, "name", NAME, required;
    colour: String, "colour", COLOUR;
});

structure!(Tree = TREE "Tree" {
    count: i32, "count", COUNT;
    names: Vec<String>, "names", NAMES;
    leaves: Vec<Leaf>, "leaves", LEAVES;
    labels: std::collections::BTreeMap<String, String>, "labels", LABELS;
    secret: String, "secret", SECRET;
});

#[test]
fn constraints_read_as_aws_writes_them() {
    for (input, expected) in [
        (json!({}), ""),
        (
            json!({"count": 0}),
            "1 validation error detected: Value '0' at 'count' failed to satisfy constraint: Member must have value greater than or equal to 1",
        ),
        (
            json!({"leaves": [{"colour": "red"}]}),
            "1 validation error detected: Value null at 'leaves.1.member.name' failed to satisfy constraint: Member must not be null",
        ),
        (
            json!({"leaves": [{"name": "a"}, {"name": "B"}]}),
            "1 validation error detected: Value 'B' at 'leaves.2.member.name' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-z]+",
        ),
        (
            json!({"leaves": [{"name": "a", "colour": "green"}]}),
            "1 validation error detected: Value 'green' at 'leaves.1.member.colour' failed to satisfy constraint: Member must satisfy enum value set: [red, blue]",
        ),
        (
            json!({"names": ["a", "abcdef"]}),
            "1 validation error detected: Value '[a, abcdef]' at 'names' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 5]",
        ),
        (
            json!({"names": ["a", "b", "c"], "count": 10}),
            "2 validation errors detected: Value '10' at 'count' failed to satisfy constraint: Member must have value less than or equal to 9; Value '[a, b, c]' at 'names' failed to satisfy constraint: Member must have length less than or equal to 2",
        ),
        (
            json!({"labels": {"a": "green"}}),
            "1 validation error detected: Value '{\"a\":\"green\"}' at 'labels' failed to satisfy constraint: Map value must satisfy constraint: [Member must satisfy enum value set: [red, blue]]",
        ),
        (
            json!({"secret": "long"}),
            "1 validation error detected: Value at 'secret' failed to satisfy constraint: Member must have length less than or equal to 3",
        ),
    ] {
        let violations = validate(&TREE, &input);
        let text = if violations.is_empty() { String::new() } else { validation_message(&violations) };
        assert_eq!(text, expected);
    }
}

#[test]
fn wrong_types_are_found_with_their_path() {
    for (input, expected) in [
        (json!({"count": "1"}), "the value at 'count' must be an integer of 32 bits"),
        (json!({"count": 3_000_000_000_i64}), "the value at 'count' must be an integer of 32 bits"),
        (json!({"leaves": [{"name": 1}]}), "the value at 'leaves.1.member.name' must be a string"),
        (json!({"leaves": {}}), "the value at 'leaves' must be a list"),
        (json!([]), "the value must be an object"),
    ] {
        assert_eq!(mismatches(&TREE, &input).map(|mismatch| mismatch.to_string()), Some(expected.to_owned()));
        assert_eq!(Tree::read(input).map_err(|mismatch| mismatch.to_string()), Err(expected.to_owned()));
    }
}

#[test]
fn structures_come_back_as_they_were() {
    let input = json!({"count": 3, "leaves": [{"name": "a"}], "labels": {"a": "red"}, "unknown": 1, "names": null});
    let tree = Tree::read(input).expect("well typed");
    assert_eq!(tree.write(), json!({"count": 3, "leaves": [{"name": "a"}], "labels": {"a": "red"}}));
    assert_eq!(serde_json::from_value::<Tree>(serde_json::to_value(&tree).expect("json")).expect("tree"), tree);
}

#[test]
fn debug_output_hides_what_is_sensitive() {
    let tree = Tree { secret: Some("abc".to_owned()), count: Some(1), ..Tree::default() };
    assert_eq!(format!("{tree:?}"), r#"Tree {"count":1,"secret":"***"}"#);
}

#[test]
fn text_that_is_no_base64_has_no_length() {
    static KEY: Shape = Shape::new("Key", Kind::Blob).bounds(Some(1.0), Some(3.0));
    for (text, fits) in
        [("YWJj", true), ("YWI=", true), ("YWJjZA==", false), ("YWJjZGU=", false), ("=", false), ("====", false)]
    {
        assert_eq!(validate(&KEY, &json!(text)).is_empty(), fits, "{text}");
    }
}
