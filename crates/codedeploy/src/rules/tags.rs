//! Which instances a deployment group's tags choose.
//!
//! Source: CodeDeploy user guide, "Tagging instances for deployment groups": filters of one list
//! are alternatives; the lists of a tag set must each choose the instance.

use std::collections::BTreeMap;

/// Most lists in a tag set (CodeDeploy quotas).
pub const MAX_GROUPS: usize = 3;
/// Most filters in one list (CodeDeploy quotas).
pub const MAX_FILTERS: usize = 10;
/// Most tags on one on-premises instance (CodeDeploy quotas).
pub const MAX_TAGS: usize = 10;
/// Longest tag key, in characters.
pub const MAX_KEY: usize = 128;
/// Longest tag value, in characters.
pub const MAX_VALUE: usize = 256;

/// One filter of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// Any instance with this key.
    Key(String),
    /// Any instance with this value under some key.
    Value(String),
    /// Instances with exactly this tag.
    Tag(String, String),
}

/// Why a filter cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// The type asks for a part that is not given.
    #[error("a tag filter of type {0} needs {1}")]
    Incomplete(&'static str, &'static str),
    /// Neither key nor value.
    #[error("a tag filter needs a Key, a Value or both")]
    Empty,
    /// A type outside the enumeration.
    #[error("'{0}' is not a tag filter type: use KEY_ONLY, VALUE_ONLY or KEY_AND_VALUE")]
    UnknownType(String),
    /// A key or value over its length.
    #[error("a tag's key has at most {MAX_KEY} characters and its value at most {MAX_VALUE}")]
    TooLong,
    /// A list or set over its quota.
    #[error("{0}")]
    TooMany(String),
}

impl Filter {
    /// Reads one filter in the API's form. Without a type, what is given decides.
    pub fn parse(kind: Option<&str>, key: Option<&str>, value: Option<&str>) -> Result<Self, FilterError> {
        let key = key.filter(|key| !key.is_empty());
        let longer = |text: Option<&str>, most| text.is_some_and(|text| text.chars().count() > most);
        if longer(key, MAX_KEY) || longer(value, MAX_VALUE) {
            return Err(FilterError::TooLong);
        }
        match (kind, key, value) {
            (Some("KEY_ONLY"), Some(key), _) | (None, Some(key), None) => Ok(Self::Key(key.to_owned())),
            (Some("VALUE_ONLY"), _, Some(value)) | (None, None, Some(value)) => Ok(Self::Value(value.to_owned())),
            (Some("KEY_AND_VALUE") | None, Some(key), Some(value)) => Ok(Self::Tag(key.to_owned(), value.to_owned())),
            (Some("KEY_ONLY"), None, _) => Err(FilterError::Incomplete("KEY_ONLY", "a Key")),
            (Some("VALUE_ONLY"), _, None) => Err(FilterError::Incomplete("VALUE_ONLY", "a Value")),
            (Some("KEY_AND_VALUE"), _, _) => Err(FilterError::Incomplete("KEY_AND_VALUE", "a Key and a Value")),
            (Some(other), _, _) => Err(FilterError::UnknownType(other.to_owned())),
            (None, None, None) => Err(FilterError::Empty),
        }
    }

    /// Whether an instance with these tags is chosen.
    pub fn matches(&self, tags: &BTreeMap<String, String>) -> bool {
        match self {
            Self::Key(key) => tags.contains_key(key),
            Self::Value(value) => tags.values().any(|it| it == value),
            Self::Tag(key, value) => tags.get(key) == Some(value),
        }
    }
}

/// A group's choice: one inner list means alternatives, several must all choose the instance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection(Vec<Vec<Filter>>);

impl Selection {
    /// A selection from lists of filters; empty lists choose nothing and are left out.
    pub fn new(lists: Vec<Vec<Filter>>) -> Result<Self, FilterError> {
        let lists: Vec<Vec<Filter>> = lists.into_iter().filter(|list| !list.is_empty()).collect();
        if lists.len() > MAX_GROUPS {
            return Err(FilterError::TooMany(format!(
                "a tag set has at most {MAX_GROUPS} tag groups, not {}",
                lists.len()
            )));
        }
        if let Some(long) = lists.iter().find(|list| list.len() > MAX_FILTERS) {
            return Err(FilterError::TooMany(format!(
                "a tag group has at most {MAX_FILTERS} tags, not {}",
                long.len()
            )));
        }
        Ok(Self(lists))
    }

