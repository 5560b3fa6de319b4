//! Parts of replies.

use serde_json::Value;

/// Takes a part out of a reply, named by a JSON pointer such as `/builds/0`; null where there is none. (An index in
/// brackets would panic where a reply is not as it should be.)
pub(crate) fn part(reply: &mut Value, pointer: &str) -> Value {
    reply.pointer_mut(pointer).map(Value::take).unwrap_or_default()
}

/// The text of the first element `name` of a reply's XML.
pub(crate) fn element<'x>(xml: &'x str, name: &str) -> Option<&'x str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_is_not_there_is_null() {
        let mut reply = serde_json::json!({"builds": [{"id": 1}], "none": []});
        assert_eq!(part(&mut reply, "/builds/0/id"), 1);
        for pointer in ["/none/0", "/builds/7", "/absent/0", "/builds/0/id/x"] {
            assert_eq!(part(&mut reply, pointer), Value::Null);
        }
    }

    #[test]
    fn elements_are_found_by_name() {
        assert_eq!(element("<a><b>x</b></a>", "b"), Some("x"));
        assert_eq!(element("<a><b>x</a>", "b"), None);
    }
}
