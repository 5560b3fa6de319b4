//! What a container of image `host` can see and reach.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use engine::{ContainerSpec, EngineKind, Exec, ImageRequest, Mount};
use futures::StreamExt as _;

use crate::bench::Bench;

#[tokio::test]
async fn the_machine_stays_untouched() {
    let name = format!("landfall-test-{}", std::process::id());
    let (written, kept) = (format!("/usr/{name}"), format!("/opt/{name}"));
    fs::write(&kept, "kept").unwrap();
    let script = format!(
        "set -e; echo new > {written}; cat {written}; rm {kept}; test ! -e {kept}; touch /in-the-root; \
         rm -rf /etc/passwd; echo over > /usr/bin/env"
    );
    let (exit, output) = Bench::sandbox().await.run(&script).await;
    let after = fs::read_to_string(&kept).unwrap();
    fs::remove_file(&kept).unwrap();
    assert!(exit.success(), "{output}");
    assert_eq!(output, "new\n");
    assert_eq!(after, "kept");
    assert!(!Path::new(&written).exists() && !Path::new("/in-the-root").exists());
    assert!(fs::read_to_string("/etc/passwd").unwrap().contains("root"));
    assert_ne!(fs::read("/usr/bin/env").unwrap(), b"over\n");
}

#[tokio::test]
async fn the_data_folder_and_homes_are_hidden() {
    // Where containers would see it, were it not masked.
    let bench = Bench::in_folder(EngineKind::Sandbox, Path::new("/var/lib"), vec![]).await;
    let secret = bench.folder.path().join("master.key");
    fs::write(&secret, "secret").unwrap();
    let data = bench.folder.path().display();
    let (exit, output) = bench.run(&format!("ls -A {data} /root /home /tmp /var/tmp; cat {data}/master.key")).await;
    assert!(!exit.success());
    assert!(!output.contains("secret\n"), "{output}");
    let listed: Vec<_> = output.lines().filter(|line| !line.is_empty() && !line.contains(':')).collect();
    assert!(listed.is_empty(), "{listed:?}");
}

#[tokio::test]
async fn reaches_only_its_own_loopback() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let script = format!(
        "python=/usr/bin/python3; $python -c 'import socket; socket.create_connection((\"127.0.0.1\", {port}), 2)' \
         2>&1 | tail -n 1; ls /sys/class/net; cat /proc/net/fib_trie | grep 169.254.170.2 | head -n 1"
    );
    let (_, output) = Bench::sandbox().await.run(&script).await;
    let lines: Vec<_> = output.lines().map(str::trim).collect();
    assert!(lines[0].contains("Connection refused"), "{output}");
    assert_eq!(lines[1..], ["lo", "|-- 169.254.170.2"]);
}

#[tokio::test]
async fn the_link_local_address_can_be_listened_on_or_left_out() {
    let bench = Bench::sandbox().await;
    let script = "/usr/bin/python3 -c 'import socket; s = socket.create_server((\"169.254.170.2\", 80)); \
                  socket.create_connection((\"169.254.170.2\", 80), 2); print(\"ok\")' 2>&1 | tail -n 1";
    let (_, output) = bench.run(script).await;
    assert_eq!(output, "ok\n");
    let mut without = ContainerSpec::new("without", ["sh", "-c", script]);
    without.link_local = false;
    let (_, output) = bench.run_spec(without).await;
    assert!(output.contains("Cannot assign requested address"), "{output}");
}

#[tokio::test]
async fn root_inside_cannot_change_the_machine() {
    let script = "grep CapEff /proc/self/status; grep -E 'NoNewPrivs|Seccomp:' /proc/self/status; \
                  mount -t tmpfs none /mnt 2>&1 || echo no-mount; \
                  ip addr add 10.0.0.1/8 dev lo 2>/dev/null || echo no-address; \
                  echo 1 > /proc/sys/kernel/sysrq 2>/dev/null || echo no-sysctl; \
                  unshare -n true 2>/dev/null || echo no-namespace; \
                  mknod /tmp/disk b 254 0 2>/dev/null; head -c 1 /tmp/disk 2>/dev/null || echo no-disk";
    let (_, output) = Bench::sandbox().await.run(script).await;
    for word in ["no-mount", "no-address", "no-sysctl", "no-namespace", "no-disk"] {
        assert!(output.contains(word), "{word} in {output}");
    }
    assert!(output.contains("00000000a80425fb"), "the usual capabilities: {output}");
    assert!(output.contains("NoNewPrivs:\t1") && output.contains("Seccomp:\t2"), "{output}");
}

