//! What a container sees of itself and may do.

use engine::{Ending, EngineError, Exec, Limits, Mount, Network};
use futures::StreamExt;

use crate::bench::Bench;

pub(crate) async fn output_is_whole_and_in_order(bench: Bench) {
    let script = r"for i in 1 2 3 4 5; do echo out $i; echo err $i >&2; done; printf '\377\000end'";
    bench.engine.start(&bench.shell("a", script)).await.unwrap();
    let mut output = Vec::new();
    let mut stream = bench.engine.output("a", 0).await.unwrap();
    while let Some(chunk) = stream.next().await {
        output.extend(chunk.unwrap());
    }
    let lines: String = (1..=5).map(|i| format!("out {i}\nerr {i}\n")).collect();
    assert_eq!(output, [lines.as_bytes(), b"\xff\x00end"].concat());
    bench.engine.remove("a").await.unwrap();
}

pub(crate) async fn root_inside_has_few_powers(bench: Bench) {
    let script = "grep -E 'CapEff|NoNewPrivs' /proc/self/status; id -u; mount -t tmpfs none /tmp && echo mounted";
    let (_, output) = bench.run(script).await;
    let words: Vec<_> = output.split_whitespace().take(5).collect();
    assert_eq!(words, ["CapEff:", "00000000a80425fb", "NoNewPrivs:", "1", "0"], "{output}");
    assert!(!output.contains("mounted\n"), "{output}");
}

pub(crate) async fn mounts_are_seen_and_kept_read_only(bench: Bench) {
    let source = tempfile::tempdir_in(bench.folder.path()).unwrap();
    std::fs::write(source.path().join("file"), "from the machine\n").unwrap();
    let mut spec = bench.shell("job", "cat /in/file; touch /in/new || echo refused; pwd; echo $X; hostname");
    spec.mounts = vec![Mount { host: source.path().into(), container: "/in".into(), read_only: true }];
    spec.workdir = "/deep/er".into();
    spec.hostname = "named".into();
    spec.environment.insert("X".into(), "a b".into());
    let (_, output) = bench.run_spec(spec).await;
    let lines: Vec<_> = output.lines().filter(|line| !line.starts_with("touch")).collect();
    assert_eq!(lines, ["from the machine", "refused", "/deep/er", "a b", "named"], "{output}");
}

pub(crate) async fn want_of_memory_is_told(bench: Bench) {
    let mut spec = bench.shell("job", "exec tail /dev/zero");
    spec.limits = Limits { memory_bytes: Some(32 << 20), ..Limits::default() };
    let (exit, output) = bench.run_spec(spec).await;
    assert_eq!(exit.ending, Ending::Signal(9));
    // Podman's watcher may see the end of the container before it sees the reason.
    assert!(exit.oom || bench.is_podman(), "{exit}: {output}");
}

pub(crate) async fn processes_are_limited(bench: Bench) {
    let mut spec = bench.shell("job", "for i in $(seq 40); do sleep 2 & done; echo started");
    spec.limits = Limits { pids: Some(16), ..Limits::default() };
    let (_, output) = bench.run_spec(spec).await;
    assert!(output.contains("fork") && !output.contains("started"), "{output}");
}

pub(crate) async fn processor_time_is_limited(bench: Bench) {
    let script = "sh -c 'while :; do :; done' & sleep 1; cut -d' ' -f14 /proc/$!/stat; kill $!";
    let mut spec = bench.shell("job", script);
    // More than this machine has may be asked for, too.
    spec.limits = Limits { cpu_millis: Some(100_000), ..Limits::default() };
    let (exit, output) = bench.run_spec(spec.clone()).await;
    assert!(exit.success(), "{output}");
    spec.limits = Limits { cpu_millis: Some(100), ..Limits::default() };
    let (_, output) = bench.run_spec(spec).await;
    let hundredths: u32 = output.trim().parse().unwrap();
    assert!(hundredths < 50, "{hundredths} hundredths of a second of processor time in one second");
}

