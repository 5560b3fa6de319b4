//! The sandbox of an ordinary user: `nobody`, with and without ranges in /etc/subuid.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// The user who has nothing.
const NOBODY: &str = "65534";

/// Where that user can go, too: what cargo builds may lie in somebody's home. On a disk, as overlays want it.
const OPEN: &str = "/var/tmp";

/// A data folder of that user's.
fn data_dir() -> TempDir {
    let folder = tempfile::tempdir_in(OPEN).unwrap();
    std::os::unix::fs::chown(folder.path(), Some(65534), Some(65534)).unwrap();
    folder
}

/// Runs a script in a container as that user: what the test's program prints.
fn run(folder: &Path, ranges: &str, script: &str, further: Option<&str>) -> String {
    let place = tempfile::tempdir_in(OPEN).unwrap();
    fs::set_permissions(place.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let program = place.path().join("program");
    fs::copy(env!("CARGO_BIN_EXE_engine-test-program"), &program).unwrap();
    let file = tempfile::NamedTempFile::new_in(OPEN).unwrap();
    fs::write(file.path(), ranges).unwrap();
    fs::set_permissions(file.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    // In a mount namespace of its own the machine has the ranges that this test wants.
    let as_nobody = "mount --bind \"$1\" /etc/subuid && mount --bind \"$1\" /etc/subgid && shift && \
                     exec setpriv --reuid 65534 --regid 65534 --clear-groups \"$@\"";
    let output = Command::new("unshare")
        .args(["-m", "sh", "-c", as_nobody, "sh"])
        .arg(file.path())
        .arg(program)
        .arg("rootless")
        .arg(folder)
        .arg(script)
        .args(further)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_user_is_root_of_a_container_without_any_privilege() {
    let folder = data_dir();
    let script = "id -u; cat /proc/self/uid_map | tr -s ' '; echo new > /usr/new && cat /usr/new; \
                  echo x 2>/dev/null >> /etc/hostname && echo changed; cat /proc/net/fib_trie | grep -m 1 -o 169.254.170.2; \
                  grep -E 'NoNewPrivs|Seccomp:' /proc/self/status; ls -A /root /home /tmp; exit 3";
    let output = run(folder.path(), "", script, None);
    let expected = format!(
        "0\n 0 {NOBODY} 1\nnew\nchanged\n169.254.170.2\nNoNewPrivs:\t1\nSeccomp:\t2\n/home:\n\n/root:\n\n/tmp:\nexit code 3\n"
    );
    assert_eq!(output, expected);
    assert!(!Path::new("/usr/new").exists());
    let left: Vec<_> =
        fs::read_dir(folder.path().join("containers")).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(left.iter().all(|name| name == ".runtime.json"), "{left:?}");
}

#[test]
fn ranges_give_a_container_many_users() {
    let folder = data_dir();
    let script = "cat /proc/self/uid_map | tr -s ' '; touch /tmp/file /usr/file; chown 1000:1000 /tmp/file /usr/file; \
                  stat -c %u /tmp/file /usr/file; mkdir -m 0 /usr/closed; chown 33 /usr/closed; setpriv --reuid 33 --regid 33 --clear-groups id -u";
    let output = run(folder.path(), "nobody:2000000:65536\n", script, None);
    assert_eq!(output, " 0 65534 1\n 1 2000000 65536\n1000\n1000\n33\nexit code 0\n");
    let left: Vec<_> =
        fs::read_dir(folder.path().join("containers")).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(left.iter().all(|name| name == ".runtime.json"), "{left:?}");
}

#[test]
fn the_machines_files_can_be_added_to_and_not_changed() {
    let script = "echo x 2>/dev/null >> /usr/lib/os-release || echo kept; rm /usr/bin/env 2>/dev/null || echo kept; cat /etc/shadow 2>/dev/null";
    assert_eq!(run(data_dir().path(), "", script, None), "kept\nkept\nexit code 1\n");
}

#[test]
fn further_commands_and_signals_reach_it() {
    let script = "trap 'exit 5' TERM; echo ready; sleep 30 & wait";
    let output =
        run(data_dir().path(), "", script, Some("id -u; readlink /proc/1/ns/net /proc/self/ns/net | uniq | wc -l"));
    assert_eq!(output, "further: 0\n1\nready\nexit code 5\n");
}

#[test]
fn a_disk_filler_is_ended() {
    let script = "head -c 80M /dev/zero > /usr/big; sleep 30";
    let output = run(data_dir().path(), "", script, None);
    assert!(output.contains("more than 50 MiB") && output.ends_with("killed by signal 9\n"), "{output}");
}

#[test]
fn privilege_is_refused_in_words() {
    let output = run(data_dir().path(), "", "true", Some("privileged"));
    assert!(output.starts_with("error: privileged builds need Landfall to run as root"), "{output}");
}
