//! The configuration file: TOML, one key per option. Unknown keys and values that the option does not take are
//! refused with the line that they are on.

use super::keys::{self, Key, Kind};
use crate::exit::user_error;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// Where the file is if none is named.
const USUAL: &str = "/etc/landfall/landfall.toml";
/// No configuration is longer.
const LARGEST: u64 = 1 << 20;

/// A read file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) entries: Vec<Entry>,
}

/// One key of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) values: Vec<String>,
    /// From 1.
    pub(super) line: usize,
}

impl File {
    /// The file that `--config` or `LANDFALL_CONFIG` names, or the usual one if it is there.
    ///
    /// # Errors
    /// It cannot be read, is no TOML, or has what no option takes.
    pub(super) fn find(
        named: Option<&Path>,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> anyhow::Result<Option<Self>> {
        let named = named.map(Path::to_owned).or_else(|| variable("LANDFALL_CONFIG").map(PathBuf::from));
        let path = named.clone().unwrap_or_else(|| USUAL.into());
        match read(&path) {
            Ok(text) => Self::parse(&path, &text).map(Some),
            Err(error) if named.is_none() && error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(user_error(format!("the configuration file {}: {error}", path.display()))),
        }
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// As [`File::find`].
    pub(super) fn parse(path: &Path, text: &str) -> anyhow::Result<Self> {
        let at = |offset: usize, sentence: &str| {
            user_error(format!("{}:{}: {sentence}", path.display(), line_of(text, offset)))
        };
        let table =
            DeTable::parse(text).map_err(|error| at(error.span().map_or(0, |span| span.start), error.message()))?;
        let known = keys::all();
        let mut entries = Vec::new();
        for (name, value) in table.get_ref() {
            let offset = name.span().start;
            let name: &str = name.get_ref();
            let key = known.iter().find(|key| key.name == name).ok_or_else(|| at(offset, &unknown(name)))?;
            let values = values(key, value.get_ref())
                .and_then(|values| key.check(&values).map(|()| values))
                .map_err(|reason| at(offset, &format!("{name}: {reason}")))?;
            entries.push(Entry { key: key.name.clone(), values, line: line_of(text, offset) });
        }
        Ok(Self { path: path.to_owned(), entries })
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    std::io::Read::read_to_string(&mut std::io::Read::take(std::fs::File::open(path)?, LARGEST), &mut text)?;
    Ok(text)
}

fn unknown(name: &str) -> String {
    match keys::nearest(name) {
        Some(meant) => format!("there is no key '{name}'; did you mean '{meant}'?"),
        None => format!("there is no key '{name}'; `landfall config --example` shows all"),
    }
}

fn values(key: &Key, value: &DeValue<'_>) -> Result<Vec<String>, String> {
    match (key.kind, value) {
        (Kind::List, DeValue::Array(items)) => items.iter().map(|item| scalar(item.get_ref())).collect(),
        (Kind::List, _) => Err(format!("must be a list, like [\"{}\"]", key.placeholder)),
        (Kind::Switch, DeValue::Boolean(on)) => Ok(vec![on.to_string()]),
        (Kind::Switch, _) => Err("must be true or false, without quotes".to_owned()),
        (Kind::Text, value) => scalar(value).map(|value| vec![value]),
    }
}

fn scalar(value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.clone().into_owned()),
        DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().to_owned()),
        DeValue::Float(number) => Ok(number.as_str().to_owned()),
        other => Err(format!("must be a text in quotes or a number, not {}", other.type_str())),
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<(String, Vec<String>, usize)>, String> {
        let file = File::parse(Path::new("landfall.toml"), text).map_err(|error| error.to_string())?;
        Ok(file.entries.into_iter().map(|entry| (entry.key, entry.values, entry.line)).collect())
    }

    #[test]
    fn keys_have_their_values_and_lines() {
        let text = "# a comment\nlisten = '127.0.0.1:1'\n\nimage-map = [\n 'a=b',\n 'c=d']\ntrust-host-image = true\n";
        let mut entries = parse(text).unwrap();
        entries.sort_by_key(|(_, _, line)| *line);
        let expected: [(&str, &[&str], usize); 3] =
            [("listen", &["127.0.0.1:1"], 2), ("image-map", &["a=b", "c=d"], 4), ("trust-host-image", &["true"], 7)];
        for ((key, values, line), (name, texts, at)) in entries.iter().zip(expected) {
            assert_eq!(
                (key.as_str(), values.iter().map(String::as_str).collect::<Vec<_>>(), *line),
                (name, texts.to_vec(), at)
            );
        }
        assert_eq!(parse("").unwrap(), []);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, sentence) in [
            ("\ndata_dir = 'x'", "landfall.toml:2: there is no key 'data_dir'; did you mean 'data-dir'?"),
            ("[server]\nlisten = 'x'", "landfall.toml:1: there is no key 'server'"),
            ("account = '12'", "landfall.toml:1: account: must be twelve digits"),
            ("auth = 'opne'", "landfall.toml:1: auth: must be one of enforce, open"),
            ("trust-host-image = 'true'", "landfall.toml:1: trust-host-image: must be true or false, without quotes"),
            ("image-map = 'a=b'", "landfall.toml:1: image-map: must be a list, like [\"GLOB=REF\"]"),
            ("listen = ['x']", "landfall.toml:1: listen: must be a text in quotes or a number, not array"),
            ("listen =", "landfall.toml:1: "),
            ("listen = 'a:1'\nlisten = 'b:1'", "landfall.toml:2: duplicate key"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(sentence), "{error}\nshould begin with {sentence}");
        }
    }

    #[test]
    fn a_file_that_is_named_must_be_there() {
        let none = |_: &str| None;
        let error = File::find(Some(Path::new("/nowhere/landfall.toml")), &none).unwrap_err().to_string();
        assert!(error.contains("/nowhere/landfall.toml"), "{error}");
        let named = |name: &str| (name == "LANDFALL_CONFIG").then(|| "/nowhere/other.toml".to_owned());
        assert!(File::find(None, &named).unwrap_err().to_string().contains("/nowhere/other.toml"));
    }
}
