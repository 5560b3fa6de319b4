//! Reading the command line with what the environment and the file say as its defaults.

use super::file::File;
use super::keys::{self, Key, Kind};
use crate::exit::user_error;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, FromArgMatches};
use std::ffi::OsString;
use std::path::PathBuf;

/// The subcommands that take the options of the server.
const CONFIGURED: [&str; 2] = ["serve", "config"];

/// A read command line.
pub(crate) struct Line<C> {
    pub(crate) command: C,
    /// The server's options with their origin; empty for commands that have none.
    pub(crate) settings: Vec<Setting>,
}

/// One option's value, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(super) key: String,
    pub(super) kind: Kind,
    pub(super) values: Vec<String>,
    pub(super) origin: Origin,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    Flag(String),
    Variable(String),
    File(PathBuf, usize),
    Default,
}

/// What the environment or the file says of one key.
struct Given {
    key: String,
    values: Vec<String>,
    origin: Origin,
}

/// Reads a command line; a faulty one, or one that asks for help, ends the program as clap does.
///
/// # Errors
/// The environment or the configuration file has what no option takes.
pub(crate) fn line<C: FromArgMatches>(
    command: Command,
    arguments: &[OsString],
    variable: &dyn Fn(&str) -> Option<String>,
) -> anyhow::Result<Line<C>> {
    let keys = keys::all();
    let is_key = |arg: &Arg| keys.iter().any(|key| arg.get_long() == Some(&key.name));
    let layered = |arg: Arg| if is_key(&arg) { keys::layered(arg) } else { arg };
    let mut command = CONFIGURED
        .iter()
        .fold(command, |command, name| command.mut_subcommand(name, |command| command.mut_args(layered)));
    let first = command.clone().get_matches_from(arguments);
    let Some((name, sub)) = first.subcommand().filter(|(name, _)| CONFIGURED.contains(name)) else {
        let command = C::from_arg_matches(&first).unwrap_or_else(|error| error.exit());
        return Ok(Line { command, settings: Vec::new() });
    };
    let file = File::find(sub.get_one::<PathBuf>("config").map(PathBuf::as_path), variable)?;
    let given = given(&keys, file, variable)?;
    command = command.mut_subcommand(name, |command| given.iter().fold(command, with_default));
    let matches = command.get_matches_from(arguments);
    let settings = matches.subcommand().map(|(_, sub)| settings(&keys, sub, &given)).unwrap_or_default();
    let command = C::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    Ok(Line { command, settings })
}

/// The environment's word on a key, or else the file's.
fn given(keys: &[Key], file: Option<File>, variable: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<Vec<Given>> {
    let mut given = Vec::new();
    let (path, mut entries) = file.map_or_else(Default::default, |file| (file.path, file.entries));
    for key in keys {
        let entry = entries.iter().position(|entry| entry.key == key.name).map(|place| entries.swap_remove(place));
        if let Some(text) = variable(&key.variable) {
            let values = match key.kind {
                Kind::List => {
                    text.split(';').map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned).collect()
                }
                Kind::Switch | Kind::Text => vec![text],
            };
            key.check(&values).map_err(|reason| user_error(format!("{}: {reason}", key.variable)))?;
            given.push(Given { key: key.name.clone(), values, origin: Origin::Variable(key.variable.clone()) });
        } else if let Some(entry) = entry {
            given.push(Given { key: entry.key, values: entry.values, origin: Origin::File(path.clone(), entry.line) });
        }
    }
    Ok(given)
}

fn with_default(command: Command, given: &Given) -> Command {
    let id = command.get_arguments().find(|arg| arg.get_long() == Some(&given.key)).map(|arg| arg.get_id().clone());
    match id {
        Some(id) => command.mut_arg(id, |arg| arg.default_values(given.values.clone())),
        None => command,
    }
}

fn settings(keys: &[Key], matches: &ArgMatches, given: &[Given]) -> Vec<Setting> {
    keys.iter().map(|key| setting(key, matches, given.iter().find(|given| given.key == key.name))).collect()
}

