//! A machine and a world, in network namespaces of the test's own: nothing of the real machine's network is seen or changed.
//!
//! ```text
//! machine: up0 198.51.100.2 === 198.51.100.1 world, which also is 203.0.113.7 and 169.254.169.254
//! ```
//!
//! In the world a server answers HTTP and knows one name.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use engine::{ContainerSpec, Engine, EngineKind, EngineOptions, Network, WayOut};
use futures::StreamExt;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use tempfile::TempDir;

/// The machine's address on its way to the world.
pub(crate) const MACHINE: &str = "198.51.100.2";
/// The world's server, and the name it has there.
pub(crate) const SERVER: &str = "203.0.113.7";
pub(crate) const NAME: &str = "web.example";

const SERVER_SCRIPT: &str = include_str!("server.py");

/// This thread's machine.
pub(crate) struct World {
    server: Child,
    /// What lies over /etc/resolv.conf.
    resolv_conf: tempfile::NamedTempFile,
}

/// Runs a test on a machine of its own, in a thread whose namespaces the engine and all its processes inherit.
pub(crate) fn on_a_machine<F: Future<Output = ()>>(test: impl FnOnce(World) -> F + Send + 'static) {
    let thread = std::thread::spawn(|| {
        let world = World::make();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test(world));
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

impl World {
    fn make() -> Self {
        let mut server = Command::new("unshare")
            .args(["--net", "--kill-child", "/usr/bin/python3", "-c", SERVER_SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut words = BufReader::new(server.stdout.take().unwrap());
        let mut line = || {
            let mut line = String::new();
            words.read_line(&mut line).unwrap();
            line.trim().to_owned()
        };
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).unwrap();
        let pid = line();
        ip(&format!("link add up0 type veth peer name eth0 netns {pid}"));
        for command in [
            "link set lo up",
            "link set up0 up",
            &format!("addr add {MACHINE}/24 dev up0"),
            "route add default via 198.51.100.1",
        ] {
            ip(command);
        }
        server.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
        assert_eq!(line(), "ready");
        let mut resolv_conf = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        resolv_conf.as_file().set_permissions(fs::Permissions::from_mode(0o644)).unwrap();
        writeln!(resolv_conf, "nameserver {SERVER}\nsearch example").unwrap();
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_PRIVATE | MsFlags::MS_REC, None::<&str>).unwrap();
        let over = fs::canonicalize("/etc/resolv.conf").unwrap_or_else(|_| "/etc/resolv.conf".into());
        mount(Some(resolv_conf.path()), &over, None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
        // What is not the test's own it does not know: the file systems of other namespaces.
        Self { server, resolv_conf }
    }

    /// Gives the machine IPv6, by which the world's server is 2001:db8:7::7.
    pub(crate) fn with_ipv6(self) -> Self {
        ip("addr add 2001:db8:1::2/64 dev up0 nodad");
        ip("route add default via 2001:db8:1::1");
        self
    }

    /// Hides iptables, so that nft is what changes the packet filter.
    pub(crate) fn without_iptables(self) -> Self {
        for program in ["iptables-restore", "iptables-save"] {
            let path = fs::canonicalize(format!("/usr/sbin/{program}")).unwrap();
            mount(Some("/dev/null"), &path, None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
        }
        self
    }

    /// Lets ordinary users make devices, as most machines do: with the device's file open to all, or closed.
    pub(crate) fn set_tunnels(&self, mode: u32) {
        let file = self.resolv_conf.path().with_extension("tun");
        let kind = nix::sys::stat::SFlag::S_IFCHR;
        nix::sys::stat::mknod(&file, kind, nix::sys::stat::Mode::empty(), nix::sys::stat::makedev(10, 200)).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        mount(Some(&file), "/dev/net/tun", None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
        fs::remove_file(file).unwrap();
    }

    /// Lets the machine ask a resolver on its own loopback, which knows the world's server by its name.
    pub(crate) fn resolve_locally(&self) {
        fs::write(self.resolv_conf.path(), "nameserver 127.0.0.53\n").unwrap();
        let resolver = std::net::UdpSocket::bind("127.0.0.53:53").unwrap();
        std::thread::spawn(move || {
            let mut question = [0; 512];
            while let Ok((length, asker)) = resolver.recv_from(&mut question) {
                let name = question[12..length].iter().position(|byte| *byte == 0).unwrap();
                let end = 12 + name + 5;
                let answers = u8::from(question[end - 3] == 1);
                let mut answer =
                    [&question[..2], &[0x81, 0x80, 0, 1, 0, answers, 0, 0, 0, 0], &question[12..end]].concat();
                if answers > 0 {
                    answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 203, 0, 113, 7]);
                }
                resolver.send_to(&answer, asker).unwrap();
            }
        });
    }

    /// What is left of containers' networks on the machine: devices, rules and programs.
    pub(crate) fn left_behind(&self) -> Vec<String> {
        let links = output("ip", &["-brief", "link"]);
        let links = links.lines().filter(|line| !line.starts_with("lo ") && !line.starts_with("up0"));
        let rules = output("iptables-save", &[]) + &output("nft", &["list", "ruleset"]);
        let rules: Vec<String> = rules.lines().filter(|line| line.contains("landfall")).map(str::to_owned).collect();
        links.map(str::to_owned).chain(rules).chain(programs()).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // It ends at the end of its input too.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// The helpers in this thread's network namespace.
pub(crate) fn programs() -> Vec<String> {
    let here = fs::read_link("/proc/thread-self/ns/net").unwrap();
    let name = |entry: fs::DirEntry| {
        let same = fs::read_link(entry.path().join("ns/net")).is_ok_and(|other| other == here);
        let name = fs::read_to_string(entry.path().join("comm")).ok()?;
        let dead = fs::read_to_string(entry.path().join("stat")).ok()?.contains(") Z ");
        (same && !dead && ["pasta", "passt", "slirp"].iter().any(|helper| name.starts_with(helper))).then_some(name)
    };
    fs::read_dir("/proc").unwrap().flatten().filter_map(name).collect()
}

pub(crate) fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split(' ')).status().unwrap();
    assert!(status.success(), "ip {arguments}");
}

fn output(program: &str, arguments: &[&str]) -> String {
    // Hidden by the test, it is not there.
    let output = Command::new(program).args(arguments).output();
    output.map(|output| String::from_utf8(output.stdout).unwrap()).unwrap_or_default()
}

/// An engine on the machine of this thread.
pub(crate) struct Bench {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) options: EngineOptions,
    pub(crate) folder: TempDir,
}

impl Bench {
    pub(crate) async fn with(way_out: WayOut) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let program = PathBuf::from(env!("CARGO_BIN_EXE_engine-test-program"));
        let kind = EngineKind::Sandbox;
        let options =
            EngineOptions { trust_host_image: true, way_out, ..EngineOptions::new(kind, folder.path(), program) };
        Self { engine: engine::open(options.clone()).await.unwrap(), options, folder }
    }

    /// Drops the engine and opens another one on the same data folder.
    pub(crate) async fn restart(&mut self) {
        let elsewhere = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let stand_in = EngineOptions { data_dir: elsewhere.path().into(), ..self.options.clone() };
        self.engine = engine::open(EngineOptions { way_out: WayOut::None, ..stand_in }).await.unwrap();
        self.engine = engine::open(self.options.clone()).await.unwrap();
    }

    /// Runs a script to its end, and answers what it wrote.
    pub(crate) async fn run(&self, script: &str) -> String {
        self.engine.start(&outside("job", script)).await.unwrap();
        self.engine.wait("job").await.unwrap();
        let output = self.output("job").await;
        self.engine.remove("job").await.unwrap();
        output
    }

    /// A container's output to its end.
    pub(crate) async fn output(&self, id: &str) -> String {
        let mut output = self.engine.output(id, 0).await.unwrap();
        let mut bytes = Vec::new();
        while let Some(chunk) = output.next().await {
            bytes.extend(chunk.unwrap());
        }
        String::from_utf8(bytes).unwrap()
    }

    /// What the container's shim and helper said.
    fn log(&self, id: &str) -> String {
        let folder = self.folder.path().join("containers").join(id);
        let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
        ["shim.log", "network.log", "runtime.log"].map(read).concat()
    }

    /// The container's output up to the first line's end.
    pub(crate) async fn first_line(&self, id: &str) -> String {
        let mut output = self.engine.output(id, 0).await.unwrap();
        let mut bytes = Vec::new();
        while !bytes.contains(&b'\n') {
            match output.next().await {
                Some(chunk) => bytes.extend(chunk.unwrap()),
                None => unreachable!("{id} ended: {:?}, {}", self.engine.wait(id).await, self.log(id)),
            }
        }
        String::from_utf8_lossy(&bytes).trim().to_owned()
    }
}

/// A container with a way out that runs a Python script.
pub(crate) fn outside(id: &str, script: &str) -> ContainerSpec {
    let mut spec = ContainerSpec::new(id, ["/usr/bin/python3", "-c", script]);
    spec.network = Network::Outside;
    spec
}

/// A server on an address of the machine that says a secret to whoever connects, for ever.
pub(crate) fn secret_at(address: &str) -> u16 {
    let listener = std::net::TcpListener::bind((address, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let _ = stream.write_all(b"secret");
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = stream.read(&mut [0; 16]);
        }
    });
    port
}
