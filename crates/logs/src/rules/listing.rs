//! Which groups `ListLogGroups` and `DescribeLogGroups` give.
//!
//! Source: ListLogGroups, Amazon CloudWatch Logs API Reference.

use crate::model::{Group, ResourceTags};
use aws::logs::{TagFilter, log_group_class};

/// What a group must be like.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// Parts of the name, one of which must be in it; at its beginning where they begin with `^`. Empty: any name.
    pub(crate) names: Vec<String>,
    pub(crate) class: Option<String>,
    /// All of these.
    pub(crate) tags: Vec<TagFilter>,
}

impl Wanted {
    /// The names of a pattern like `^/aws/codebuild|discovery`.
    pub(crate) fn named(pattern: &str) -> Vec<String> {
        pattern.split('|').filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    /// Whether a group is wanted.
    pub(crate) fn holds(&self, group: &Group) -> bool {
        let named = |part: &String| match part.strip_prefix('^') {
            Some(prefix) => group.name.starts_with(prefix),
            None => group.name.contains(part.as_str()),
        };
        (self.names.is_empty() || self.names.iter().any(named))
            && self.class.as_deref().is_none_or(|class| of_class(class, &group.class))
            && self.tags.iter().all(|filter| tagged(filter, &group.tags))
    }
}

/// The two cheap classes are asked for together.
fn of_class(wanted: &str, class: &str) -> bool {
    let cheap = [log_group_class::INFREQUENT_ACCESS, log_group_class::ESSENTIALS];
    wanted == class || (cheap.contains(&wanted) && cheap.contains(&class))
}

/// A value may begin with `!` (not this one) and have `*` at either end.
fn tagged(filter: &TagFilter, tags: &ResourceTags) -> bool {
    let Some(value) = tags.get(filter.key.as_deref().unwrap_or_default()) else { return false };
    let values = filter.values.as_deref().unwrap_or_default();
    let fits = |wanted: &String| match wanted.strip_prefix('!') {
        Some(unwanted) => !like(unwanted, value),
        None => like(wanted, value),
    };
    values.is_empty() || values.iter().any(fits)
}

fn like(pattern: &str, value: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(_), Some(_)) => value.contains(pattern.trim_matches('*')),
        (Some(end), None) => value.ends_with(end),
        (None, Some(begin)) => value.starts_with(begin),
        (None, None) => value == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::Timestamp;

    fn group(name: &str, class: &str, tags: &[(&str, &str)]) -> Group {
        Group {
            name: name.into(),
            id: "g".into(),
            created: Timestamp::default(),
            class: class.into(),
            tags: tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            retention_days: None,
            protected: false,
        }
    }

    #[test]
    fn names_are_parts_or_beginnings() {
        for (pattern, name, wanted) in [
            ("", "anything", true),
            ("build", "/aws/codebuild/x", true),
            ("^build", "/aws/codebuild/x", false),
            ("^/aws", "/aws/codebuild/x", true),
            ("^/none|code", "/aws/codebuild/x", true),
            ("Build", "/aws/codebuild/x", false),
        ] {
            let wants = Wanted { names: Wanted::named(pattern), ..Wanted::default() };
            assert_eq!(wants.holds(&group(name, "STANDARD", &[])), wanted, "{pattern}");
        }
    }

    #[test]
    fn classes() {
        for (asked, class, wanted) in [
            (None, "STANDARD", true),
            (Some("STANDARD"), "STANDARD", true),
            (Some("STANDARD"), "DELIVERY", false),
            (Some("ESSENTIALS"), "INFREQUENT_ACCESS", true),
            (Some("INFREQUENT_ACCESS"), "STANDARD", false),
        ] {
            let wants = Wanted { class: asked.map(str::to_owned), ..Wanted::default() };
            assert_eq!(wants.holds(&group("g", class, &[])), wanted, "{asked:?} {class}");
        }
    }

    #[test]
    fn tags_with_values() {
        for (key, values, wanted) in [
            ("env", &[][..], true),
            ("team", &[], false),
            ("env", &["prod"], false),
            ("env", &["prod", "test-eu"], true),
            ("env", &["test*"], true),
            ("env", &["*-eu"], true),
            ("env", &["*st-*"], true),
            ("env", &["!prod"], true),
            ("env", &["!test*"], false),
        ] {
            let values = values.iter().map(|value| (*value).to_owned()).collect();
            let filter = TagFilter { key: Some(key.into()), values: Some(values) };
            let wants = Wanted { tags: vec![filter.clone()], ..Wanted::default() };
            assert_eq!(wants.holds(&group("g", "STANDARD", &[("env", "test-eu")])), wanted, "{filter:?}");
        }
    }
}
