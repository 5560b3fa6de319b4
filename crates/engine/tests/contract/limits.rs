use std::fs;
use std::path::Path;
use std::time::Duration;

use engine::{ContainerSpec, Ending, Limits};

use crate::bench::Bench;

fn limited(script: &str, limits: Limits) -> ContainerSpec {
    let mut spec = ContainerSpec::new("job", ["sh", "-c", script]);
    spec.limits = limits;
    spec
}

#[tokio::test]
async fn want_of_memory_is_told() {
    let limits = Limits { memory_bytes: Some(64 << 20), ..Limits::default() };
    let greedy = "exec /usr/bin/python3 -c 'x = bytearray(300 << 20); print(len(x))'";
    let (exit, output) = Bench::sandbox().await.run_spec(limited(greedy, limits)).await;
    assert!(exit.oom, "{exit}: {output}");
    assert_eq!(exit.ending, Ending::Signal(9));
}

#[tokio::test]
async fn processes_are_limited() {
    let limits = Limits { pids: Some(16), ..Limits::default() };
    let many = "for i in $(seq 40); do sleep 2 & done 2>/dev/null; echo started";
    let (_, output) = Bench::sandbox().await.run_spec(limited(many, limits)).await;
    assert!(output.contains("fork") || !output.contains("started"), "{output}");
}

#[tokio::test]
async fn processor_time_is_limited() {
    let limits = Limits { cpu_millis: Some(100), ..Limits::default() };
    let busy = "/usr/bin/python3 -c 'import time; end = time.time() + 1\nwhile time.time() < end: pass\n\
                print(time.process_time())'";
    let (_, output) = Bench::sandbox().await.run_spec(limited(busy, limits)).await;
    let used: f64 = output.trim().parse().unwrap();
    assert!(used < 0.5, "{used} s of processor time in one second");
}

#[tokio::test]
async fn swap_and_files_in_memory_count_as_memory() {
    let limits = Limits { memory_bytes: Some(64 << 20), ..Limits::default() };
    let filler = "head -c 300M /dev/zero > /tmp/file; echo written";
    let (exit, output) = Bench::sandbox().await.run_spec(limited(filler, limits)).await;
    assert!(exit.oom, "{exit}: {output}");
}

#[tokio::test]
async fn a_fork_bomb_is_held_where_no_limit_was_asked_and_killed_as_a_whole() {
    let bench = Bench::sandbox().await;
    let bomb = "bomb() { bomb | bomb & }; bomb; sleep 60";
    bench.engine.start(&limited(bomb, Limits::default())).await.unwrap();
    let pids = || {
        let groups = ["/sys/fs/cgroup/pids/landfall", "/sys/fs/cgroup/landfall"].into_iter().map(Path::new);
        let groups = groups.filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
        // Another test's container may be called so too, but has one process or two.
        let ours = groups.filter(|group| group.file_name().to_string_lossy().ends_with("-job"));
        let count =
            |group: fs::DirEntry| fs::read_to_string(group.path().join("pids.current")).ok()?.trim().parse().ok();
        ours.filter_map(count).max().unwrap_or(0_u32)
    };
    while pids() < 4000 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(pids() <= 4096);
    bench.engine.remove("job").await.unwrap();
    assert!(pids() < 4000);
}

#[tokio::test]
async fn a_full_disk_is_an_error_inside_and_nothing_stays() {
    let bench = Bench::sandbox().await;
    let limits = Limits { disk_bytes: Some(64 << 20), ..Limits::default() };
    let filler = "mkdir -p /codebuild/src; head -c 100M /dev/zero > /usr/big; head -c 100M /dev/zero > /codebuild/src/big; \
                  head -c 1M /dev/zero > /var/more; df /usr --output=avail | tail -n 1 | tr -d ' '";
    let (exit, output) = bench.run_spec(limited(filler, limits)).await;
    assert!(exit.success(), "{exit}: {output}");
    assert_eq!(output.matches("No space left on device").count(), 3, "{output}");
    let left: u64 = output.lines().last().unwrap().parse().unwrap();
    assert!(left < 100, "{left} KiB left: {output}");
    let mounts = fs::read_to_string("/proc/mounts").unwrap();
    assert!(!mounts.contains(bench.folder.path().to_str().unwrap()));
    // The kernel takes mount namespaces apart a moment after their last process.
    while !loops_in(bench.folder.path()).is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The files below a folder that are behind loop devices.
fn loops_in(folder: &Path) -> Vec<String> {
    let devices = fs::read_dir("/sys/block").unwrap().flatten();
    let files = devices.filter_map(|device| fs::read_to_string(device.path().join("loop/backing_file")).ok());
    files.filter(|file| file.contains(folder.to_str().unwrap())).collect()
}
