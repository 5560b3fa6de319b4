//! `#{namespace.key}` references in action settings (user guide, "Working with variables").

/// A reference found in a text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The part before the first dot.
    pub namespace: String,
    /// The part after it.
    pub key: String,
}

impl std::fmt::Display for Reference {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "#{{{}.{}}}", self.namespace, self.key)
    }
}

/// Namespaces that no action may take.
pub const RESERVED_NAMESPACES: [&str; 2] = ["codepipeline", "variables"];

/// Settings whose value is JSON: what is put into them is escaped to stay inside its string, so that a commit
/// message with a quote cannot break or extend the document. (AWS does not say what it does here.)
const JSON_SETTINGS: [&str; 4] = ["EnvironmentVariables", "ParameterOverrides", "SourceRevisions", "Variables"];

/// How values are put into a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escaping {
    /// As they are.
    None,
    /// As the inside of a JSON string.
    Json,
}

impl Escaping {
    /// The escaping of a setting.
    #[must_use]
    pub fn of_setting(key: &str) -> Self {
        if JSON_SETTINGS.contains(&key) { Self::Json } else { Self::None }
    }

    fn apply(self, value: &str) -> String {
        match self {
            Self::None => value.to_owned(),
            Self::Json => {
                let quoted = serde_json::Value::from(value).to_string();
                quoted[1..quoted.len() - 1].to_owned()
            }
        }
    }
}

/// The references in a text, in their order. What merely looks like one (`#{`, no dot, a blank) is plain text.
#[must_use]
pub fn references(text: &str) -> Vec<Reference> {
    split(text).into_iter().filter_map(|part| part.err()).collect()
}

/// The text with each reference replaced by its value.
///
/// # Errors
/// The first reference that `value` does not know.
pub fn resolve(
    text: &str,
    escaping: Escaping,
    value: impl Fn(&Reference) -> Option<String>,
) -> Result<String, Reference> {
    split(text)
        .into_iter()
        .map(|part| match part {
            Ok(plain) => Ok(plain.to_owned()),
            Err(reference) => value(&reference).map(|value| escaping.apply(&value)).ok_or(reference),
        })
        .collect()
}

/// Cuts a text into plain parts (`Ok`) and references (`Err`).
fn split(text: &str) -> Vec<Result<&str, Reference>> {
    let mut parts = Vec::new();
    let mut plain = 0;
    let mut at = 0;
    while let Some(start) = text[at..].find("#{").map(|offset| at + offset) {
        at = start + 2;
        if let Some(length) = text[at..].find('}')
            && let Some(reference) = parse(&text[at..at + length])
        {
            parts.push(Ok(&text[plain..start]));
            parts.push(Err(reference));
            at += length + 1;
            plain = at;
        }
    }
    parts.push(Ok(&text[plain..]));
    parts
}

fn parse(inside: &str) -> Option<Reference> {
    let (namespace, key) = inside.split_once('.')?;
    let is_name =
        |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "@-_.".contains(c));
    (is_name(namespace) && is_name(key)).then(|| Reference { namespace: namespace.to_owned(), key: key.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(reference: &Reference) -> Option<String> {
        match reference.to_string().as_str() {
            "#{Source.CommitId}" => Some("abc".to_owned()),
            "#{Source.CommitMessage}" => Some("say \"hi\"\n#{Source.CommitId}".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn references_are_replaced_wherever_they_stand() {
        for (text, resolved) in [
            ("", ""),
            ("plain", "plain"),
            ("#{Source.CommitId}", "abc"),
            ("v-#{Source.CommitId}-#{Source.CommitId}!", "v-abc-abc!"),
            ("#{Source.CommitId", "#{Source.CommitId"),
            ("#{nodot} #{a b.c} #{}", "#{nodot} #{a b.c} #{}"),
            ("#{#{Source.CommitId}", "#{abc"),
            ("${Source.CommitId}", "${Source.CommitId}"),
            ("grün #{Source.CommitId}", "grün abc"),
        ] {
            assert_eq!(resolve(text, Escaping::None, value).as_deref(), Ok(resolved), "{text}");
        }
    }

    #[test]
    fn a_value_is_not_resolved_again() {
        let resolved = resolve("#{Source.CommitMessage}", Escaping::None, value).unwrap();
        assert_eq!(resolved, "say \"hi\"\n#{Source.CommitId}");
    }

    #[test]
    fn a_value_cannot_leave_its_json_string() {
        let text = r##"[{"name":"M","value":"#{Source.CommitMessage}"}]"##;
        let resolved = resolve(text, Escaping::of_setting("EnvironmentVariables"), value).unwrap();
        let parsed: serde_json::Value = serde_json::from_str(&resolved).unwrap();
        assert_eq!(parsed[0]["value"], "say \"hi\"\n#{Source.CommitId}");
    }

    #[test]
    fn an_unknown_reference_is_named() {
        let unknown = resolve("x #{Source.Nothing}", Escaping::None, value).unwrap_err();
        assert_eq!(unknown.to_string(), "#{Source.Nothing}");
    }

    #[test]
    fn references_are_listed_in_order() {
        let found: Vec<String> = references("#{a.b}#{c}#{d.e.f}").iter().map(ToString::to_string).collect();
        assert_eq!(found, ["#{a.b}", "#{d.e.f}"]);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_taken_apart_and_put_together_again(text in "([a-z.#{}]|#\\{[a-z]{1,3}\\.[a-z]{1,3}\\}|é){0,12}") {
            let same = resolve(&text, Escaping::None, |reference| Some(reference.to_string()));
            proptest::prop_assert_eq!(same, Ok(text));
        }

        #[test]
        fn any_value_stays_inside_its_json_string(value in ".{0,40}") {
            let resolved = resolve("[\"#{a.b}\"]", Escaping::Json, |_| Some(value.clone())).unwrap();
            let parsed: Vec<String> = serde_json::from_str(&resolved).unwrap();
            proptest::prop_assert_eq!(parsed, vec![value]);
        }
    }
}
