//! What there is to configure, as a file to begin with and as the table of docs/CONFIGURATION.md.

use super::keys::{self, Key, Kind};
use std::fmt::Write as _;

/// A configuration file in which every key stands with its meaning and, behind a `#`, its default.
pub(super) fn example() -> String {
    let mut text =
        "# How `landfall serve` runs. Every key is here with its default; what stands behind a # without a\n\
                    # space is taken when the # is removed. A flag (--data-dir) or an environment variable\n\
                    # (LANDFALL_DATA_DIR) goes before what is said here. `landfall config` shows what holds.\n"
            .to_owned();
    for (heading, keys) in grouped() {
        let _ = write!(text, "\n## {heading}\n");
        for key in keys {
            let _ = write!(text, "\n# {}\n#{} = {}\n", meaning(&key), key.name, value(&key));
        }
    }
    text
}

/// The keys as Markdown tables, one for each heading.
pub(super) fn markdown() -> String {
    let mut text = String::new();
    for (place, (heading, keys)) in grouped().into_iter().enumerate() {
        let _ = write!(
            text,
            "{}### {heading}\n\n| key | default | meaning |\n|---|---|---|\n",
            if place == 0 { "" } else { "\n" }
        );
        for key in keys {
            let default = key.default.as_ref().map_or_else(|| none(&key).to_owned(), |default| format!("`{default}`"));
            let _ = writeln!(text, "| `{}` | {default} | {} |", key.name, meaning(&key).replace('|', "\\|"));
        }
    }
    text
}

fn grouped() -> Vec<(String, Vec<Key>)> {
    let mut groups: Vec<(String, Vec<Key>)> = Vec::new();
    for key in keys::all() {
        match groups.iter_mut().find(|(heading, _)| *heading == key.heading) {
            Some((_, keys)) => keys.push(key),
            None => groups.push((key.heading.clone(), vec![key])),
        }
    }
    groups
}

fn meaning(key: &Key) -> String {
    let choices = if key.choices.is_empty() { String::new() } else { format!(" (one of {})", key.choices.join(", ")) };
    format!("{}{choices}", key.help)
}

fn value(key: &Key) -> String {
    match (key.kind, &key.default) {
        (Kind::Switch, _) => "false".to_owned(),
        (Kind::List, _) => format!("[] # [\"{}\", …]", key.placeholder),
        (Kind::Text, Some(default)) => format!("{default:?}"),
        (Kind::Text, None) => format!("\"{}\" # nothing", key.placeholder),
    }
}

fn none(key: &Key) -> &'static str {
    match key.kind {
        Kind::Switch => "`false`",
        Kind::List => "`[]`",
        Kind::Text => "",
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::file::File;
    use super::*;
    use std::path::Path;

    #[test]
    fn the_example_changes_nothing_and_with_its_keys_taken_says_the_defaults() {
        let text = example();
        assert_eq!(File::parse(Path::new("example"), &text).unwrap().entries, []);
        let taken: Vec<_> = text
            .lines()
            .filter_map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with([' ', '#'])))
            .filter(|line| !line.ends_with("# nothing"))
            .collect();
        let file = File::parse(Path::new("example"), &taken.join("\n")).unwrap();
        for key in keys::all() {
            let entry = file.entries.iter().find(|entry| entry.key == key.name);
            match key.kind {
                Kind::Switch => assert_eq!(entry.unwrap().values, ["false"]),
                Kind::List => assert!(entry.unwrap().values.is_empty()),
                Kind::Text => assert_eq!(entry.and_then(|entry| entry.values.first()), key.default.as_ref()),
            }
        }
    }

    #[test]
    fn the_documentation_has_every_key_as_it_is() {
        let page = include_str!("../../../../docs/CONFIGURATION.md");
        let table = markdown();
        assert!(
            page.contains(&table),
            "docs/CONFIGURATION.md is not current; `landfall config --markdown` prints:\n{table}"
        );
    }
}
