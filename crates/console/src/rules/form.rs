//! Fields of forms and queries.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

/// The largest form, in bytes: the longest comment of all, and room.
pub(crate) const LARGEST: usize = 16 * 1024;
/// The most fields.
const MOST_FIELDS: usize = 64;

/// What a form or query says; of fields with one name the first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fields(BTreeMap<String, String>);

impl Fields {
    /// Reads `application/x-www-form-urlencoded`.
    pub(crate) fn parse(text: &str) -> Self {
        let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        let mut fields = BTreeMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()).take(MOST_FIELDS) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            fields.entry(decode(name)).or_insert_with(|| decode(value));
        }
        Self(fields)
    }

    /// The field's text, if it is not empty.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).filter(|value| !value.is_empty()).cloned()
    }

    /// The field's text, or none.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_decoded_and_bounded() {
        let fields = Fields::parse("a=1&b=two+words%21&c&a=2&&d=%ff&e==");
        for (name, value) in [("a", "1"), ("b", "two words!"), ("c", ""), ("d", "\u{fffd}"), ("e", "="), ("f", "")] {
            assert_eq!(fields.text(name), value, "{name}");
        }
        assert_eq!((fields.get("c"), fields.get("a").as_deref()), (None, Some("1")));
        let many: String = (0..1_000).map(|number| format!("n{number}=1&")).collect();
        assert_eq!(Fields::parse(&many).0.len(), MOST_FIELDS);
    }
}
