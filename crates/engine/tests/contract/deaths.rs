use std::fs;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use engine::{Exit, State};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::bench::{Bench, Script, text};

/// The shim of the only container in the bench's data folder, found by its arguments.
fn shim_of(bench: &Bench) -> Pid {
    let folder = bench.folder.path().to_string_lossy().into_owned();
    let mut processes = fs::read_dir("/proc").unwrap().flatten();
    let shim = processes.find(|process| {
        let arguments = fs::read_to_string(process.path().join("cmdline")).unwrap_or_default();
        arguments.contains("\0shim\0") && arguments.contains(&folder)
    });
    Pid::from_raw(shim.unwrap().file_name().to_str().unwrap().parse().unwrap())
}

#[tokio::test]
async fn a_container_whose_shim_was_killed_has_vanished() {
    let bench = Bench::sandbox().await;
    let mut spec = Script::sleeps().container("a");
    spec.labels.insert("build".into(), "1".into());
    bench.engine.start(&spec).await.unwrap();
    let first = fs::read_to_string(bench.folder.path().join("containers/a/pid")).unwrap();
    kill(shim_of(&bench), Signal::SIGKILL).unwrap();
    assert_eq!(bench.engine.wait("a").await.unwrap(), Exit::vanished());
    // Gone, or dead and not yet taken off the kernel by whoever inherited it.
    let state = fs::read_to_string(format!("/proc/{}/stat", first.trim())).unwrap_or_default();
    assert!(state.is_empty() || state.contains(") Z "), "nobody counts it, so it must not run: {state}");
    let listed = bench.engine.list("build", "1").await.unwrap();
    assert_eq!(listed[0].state, State::Ended(Exit::vanished()));
    bench.engine.remove("a").await.unwrap();
}

#[tokio::test]
async fn what_an_interrupted_start_left_is_started_anew() {
    let mut bench = Bench::sandbox().await;
    let folder = bench.folder.path().join("containers/a");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("config.json"), "{").unwrap();
    let spec = Script { exit: 9, ..Script::default() }.container("a");
    bench.engine.start(&spec).await.unwrap();
    assert_eq!(bench.engine.wait("a").await.unwrap(), Exit::code(9));
    fs::create_dir(bench.folder.path().join("containers/b")).unwrap();
    bench.restart().await;
    assert!(!bench.folder.path().join("containers/b").exists());
}

/// Not only the engine object: the process is gone, killed with its whole process group.
#[tokio::test]
async fn a_container_outlives_a_killed_server() {
    let mut bench = Bench::sandbox().await;
    let mut server = Command::new(&bench.options.agent_binary)
        .arg("serve")
        .arg(bench.folder.path())
        .arg("sleep 0.5; echo survived; exit 4")
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap();
    let mut word = [0; 7];
    server.stdout.as_mut().unwrap().read_exact(&mut word).unwrap();
    assert_eq!(&word, b"Ok(Now)");
    let group = Pid::from_raw(-i32::try_from(server.id()).unwrap());
    kill(group, Signal::SIGKILL).unwrap();
    server.wait().unwrap();
    bench.restart().await;
    assert_eq!(bench.engine.wait("a").await.unwrap(), Exit::code(4));
    assert_eq!(text(bench.engine.output("a", 0).await.unwrap()).await, "survived\n");
    bench.engine.remove("a").await.unwrap();
}

/// Shim and server dead, the container alive: the next server ends it, with its groups, before it starts anything.
#[tokio::test]
async fn a_start_ends_what_has_no_shim_any_more_and_nothing_of_others() {
    let mut bench = Bench::sandbox().await;
    let other = Bench::sandbox().await;
    for bench in [&bench, &other] {
        bench.engine.start(&Script::sleeps().container("a")).await.unwrap();
    }
    let first = first_process(&bench);
    kill(shim_of(&bench), Signal::SIGKILL).unwrap();
    bench.restart().await;
    assert!(!runs(first), "nobody counts it, so it must not run");
    assert!(groups_of(&bench).is_empty(), "{:?}", groups_of(&bench));
    assert_eq!(bench.engine.wait("a").await.unwrap(), Exit::vanished());
    assert!(runs(first_process(&other)) && !groups_of(&other).is_empty());
    other.engine.remove("a").await.unwrap();
    bench.engine.remove("a").await.unwrap();
}

