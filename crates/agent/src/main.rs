//! `landfall-agent build | host | shim`: see the library's page.

use std::ffi::OsString;
use std::process::ExitCode;

const USAGE: &str = "usage: landfall-agent build [--docker] | host [--config FILE] | shim … | enter … | --version";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let subcommand = arguments.next().and_then(|word| word.into_string().ok());
    match subcommand.as_deref() {
        // Before any thread or runtime exists: the shim forks.
        Some("shim") => agent::shim::main(arguments),
        Some("enter") => agent::enter::main(arguments),
        Some("mark") => agent::build::mark(arguments),
        Some("build") => run(agent::build::run(arguments)),
        Some("host") => run(agent::host::run(arguments)),
        Some("git-credential") => git_credential(arguments),
        Some("--version") => version(),
        _ => usage(arguments),
    }
}

/// Runs on one thread: an agent mostly waits.
fn run(work: impl Future<Output = std::io::Result<()>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = runtime.and_then(|runtime| {
        let ended = runtime.block_on(work);
        // Threads that still read or write files end with the process.
        runtime.shutdown_background();
        ended
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("landfall-agent: {error}");
            ExitCode::from(70)
        }
    }
}

fn git_credential(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    match agent::git_credential::run(arguments.next().and_then(|word| word.into_string().ok()).as_deref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("landfall-agent git-credential: {error}");
            ExitCode::FAILURE
        }
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