#[tokio::test]
async fn sees_its_own_name_processes_and_environment() {
    let bench = Bench::sandbox().await;
    let script = "hostname; echo $$; getent hosts build-7; echo $GREETING; pwd; ls -d /dev/shm /dev/pts /dev/mqueue; \
                  cat /etc/resolv.conf; /usr/bin/id -u";
    let mut spec = ContainerSpec::new("job", ["sh", "-c", script]);
    spec.hostname = "build-7".to_owned();
    spec.workdir = "/codebuild/src".into();
    spec.environment.insert("GREETING".to_owned(), "hi there".to_owned());
    let (exit, output) = bench.run_spec(spec).await;
    assert!(exit.success(), "{output}");
    let lines: Vec<_> = output.lines().collect();
    assert_eq!(lines[..2], ["build-7", "1"]);
    assert!(lines[2].starts_with("127.0.1.1"), "{output}");
    assert_eq!(lines[3..5], ["hi there", "/codebuild/src"]);
    assert!(!output.contains("nameserver"));
}

#[tokio::test]
async fn mounts_are_there_with_their_rights_and_the_agent_too() {
    let bench = Bench::sandbox().await;
    let (shared, writable) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(shared.path().join("file"), "read me\n").unwrap();
    let script = "cat /landfall/file; touch /landfall/x 2>/dev/null || echo read-only; echo out > /out/file; \
                  test -x /landfall/bin/landfall-agent && echo agent; \
                  (echo x > /landfall/bin/landfall-agent) 2>/dev/null || echo agent-read-only";
    let mut spec = ContainerSpec::new("job", ["sh", "-c", script]);
    let mount = |host: &Path, container: &str, read_only| Mount {
        host: host.to_path_buf(),
        container: container.into(),
        read_only,
    };
    spec.mounts = vec![mount(shared.path(), "/landfall", true), mount(writable.path(), "/out", false)];
    let (_, output) = bench.run_spec(spec).await;
    assert_eq!(output, "read me\nread-only\nagent\nagent-read-only\n");
    assert_eq!(fs::read_to_string(writable.path().join("file")).unwrap(), "out\n");
}

#[tokio::test]
async fn a_program_that_is_not_there_is_refused_in_words() {
    let bench = Bench::sandbox().await;
    let spec = ContainerSpec::new("job", ["no-such-program"]);
    let error = bench.engine.start(&spec).await.unwrap_err().to_string();
    assert!(error.contains("no-such-program"), "{error}");
    let again = ContainerSpec::new("job", ["true"]);
    assert!(bench.run_spec(again).await.0.success());
}

#[tokio::test]
async fn a_further_command_is_in_the_same_namespaces() {
    let bench = Bench::sandbox().await;
    let namespaces = "for kind in net pid mnt ipc uts cgroup; do readlink /proc/self/ns/$kind; done";
    let spec = ContainerSpec::new("a", ["sh", "-c", &format!("{namespaces}; exec sleep 60")]);
    bench.engine.prepare(&ImageRequest::of("host")).await.unwrap();
    bench.engine.start(&spec).await.unwrap();
    let further = bench.engine.exec("a", &Exec::new(["sh", "-c", namespaces]), 4096).await.unwrap();
    let first = bench.engine.output("a", 0).await.unwrap().next().await.unwrap().unwrap();
    bench.engine.remove("a").await.unwrap();
    let further = String::from_utf8_lossy(&further.stdout).into_owned();
    assert_eq!(further.lines().count(), 6);
    assert!(further.starts_with(&*String::from_utf8_lossy(&first)), "{further}");
    assert!(!further.contains(fs::read_link("/proc/self/ns/net").unwrap().to_str().unwrap()));
}

