//! The keys: read from the definition of the options of `landfall serve`.

use clap::{Arg, ArgAction, Args as _, Command};
use std::cell::LazyCell;

/// What a key's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `true` or `false`.
    Switch,
    /// Several texts.
    List,
    /// One text or number.
    Text,
}

/// One option of the server.
#[derive(Debug, Clone)]
pub(super) struct Key {
    /// As in the file, e.g. `data-dir`; the flag is this after two dashes.
    pub(super) name: String,
    /// The environment variable, e.g. `LANDFALL_DATA_DIR`.
    pub(super) variable: String,
    pub(super) kind: Kind,
    /// As one would write it, e.g. `DIR`.
    pub(super) placeholder: String,
    /// None where the option is off, or nothing, unless given.
    pub(super) default: Option<String>,
    /// The values that are possible, where they are few.
    pub(super) choices: Vec<String>,
    pub(super) help: String,
    /// The group that it is shown in.
    pub(super) heading: String,
    /// clap's own description.
    pub(super) arg: Arg,
}

/// The heading of options that have none.
const GENERAL: &str = "General";

/// All keys, in the order of their definition.
pub(super) fn all() -> Vec<Key> {
    let command = crate::serve::Options::augment_args(Command::new("serve"));
    command.get_arguments().filter_map(key).collect()
}

/// The environment variable of a key.
pub(super) fn variable(name: &str) -> String {
    format!("LANDFALL_{}", name.to_ascii_uppercase().replace('-', "_"))
}

/// The key that was probably meant.
pub(super) fn nearest(name: &str) -> Option<String> {
    let names = LazyCell::new(|| all().into_iter().map(|key| key.name).collect::<Vec<_>>());
    let known = name.to_ascii_lowercase().replace('_', "-");
    let scored = names.iter().map(|name| (strsim::jaro_winkler(&known, name), name));
    let (score, best) = scored.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (score > 0.75).then(|| best.clone())
}

fn key(arg: &Arg) -> Option<Key> {
    let name = arg.get_long()?.to_owned();
    let kind = match arg.get_action() {
        ArgAction::SetTrue => Kind::Switch,
        ArgAction::Append => Kind::List,
        _ => Kind::Text,
    };
    let default = arg.get_default_values().first().map(|value| value.to_string_lossy().into_owned());
    let placeholder = arg.get_value_names().and_then(<[_]>::first).map_or_else(String::new, ToString::to_string);
    let choices = arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    Some(Key {
        variable: variable(&name),
        name,
        kind,
        placeholder,
        default: default.filter(|_| kind != Kind::Switch),
        choices: if kind == Kind::Switch { Vec::new() } else { choices },
        help: arg.get_help().map(ToString::to_string).unwrap_or_default(),
        heading: arg.get_help_heading().unwrap_or(GENERAL).to_owned(),
        arg: arg.clone(),
    })
}

impl Key {
    /// Whether the option takes these values; else a sentence without the key's name.
    pub(super) fn check(&self, values: &[String]) -> Result<(), String> {
        for value in values {
            self.check_one(value)?;
        }
        Ok(())
    }

    fn check_one(&self, value: &str) -> Result<(), String> {
        let command = Command::new("check").no_binary_name(true).arg(layered(self.arg.clone()));
        let Err(error) = command.try_get_matches_from([format!("--{}={value}", self.name)]) else { return Ok(()) };
        if self.kind == Kind::Switch {
            return Err("must be true or false".to_owned());
        }
        if !self.choices.is_empty() {
            return Err(format!("must be one of {}", self.choices.join(", ")));
        }
        let reason = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        Err(reason.lines().next().unwrap_or_default().to_owned())
    }
}

/// A switch that can also be turned off, so that a flag goes before a file that turns it on.
pub(super) fn layered(arg: Arg) -> Arg {
    if !matches!(arg.get_action(), ArgAction::SetTrue) {
        return arg;
    }
    arg.action(ArgAction::Set)
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("true")
        .default_value("false")
        .hide_default_value(true)
        .hide_possible_values(true)
        .value_name("true|false")
        .value_parser(clap::builder::BoolishValueParser::new())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn named(name: &str) -> Key {
        all().into_iter().find(|key| key.name == name).unwrap()
    }

    #[test]
    fn every_option_is_a_key_with_a_meaning_and_a_variable_of_its_own() {
        let command = crate::serve::Options::augment_args(Command::new("serve"));
        let keys = all();
        assert_eq!(keys.len(), command.get_arguments().count(), "an option of `serve` has no long flag");
        let mut variables: Vec<_> = keys.iter().map(|key| key.variable.clone()).collect();
        variables.sort();
        variables.dedup();
        assert_eq!(variables.len(), keys.len());
        for key in keys {
            assert!(key.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{}", key.name);
            assert!(!key.help.is_empty(), "{} has no help", key.name);
            assert_ne!(key.heading, GENERAL, "{}: give it a help_heading", key.name);
            assert_eq!(key.arg.get_env(), None, "{}: its variable is {} already", key.name, key.variable);
        }
    }

    #[test]
    fn the_kind_of_a_key_is_that_of_its_option() {
        for (name, kind, default, variable) in [
            ("data-dir", Kind::Text, Some("landfall-data"), "LANDFALL_DATA_DIR"),
            ("public-url", Kind::Text, None, "LANDFALL_PUBLIC_URL"),
            ("image-map", Kind::List, None, "LANDFALL_IMAGE_MAP"),
            ("trust-host-image", Kind::Switch, None, "LANDFALL_TRUST_HOST_IMAGE"),
        ] {
            let key = named(name);
            assert_eq!((key.kind, key.default.as_deref(), key.variable.as_str()), (kind, default, variable));
        }
    }

    #[test]
    fn a_value_is_checked_as_the_flags_is() {
        for (name, value, error) in [
            ("account", "123456789012", None),
            ("account", "12", Some("must be twelve digits")),
            ("auth", "open", None),
            ("auth", "opne", Some("must be one of enforce, open")),
            ("listen", "here", Some("must be an address and a port")),
            ("trust-host-image", "true", None),
            ("trust-host-image", "perhaps", Some("must be true or false")),
            ("image-map", "host", Some("GLOB=REF")),
        ] {
            let checked = named(name).check(&[value.to_owned()]);
            match error {
                None => assert_eq!(checked, Ok(()), "{name} = {value}"),
                Some(part) => assert!(checked.as_ref().is_err_and(|error| error.contains(part)), "{name}: {checked:?}"),
            }
        }
    }

    #[test]
    fn the_nearest_name_is_offered_where_there_is_one() {
        for (typed, meant) in [
            ("data_dir", Some("data-dir")),
            ("datadir", Some("data-dir")),
            ("Listen", Some("listen")),
            ("public-ulr", Some("public-url")),
            ("zzz", None),
        ] {
            assert_eq!(nearest(typed).as_deref(), meant, "{typed}");
        }
    }
}