    /// The filters that every chosen instance matches at least one of: where a search begins.
    pub fn first(&self) -> &[Filter] {
        self.0.first().map_or(&[], Vec::as_slice)
    }

    /// Whether an instance with these tags is chosen. An empty selection chooses none.
    pub fn matches(&self, tags: &BTreeMap<String, String>) -> bool {
        !self.0.is_empty() && self.0.iter().all(|list| list.iter().any(|filter| filter.matches(tags)))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn tag(key: &str, value: &str) -> Filter {
        Filter::Tag(key.to_owned(), value.to_owned())
    }

    #[test]
    fn a_filter_is_read_by_its_type_or_by_what_is_given() {
        let key = Ok(Filter::Key("Env".to_owned()));
        let value = Ok(Filter::Value("prod".to_owned()));
        let both = Ok(tag("Env", "prod"));
        for (kind, k, v, expected) in [
            (Some("KEY_ONLY"), Some("Env"), None, key.clone()),
            (Some("KEY_ONLY"), Some("Env"), Some("ignored"), key.clone()),
            (Some("VALUE_ONLY"), None, Some("prod"), value.clone()),
            (Some("KEY_AND_VALUE"), Some("Env"), Some("prod"), both.clone()),
            (None, Some("Env"), Some("prod"), both),
            (None, Some("Env"), None, key),
            (None, None, Some("prod"), value),
            (Some("KEY_ONLY"), Some(""), None, Err(FilterError::Incomplete("KEY_ONLY", "a Key"))),
            (
                Some("KEY_AND_VALUE"),
                Some("Env"),
                None,
                Err(FilterError::Incomplete("KEY_AND_VALUE", "a Key and a Value")),
            ),
            (Some("KEY"), Some("Env"), None, Err(FilterError::UnknownType("KEY".to_owned()))),
            (None, None, None, Err(FilterError::Empty)),
            (None, Some(&"k".repeat(MAX_KEY + 1)), None, Err(FilterError::TooLong)),
            (None, None, Some(&"v".repeat(MAX_VALUE + 1)), Err(FilterError::TooLong)),
        ] {
            assert_eq!(Filter::parse(kind, k, v), expected, "{kind:?} {k:?} {v:?}");
        }
    }

    #[test]
    fn filters_of_a_list_are_alternatives_and_lists_must_all_match() {
        let either = Selection::new(vec![vec![tag("Env", "prod"), tag("Env", "test")]]).unwrap();
        let both = Selection::new(vec![vec![tag("Env", "prod")], vec![Filter::Key("Web".to_owned())]]).unwrap();
        for (instance, in_either, in_both) in [
            (tags(&[("Env", "prod")]), true, false),
            (tags(&[("Env", "test"), ("Web", "")]), true, false),
            (tags(&[("Env", "prod"), ("Web", "1")]), true, true),
            (tags(&[("Web", "prod")]), false, false),
            (tags(&[]), false, false),
        ] {
            assert_eq!(either.matches(&instance), in_either, "{instance:?}");
            assert_eq!(both.matches(&instance), in_both, "{instance:?}");
        }
    }

    #[test]
    fn an_empty_selection_chooses_nobody() {
        assert!(!Selection::new(vec![vec![]]).unwrap().matches(&tags(&[("Env", "prod")])));
    }

    #[test]
    fn the_quotas_hold() {
        assert!(Selection::new(vec![vec![tag("a", "b")]; MAX_GROUPS]).is_ok());
        assert!(Selection::new(vec![vec![tag("a", "b")]; MAX_GROUPS + 1]).is_err());
        assert!(Selection::new(vec![vec![tag("a", "b"); MAX_FILTERS + 1]]).is_err());
    }
}
