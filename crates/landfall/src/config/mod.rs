//! How `landfall serve` is configured: each option is a flag (`--data-dir`), an environment variable
//! (`LANDFALL_DATA_DIR`) and a key of one TOML file (`data-dir`). A flag goes before the environment, that before the
//! file, that before the default.
//!
//! [`serve::Options`](crate::serve::Options) is the only place where an option is written down: [`keys`] reads it from
//! clap, so that the three and the documentation cannot disagree.

mod document;
mod file;
mod keys;
mod layers;
mod show;

pub(crate) use layers::{Line, line};

use clap::{ArgGroup, Args};
use file::File;
use std::path::{Path, PathBuf};

/// `landfall config`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("form").args(["json", "example", "markdown"])))]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) source: Source,
    /// As JSON: {key: {"value", "from"}}
    #[arg(long, help_heading = "Output")]
    json: bool,
    /// A configuration file with every key, its meaning and its default, to begin with
    #[arg(long, help_heading = "Output")]
    example: bool,
    /// The keys as the table of docs/CONFIGURATION.md
    #[arg(long, help_heading = "Output", hide = true)]
    markdown: bool,
    #[command(flatten)]
    options: crate::serve::Options,
}

/// Where the configuration file is.
#[derive(Debug, Clone, Args)]
pub(crate) struct Source {
    /// The configuration file; default: LANDFALL_CONFIG, else /etc/landfall/landfall.toml if it is there
    #[arg(long, value_name = "FILE", help_heading = "Configuration")]
    pub(crate) config: Option<PathBuf>,
}

/// Prints the configuration that `landfall serve` would have with the same flags, and where each value comes from.
pub(crate) fn run(arguments: &Arguments, settings: &[layers::Setting]) -> anyhow::Result<()> {
    if arguments.example {
        print!("{}", document::example());
    } else if arguments.markdown {
        print!("{}", document::markdown());
    } else if arguments.json {
        println!("{}", serde_json::to_string_pretty(&show::json(settings))?);
    } else {
        println!("{}", show::table(settings));
        arguments.options.check()?;
    }
    Ok(())
}

/// A variable of the environment; one that is empty says nothing.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The data folder that a command's `--data-dir` names, else the usual one ([`data_dir`]).
///
/// # Errors
/// As [`data_dir`].
pub(crate) fn data_dir_or(named: Option<&Path>) -> anyhow::Result<PathBuf> {
    named.map_or_else(|| data_dir(&variable), |named| Ok(named.to_owned()))
}

/// The data folder that commands look for the server in when none is named: that of the environment, of the
/// configuration file, or `landfall-data`.
///
/// # Errors
/// The configuration file was named and cannot be read.
pub(crate) fn data_dir(variable: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<PathBuf> {
    let named = server_values("data-dir", variable)?.into_iter().next();
    Ok(named.unwrap_or_else(|| crate::serve::DATA_DIR.to_owned()).into())
}

/// What the environment or the configuration file says of an option of the server, for commands that do the server's work;
/// the environment parts several values by semicolons.
///
/// # Errors
/// The configuration file was named and cannot be read.
pub(crate) fn server_values(key: &str, variable: &dyn Fn(&str) -> Option<String>) -> anyhow::Result<Vec<String>> {
    if let Some(said) = variable(&keys::variable(key)) {
        let list = keys::all().iter().any(|known| known.name == key && known.kind == keys::Kind::List);
        let parts = said.split(';').map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned);
        return Ok(if list { parts.collect() } else { vec![said.clone()] });
    }
    let file = File::find(None, variable)?;
    let entry = file.and_then(|file| file.entries.into_iter().find(|entry| entry.key == key));
    Ok(entry.map(|entry| entry.values).unwrap_or_default())
}