pub(crate) async fn a_program_that_is_not_there_is_an_error_and_leaves_nothing(bench: Bench) {
    let mut spec = bench.shell("a", "true");
    spec.argv = vec!["no-such-program".into()];
    let refused = bench.engine.start(&spec).await;
    assert!(
        matches!(&refused, Err(EngineError::Start { reason, .. }) if reason.contains("no-such-program")),
        "{refused:?}"
    );
    bench.engine.start(&bench.shell("a", "sleep 30")).await.unwrap();
    let refused = bench.engine.exec("a", &Exec::new(["no-such-program"]), 10).await;
    assert!(matches!(refused, Err(EngineError::Start { .. })), "{refused:?}");
    bench.engine.remove("a").await.unwrap();
}

pub(crate) async fn a_dropped_command_is_killed(bench: Bench) {
    bench.engine.start(&bench.shell("a", "sleep 30")).await.unwrap();
    let mut execution =
        bench.engine.exec_stream("a", &Exec::new(["sh", "-c", "echo up; exec sleep 77"])).await.unwrap();
    execution.next().await.unwrap().unwrap();
    drop(execution);
    let look = Exec::new(["sh", "-c", "ps | grep -c '[s]leep 77'"]);
    for _ in 0..100 {
        let seen = bench.engine.exec("a", &look, 10).await.unwrap();
        if seen.stdout == b"0\n" {
            bench.engine.remove("a").await.unwrap();
            return;
        }
    }
    panic!("it runs still");
}

/// What a daemon of its own needs. Its storage is no overlay: overlays cannot lie on overlays.
pub(crate) async fn a_privileged_one_has_what_a_daemon_needs(bench: Bench) {
    let script = "set -e; mount -t tmpfs none /tmp; unshare -n true; echo 1 >/proc/sys/net/ipv4/ip_forward; \
                  mkdir $(ls -d /sys/fs/cgroup/pids /sys/fs/cgroup | head -n 1)/sub; \
                  cd /var/lib/docker; mkdir lower upper work merged; \
                  mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged; umount merged; echo fine; \
                  echo x 2>/dev/null >/proc/sysrq-trigger || echo no sysrq; ls /dev | grep -c vda || true; \
                  find / -xdev -name '*.sock'";
    let mut spec = bench.shell("job", script);
    spec.privileged = true;
    let (_, output) = bench.run_spec(spec).await;
    assert_eq!(output, "fine\nno sysrq\n0\n");
}

/// The machine's own programs, of which the image has none. A daemon takes its 2 s to start.
pub(crate) async fn a_privileged_one_runs_a_daemon_of_its_own(bench: Bench) {
    let groups_2 = std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    if bench.is_podman() && !groups_2 {
        // Podman 4 passes no rules for devices on, without which control groups of version 1 let no container begin inside.
        return;
    }
    let script = "dockerd >/tmp/log 2>&1 & for i in $(seq 100); do docker info >/dev/null 2>&1 && break; sleep 0.2; done; \
                  tar -C / -c bin/busybox | docker import - nested >/dev/null 2>&1; \
                  docker run --rm nested /bin/busybox echo from within 2>&1 || tail -n 20 /tmp/log";
    let mut spec = bench.shell("job", script);
    let at = |host: &str, container: &str| Mount { host: host.into(), container: container.into(), read_only: true };
    spec.mounts =
        [("/usr", "/usr"), ("/usr/lib", "/lib"), ("/usr/lib64", "/lib64"), ("/etc/alternatives", "/etc/alternatives")]
            .into_iter()
            .filter(|(host, _)| std::path::Path::new(host).exists())
            .map(|(host, container)| at(host, container))
            .collect();
    spec.environment.insert("PATH".into(), "/usr/local/bin:/usr/sbin:/usr/bin:/bin".into());
    spec.privileged = true;
    spec.network = Network::Outside;
    let (_, output) = bench.run_spec(spec).await;
    assert_eq!(output, "from within\n");
}

/// Counted once a second.
pub(crate) async fn who_writes_too_much_is_ended(mut bench: Bench) {
    let mut spec = bench.shell("job", "dd if=/dev/zero of=/large bs=1M count=40 2>/dev/null; exec sleep 60");
    spec.limits = Limits { disk_bytes: Some(20 << 20), ..Limits::default() };
    bench.engine.start(&spec).await.unwrap();
    bench.restart().await;
    assert_eq!(bench.engine.wait("job").await.unwrap().ending, Ending::Signal(9));
    bench.engine.remove("job").await.unwrap();
}
