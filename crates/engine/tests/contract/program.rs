//! What the contract tests need as a program of its own: the shim alone, which they give the engines as their agent,
//! and a server that starts a container and is then killed.

use std::ffi::OsString;
use std::process::ExitCode;

use engine::{ContainerSpec, EngineKind, EngineOptions};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next().as_ref().and_then(|word| word.to_str()) {
        Some("shim") => agent::shim::main(arguments),
        Some("enter") => agent::enter::main(arguments),
        Some("serve") => serve(arguments),
        _ => ExitCode::from(64),
    }
}

/// `serve DATA_DIR SCRIPT`: starts container `a` with the script, says so, and stays.
fn serve(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let (Some(data_dir), Some(script)) = (arguments.next(), arguments.next()) else { return ExitCode::from(64) };
    let spec = ContainerSpec::new("a", ["sh", "-c", &script.to_string_lossy()]);
    let Ok(runtime) = tokio::runtime::Runtime::new() else { return ExitCode::FAILURE };
    let started = runtime.block_on(async {
        let options = EngineOptions {
            trust_host_image: true,
            ..EngineOptions::new(EngineKind::Sandbox, data_dir, "/proc/self/exe")
        };
        engine::open(options).await?.start(&spec).await
    });
    println!("{started:?}");
    std::thread::park();
    ExitCode::SUCCESS
}
