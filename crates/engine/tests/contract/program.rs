//! What the contract tests need as a program of its own: the shim alone, which they give the engines as their agent,
//! and a server that starts a container and is then killed.

use std::ffi::OsString;
use std::process::ExitCode;

use engine::{ContainerSpec, EngineError, EngineKind, EngineOptions, Exec, Network, Signal, WayOut};
use futures::StreamExt;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next().as_ref().and_then(|word| word.to_str()) {
        Some("shim") => agent::shim::main(arguments),
        Some("enter") => agent::enter::main(arguments),
        Some("serve") => serve(arguments),
        Some("rootless") => rootless(arguments),
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

/// `rootless DATA_DIR SCRIPT [FURTHER]`: runs the script in a container of 50 MiB to its end, and a further one in it while it
/// runs, with no limits where none can be had; prints what they wrote and how it ended, and removes it.
fn rootless(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let (Some(data_dir), Some(script)) = (arguments.next(), arguments.next()) else { return ExitCode::from(64) };
    let further = arguments.next().map(|further| further.to_string_lossy().into_owned());
    let mut spec = ContainerSpec::new("a", ["sh", "-c", &script.to_string_lossy()]);
    spec.limits.disk_bytes = Some(50 << 20);
    let options = EngineOptions {
        trust_host_image: true,
        without_limits: true,
        ..EngineOptions::new(EngineKind::Sandbox, data_dir, "/proc/self/exe")
    };
    let options = with_way_out(options, &mut spec);
    let Ok(runtime) = tokio::runtime::Runtime::new() else { return ExitCode::FAILURE };
    match runtime.block_on(run(options, spec, further)) {
        Ok(text) => print!("{text}"),
        Err(error) => println!("error: {error}"),
    }
    ExitCode::SUCCESS
}

/// Gives the container the way out that the test names in the environment.
fn with_way_out(options: EngineOptions, spec: &mut ContainerSpec) -> EngineOptions {
    let Ok(name) = std::env::var("TEST_WAY_OUT") else { return options };
    spec.network = Network::Outside;
    let ways = [WayOut::Auto, WayOut::Pasta, WayOut::Slirp4netns, WayOut::Veth];
    EngineOptions { way_out: ways.into_iter().find(|way| way.name() == name).unwrap_or_default(), ..options }
}

async fn run(options: EngineOptions, mut spec: ContainerSpec, further: Option<String>) -> Result<String, EngineError> {
    let engine = engine::open(options).await?;
    spec.privileged = further.as_deref() == Some("privileged");
    engine.start(&spec).await?;
    let mut text = String::new();
    if let Some(further) = further {
        let output = engine.exec("a", &Exec::new(["sh", "-c", &further]), 4096).await?;
        text += &format!("further: {}", String::from_utf8_lossy(&output.stdout));
        engine.signal("a", Signal::Term).await?;
    }
    let exit = engine.wait("a").await?;
    let mut output = engine.output("a", 0).await?;
    while let Some(chunk) = output.next().await {
        text += &String::from_utf8_lossy(&chunk?);
    }
    engine.remove("a").await?;
    Ok(format!("{text}{exit}\n"))
}
