//! The real thing: Cargo in a sandbox, with the toolchain shared from the machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use engine::{ContainerSpec, EngineKind, Limits, Mount};

use crate::bench::Bench;

fn sysroot() -> PathBuf {
    let output = Command::new("rustc").args(["--print", "sysroot"]).output().unwrap();
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}

#[tokio::test]
async fn cargo_builds_and_tests_a_crate_offline() {
    let bench = Bench::in_folder(EngineKind::Sandbox, Path::new(env!("CARGO_TARGET_TMPDIR")), vec![sysroot()]).await;
    let source = tempfile::tempdir().unwrap();
    fs::create_dir(source.path().join("src")).unwrap();
    fs::write(source.path().join("Cargo.toml"), "[package]\nname = 'tiny'\nedition = '2024'\n").unwrap();
    let code = "fn main() { println!(\"built inside\"); }\n#[test]\nfn works() { assert_eq!(1 + 1, 2); }\n";
    fs::write(source.path().join("src/main.rs"), code).unwrap();
    let script = "cp -r /source /build && cd /build && which cargo && cargo test --offline 2>&1 && cargo run --offline";
    let mut spec = ContainerSpec::new("job", ["sh", "-c", script]);
    spec.mounts = vec![Mount { host: source.path().into(), container: "/source".into(), read_only: true }];
    spec.limits = Limits { memory_bytes: Some(2 << 30), cpu_millis: Some(2000), pids: Some(1000), ..Limits::default() };
    let (exit, output) = bench.run_spec(spec).await;
    assert!(exit.success(), "{output}");
    assert!(output.starts_with(&format!("{}/bin/cargo", sysroot().display())), "{output}");
    assert!(output.contains("1 passed") && output.contains("built inside"), "{output}");
}