fn setting(key: &Key, matches: &ArgMatches, given: Option<&Given>) -> Setting {
    let id = key.arg.get_id().as_str();
    let raw = matches.get_raw(id).into_iter().flatten();
    let mut values: Vec<_> = raw.map(|value| value.to_string_lossy().into_owned()).collect();
    let origin = match matches.value_source(id) {
        Some(ValueSource::CommandLine) => Origin::Flag(format!("--{}", key.name)),
        _ => given.map_or(Origin::Default, |given| given.origin.clone()),
    };
    if key.kind == Kind::Switch {
        values = vec![matches.get_one::<bool>(id).copied().unwrap_or_default().to_string()];
    }
    Setting { key: key.name.clone(), kind: key.kind, values, origin }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;
    use crate::Landfall;
    use clap::CommandFactory as _;

    /// A value of each key that has no choices, other than its default.
    const SAMPLES: &[(&str, &str)] = &[
        ("listen", "127.0.0.1:1"),
        ("data-dir", "/somewhere/else"),
        ("docker-host", "unix:///run/docker.sock"),
        ("image-map", "aws/*=host"),
        ("host-share", "/opt/tools"),
        ("oci-runtime", "runc"),
        ("build-disk", "20G"),
        ("pool", "1"),
        ("builds-at-once", "8"),
        ("registry-mirror", "docker.io=http://mirror.lan:5000"),
        ("registry-ca", "/etc/landfall/registry.pem"),
        ("image-limit", "20G"),
        ("keep-images", "7d"),
        ("account", "123456789012"),
        ("region", "eu-west-1"),
        ("public-url", "https://landfall.example"),
        ("keep-executions", "30d"),
        ("keep-builds", "30d"),
        ("keep-deployments", "30d"),
        ("keep-artifacts", "30d"),
        ("log", "debug"),
        ("tls-cert", "/etc/landfall/cert.pem"),
        ("tls-key", "/etc/landfall/key.pem"),
        ("keep-executions", "90d"),
        ("keep-builds", "12w"),
        ("keep-deployments", "forever"),
        ("keep-artifacts", "30d"),
    ];

    fn sample(key: &Key) -> String {
        if key.kind == Kind::Switch {
            return "true".to_owned();
        }
        let sampled = SAMPLES.iter().find(|(name, _)| *name == key.name).map(|(_, value)| (*value).to_owned());
        let other = key.choices.iter().find(|choice| Some(*choice) != key.default.as_ref()).cloned();
        sampled.or(other).unwrap_or_else(|| panic!("{}: add a value of this new key to SAMPLES", key.name))
    }

    fn read(arguments: &[&str], file: &str, variables: &[(&str, &str)]) -> Vec<Setting> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("landfall.toml");
        std::fs::write(&path, file).unwrap();
        let variable =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let arguments = [&["landfall", "config", "--config", path.to_str().unwrap()], arguments].concat();
        let arguments: Vec<_> = arguments.into_iter().map(OsString::from).collect();
        line::<Landfall>(crate::help::grouped(Landfall::command()), &arguments, &variable).unwrap().settings
    }

    fn of(settings: &[Setting], key: &str) -> (Vec<String>, Origin) {
        let setting = settings.iter().find(|setting| setting.key == key).unwrap();
        (setting.values.clone(), setting.origin.clone())
    }

    #[test]
    fn flag_environment_and_file_say_the_same_of_every_key() {
        for key in keys::all() {
            let value = sample(&key);
            assert_ne!(Some(&value), key.default.as_ref(), "{}", key.name);
            let flag = read(&[&format!("--{}={value}", key.name)], "", &[]);
            let environment = read(&[], "", &[(&key.variable, &value)]);
            let written = match key.kind {
                Kind::Switch => format!("{} = {value}", key.name),
                Kind::List => format!("{} = ['{value}']", key.name),
                Kind::Text => format!("{} = '{value}'", key.name),
            };
            let file = read(&[], &written, &[]);
            for (settings, layer) in [(&flag, "flag"), (&environment, "environment"), (&file, "file")] {
                let (values, origin) = of(settings, &key.name);
                assert_eq!(values, [value.as_str()], "{} by {layer}", key.name);
                assert_ne!(origin, Origin::Default, "{} by {layer}", key.name);
                let rest: Vec<_> = settings.iter().filter(|setting| setting.key != key.name).collect();
                assert!(
                    rest.iter().all(|setting| setting.origin == Origin::Default),
                    "{} by {layer}: {rest:?}",
                    key.name
                );
            }
        }
    }

    #[test]
    fn a_flag_goes_before_the_environment_and_that_before_the_file() {
        let file = "region = 'of-file'\ntrust-host-image = true\nimage-map = ['file=a']";
        let variables = [("LANDFALL_REGION", "of-env"), ("LANDFALL_IMAGE_MAP", "env=a; env=b")];
        for (arguments, variables, region) in [
            (&["--region", "of-flag"][..], &variables[..], "of-flag"),
            (&[], &variables, "of-env"),
            (&[], &[], "of-file"),
        ] {
            assert_eq!(of(&read(arguments, file, variables), "region").0, [region]);
        }
        assert_eq!(of(&read(&[], "", &[]), "region"), (vec!["us-east-1".to_owned()], Origin::Default));
        assert_eq!(of(&read(&[], file, &variables), "image-map").0, ["env=a", "env=b"]);
        assert_eq!(of(&read(&["--image-map", "flag=a"], file, &variables), "image-map").0, ["flag=a"]);
        assert_eq!(of(&read(&["--trust-host-image=false"], file, &[]), "trust-host-image").0, ["false"]);
        assert_eq!(
            of(&read(&[], file, &[("LANDFALL_TRUST_HOST_IMAGE", "no")]), "trust-host-image").0,
            ["no"].map(|_| "false")
        );
        assert_eq!(of(&read(&["--trust-host-image"], "", &[]), "trust-host-image").0, ["true"]);
    }

    #[test]
    fn a_faulty_variable_is_named() {
        let variable = |name: &str| (name == "LANDFALL_ACCOUNT").then(|| "12".to_owned());
        let arguments = ["landfall", "config", "--config", "/dev/null"].map(OsString::from);
        let Err(error) = line::<Landfall>(crate::help::grouped(Landfall::command()), &arguments, &variable) else {
            unreachable!("a faulty variable was taken")
        };
        assert_eq!(error.to_string(), "LANDFALL_ACCOUNT: must be twelve digits");
    }
}
