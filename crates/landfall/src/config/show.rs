//! The effective configuration as a table and as JSON.

use super::keys::Kind;
use super::layers::{Origin, Setting};
use comfy_table::{Table, presets};
use serde_json::{Map, Value, json};

impl std::fmt::Display for Origin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flag(name) | Self::Variable(name) => formatter.write_str(name),
            Self::File(path, line) => write!(formatter, "{}:{line}", path.display()),
            Self::Default => formatter.write_str("default"),
        }
    }
}

/// Key, value and origin, a line each.
pub(super) fn table(settings: &[Setting]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["key", "value", "from"]);
    for setting in settings {
        table.add_row([setting.key.clone(), shown(setting), setting.origin.to_string()]);
    }
    table.trim_fmt()
}

/// `{key: {"value": …, "from": …}}`.
pub(super) fn json(settings: &[Setting]) -> Value {
    let pair =
        |setting: &Setting| (setting.key.clone(), json!({"value": value(setting), "from": setting.origin.to_string()}));
    Value::Object(settings.iter().map(pair).collect::<Map<_, _>>())
}

fn value(setting: &Setting) -> Value {
    match setting.kind {
        Kind::Switch => Value::Bool(setting.values.first().is_some_and(|value| value == "true")),
        Kind::List => setting.values.clone().into(),
        Kind::Text => setting.values.first().cloned().into(),
    }
}

fn shown(setting: &Setting) -> String {
    match setting.values.as_slice() {
        [] => "-".to_owned(),
        values => values.join("; "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Vec<Setting> {
        let setting = |key: &str, kind, values: &[&str], origin| Setting {
            key: key.to_owned(),
            kind,
            values: values.iter().map(|value| (*value).to_owned()).collect(),
            origin,
        };
        vec![
            setting("listen", Kind::Text, &["127.0.0.1:4566"], Origin::Default),
            setting("public-url", Kind::Text, &[], Origin::Default),
            setting("image-map", Kind::List, &["a=b", "c=d"], Origin::File("/etc/l.toml".into(), 3)),
            setting("trust-host-image", Kind::Switch, &["true"], Origin::Variable("LANDFALL_TRUST_HOST_IMAGE".into())),
        ]
    }

    #[test]
    fn the_table_says_where_each_value_comes_from() {
        let table = table(&settings());
        let lines: Vec<_> = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(
            lines,
            [
                "key value from",
                "listen 127.0.0.1:4566 default",
                "public-url - default",
                "image-map a=b; c=d /etc/l.toml:3",
                "trust-host-image true LANDFALL_TRUST_HOST_IMAGE",
            ]
        );
    }

    #[test]
    fn the_json_has_values_of_their_kind() {
        assert_eq!(
            json(&settings()),
            json!({
                "listen": {"value": "127.0.0.1:4566", "from": "default"},
                "public-url": {"value": null, "from": "default"},
                "image-map": {"value": ["a=b", "c=d"], "from": "/etc/l.toml:3"},
                "trust-host-image": {"value": true, "from": "LANDFALL_TRUST_HOST_IMAGE"},
            })
        );
    }
}