/// Killed between the rename and the deletion, with the container still running: only its processes and groups tell of it.
#[tokio::test]
async fn a_start_goes_on_with_an_interrupted_removal() {
    let mut bench = Bench::sandbox().await;
    let mut spec = Script::sleeps().container("a");
    spec.limits.disk_bytes = Some(64 << 20);
    bench.engine.start(&spec).await.unwrap();
    let (first, shim) = (first_process(&bench), shim_of(&bench));
    let containers = bench.folder.path().join("containers");
    fs::rename(containers.join("a"), containers.join(".removed-a.1.0")).unwrap();
    bench.restart().await;
    assert!(!runs(first) && !runs(shim));
    assert!(groups_of(&bench).is_empty());
    let left: Vec<_> = fs::read_dir(&containers).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(left.iter().all(|name| name == ".runtime.json"), "{left:?}");
}

/// Killed while it tried out the runtime: the shim goes on for a moment, and makes files that would be in the deletion's way.
#[tokio::test]
async fn a_start_waits_for_a_shim_that_nobody_needs() {
    let mut bench = Bench::sandbox().await;
    let bundle = bench.folder.path().join("containers/.removed-self-test-7.7.0");
    fs::create_dir(&bundle).unwrap();
    let alive = bundle.join("alive");
    nix::unistd::mkfifo(&alive, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let alive = fs::File::options().read(true).write(true).open(alive).unwrap();
    let script = r#"for n in $(seq 200); do mkdir -p "$0/disk/$n"; sleep 0.002; done"#;
    let mut shim = Command::new("sh").args(["-c", script]).arg(&bundle).stdin(alive).spawn().unwrap();
    bench.restart().await;
    assert!(shim.try_wait().unwrap().is_some(), "it was not waited for");
    assert!(!bundle.exists());
}

#[tokio::test]
async fn what_cannot_be_deleted_does_not_keep_the_server_from_starting() {
    let mut bench = Bench::sandbox().await;
    let bundle = bench.folder.path().join("containers/.removed-a.7.0");
    fs::create_dir(&bundle).unwrap();
    fs::write(bundle.join("file"), "").unwrap();
    let change = |flag: &str| Command::new("chattr").arg(flag).arg(bundle.join("file")).status().unwrap().success();
    assert!(change("+i"));
    bench.restart().await;
    assert!(bundle.exists() && change("-i"));
    bench.restart().await;
    assert!(!bundle.exists());
}

fn first_process(bench: &Bench) -> Pid {
    let text = fs::read_to_string(bench.folder.path().join("containers/a/pid")).unwrap();
    Pid::from_raw(text.trim().parse().unwrap())
}

/// It is there and has not ended; dead ones stay until whoever inherited them looks.
fn runs(process: Pid) -> bool {
    let state = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    !state.is_empty() && !state.contains(") Z ")
}

/// The control groups of the bench's containers, in all hierarchies.
fn groups_of(bench: &Bench) -> Vec<PathBuf> {
    // As the engine names them: FNV-1a of the data folder's path.
    let path = bench.folder.path().canonicalize().unwrap();
    let hash = path
        .as_os_str()
        .as_encoded_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    let hierarchies = fs::read_dir("/sys/fs/cgroup").unwrap().flatten().map(|entry| entry.path());
    let bases = hierarchies.chain([PathBuf::from("/sys/fs/cgroup")]).map(|hierarchy| hierarchy.join("landfall"));
    let groups = bases.filter_map(|base| fs::read_dir(base).ok()).flatten().flatten().map(|entry| entry.path());
    groups.filter(|group| group.to_string_lossy().contains(&format!("/{hash:016x}-"))).collect()
}
