//! `landfall-agent build | host | shim`: see the library's page.

use std::ffi::OsString;
use std::process::ExitCode;

const USAGE: &str = "usage: landfall-agent build | host [--config FILE] | shim … | --version";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let subcommand = arguments.next().and_then(|word| word.into_string().ok());
    match subcommand.as_deref() {
        // Before any thread or runtime exists: the shim forks.
        Some("shim") => agent::shim::main(arguments),
        Some("--version") => version(),
        _ => usage(arguments),
    }
}

fn version() -> ExitCode {
    println!("landfall-agent {}", env!("CARGO_PKG_VERSION"));
    ExitCode::SUCCESS
}

fn usage(_rest: impl Iterator<Item = OsString>) -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(64)
}