/// Each as the machine's services keep them, made where it is not there already.
#[tokio::test]
async fn the_machines_keys_are_hidden() {
    let name = format!("landfall-test-{}", std::process::id());
    let made: Vec<PathBuf> = ["/etc/ssl/private", "/etc/kubernetes", "/var/lib/kubelet", "/srv"]
        .into_iter()
        .map(|folder| Path::new(folder).join(format!("{name}.key")))
        .chain([PathBuf::from(format!("/etc/ssh/ssh_host_{name}_key")), PathBuf::from(format!("/etc/{name}"))])
        .collect();
    let folders: Vec<&Path> = made.iter().filter_map(|path| path.parent()).filter(|folder| !folder.exists()).collect();
    for path in &made {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "hunter2").unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let paths: Vec<_> = made.iter().map(|path| path.to_str().unwrap()).collect();
    let script =
        format!("cat {} /etc/shadow 2>/dev/null; ls /etc/ssl/certs > /dev/null && echo certificates", paths.join(" "));
    let (_, output) = Bench::sandbox().await.run(&script).await;
    for path in &made {
        fs::remove_file(path).unwrap();
    }
    for folder in folders {
        fs::remove_dir(folder).unwrap();
    }
    assert!(!output.contains("hunter2"), "{output}");
    assert!(output.contains("root:*:") && output.contains("certificates"), "{output}");
    assert!(output.lines().filter(|line| line.contains(':')).all(|line| line.contains(":*:")), "{output}");
}

#[tokio::test]
async fn the_machines_sockets_are_out_of_reach() {
    let name = format!("landfall-test-{}.sock", std::process::id());
    let paths: Vec<PathBuf> =
        ["/run", "/tmp", "/var/lib", "/opt"].into_iter().map(|folder| Path::new(folder).join(&name)).collect();
    let listeners: Vec<_> = paths.iter().map(|path| std::os::unix::net::UnixListener::bind(path).unwrap()).collect();
    for path in &paths {
        fs::set_permissions(path, fs::Permissions::from_mode(0o666)).unwrap();
    }
    let tries: String = paths
        .iter()
        .map(|path| {
            let connect = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])";
            format!("/usr/bin/python3 -c '{connect}' {} 2>/dev/null && echo reached; ", path.display())
        })
        .collect();
    let (_, output) = Bench::sandbox().await.run(&format!("{tries} echo tried")).await;
    drop(listeners);
    for path in &paths {
        fs::remove_file(path).unwrap();
    }
    assert_eq!(output, "tried\n");
}

#[tokio::test]
async fn limits_of_processes_are_lowered_alone() {
    let (exit, output) = Bench::sandbox().await.run("ulimit -Hc; ulimit -Hn; ulimit -n").await;
    assert!(exit.success(), "{output}");
    let hard = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).unwrap().1.min(65_536);
    assert_eq!(output, format!("0\n{hard}\n{hard}\n"));
}

#[tokio::test]
async fn packages_can_be_installed() {
    // From a file, for there is no network: what dpkg needs of the machine's files is there and can be written.
    let script = "set -e; cd /tmp; mkdir -p p/DEBIAN p/usr/share/tiny; echo hello > p/usr/share/tiny/hello; \
                  printf 'Package: tiny\nVersion: 1\nArchitecture: all\nMaintainer: x <x@x>\nDescription: x\n' > p/DEBIAN/control; \
                  dpkg-deb -b p tiny.deb > /dev/null; dpkg -i tiny.deb > /dev/null; useradd ann; cat /usr/share/tiny/hello; \
                  getent passwd ann | cut -d: -f1";
    let (exit, output) = Bench::sandbox().await.run(script).await;
    assert!(exit.success(), "{exit}: {output}");
    assert_eq!(output, "hello\nann\n");
    assert!(!Path::new("/usr/share/tiny").exists());
}
