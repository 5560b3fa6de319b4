//! `landfall version`.

use clap::Args;
use serde_json::json;

/// `landfall version`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// As JSON: {"version", "target"}
    #[arg(long)]
    json: bool,
}

/// Prints this program's version.
pub(crate) fn run(arguments: &Arguments) {
    let version = env!("CARGO_PKG_VERSION");
    if arguments.json {
        let target = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
        println!("{}", json!({"version": version, "target": target}));
    } else {
        println!("landfall {version}");
    }
}
