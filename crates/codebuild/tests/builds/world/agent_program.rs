//! The agent as a program of this package: integration tests can only count on those.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next().as_ref().and_then(|word| word.to_str()) {
        Some("shim") => agent::shim::main(arguments),
        Some("mark") => agent::build::mark(arguments),
        Some("build") => build(arguments),
        _ => ExitCode::from(64),
    }
}

fn build(arguments: impl Iterator<Item = std::ffi::OsString>) -> ExitCode {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return ExitCode::FAILURE;
    };
    let ended = runtime.block_on(agent::build::run(arguments));
    runtime.shutdown_background();
    if ended.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
