//! What else runs containers on this machine: Docker, Podman, bubblewrap. Docker gets a daemon of its own, in namespaces
//! of its own, so that none of its devices, rules and mounts is left when it ends.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use tempfile::TempDir;

use crate::Options;
use crate::containers::{CONTAINERS, WARM_UP};
use crate::report::median;

/// How long a daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(50);
const IMAGE: &str = "landfall-benches:true";
/// Packs `true` with the libraries that it needs, as the root of an image.
const PACK: &str = "ldd /usr/bin/true | grep -o '/[^ ]*' | xargs readlink -e /usr/bin/true | \
                    tar --create --dereference --files-from - --absolute-names \
                        --transform 's,^/usr/lib/\\(.*\\)/\\(ld-linux.*\\),/lib64/\\2,'";
/// In network, mount and process namespaces that end with their first process, and control groups below one of its own.
const DAEMON: &str = "mount -t tmpfs tmpfs /run && ip link set lo up && exec dockerd --data-root \"$1/data\" \
                      --exec-root \"$1/exec\" --pidfile \"$1/pid\" --host \"unix://$1/docker.sock\" \
                      --storage-driver overlay2 --cgroup-parent landfall-bench";

/// One peer's figure.
pub(crate) struct Peer {
    /// Its command line, shortened.
    pub(crate) what: &'static str,
    /// The median, or why there is none.
    pub(crate) time: anyhow::Result<Duration>,
    /// The design's budget is measured against it.
    pub(crate) is_budget: bool,
}

pub(crate) fn measure(options: &Options) -> Vec<Peer> {
    let peer = |what, time, is_budget| Peer { what, time, is_budget };
    let (bridged, alone) = match Daemon::start(&options.folder) {
        Ok(daemon) => (daemon.run(&[]), daemon.run(&["--network", "none"])),
        Err(error) => (Err(error), Err(anyhow::anyhow!("as above"))),
    };
    vec![
        peer("docker run --rm", bridged, true),
        peer("docker run --rm --network none", alone, false),
        peer("podman run --rm --network none", podman(&options.folder), false),
        peer("bwrap --unshare-all", bubblewrap(), false),
    ]
}

/// A command that must succeed, with what it said where it does not.
fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{:?}", command.get_program()))?;
    ensure!(output.status.success(), "{:?}: {}", command.get_program(), String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

fn timed(mut command: impl FnMut() -> Command) -> anyhow::Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..WARM_UP + CONTAINERS {
        let mut command = command();
        let begin = Instant::now();
        run(&mut command)?;
        times.push(begin.elapsed());
    }
    Ok(median(times.split_off(WARM_UP)))
}

fn bubblewrap() -> anyhow::Result<Duration> {
    timed(|| {
        let mut command = Command::new("bwrap");
        command.args(["--unshare-all", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "true"]);
        command
    })
}

fn podman(folder: &Path) -> anyhow::Result<Duration> {
    let folder = TempDir::with_prefix_in("podman-bench-", folder)?;
    let podman = |arguments: &[&str]| {
        let mut command = Command::new("podman");
        command.arg("--root").arg(folder.path().join("root")).arg("--runroot").arg(folder.path().join("run"));
        command.args(["--runtime", "runc"]).args(arguments);
        command
    };
    let pack = folder.path().join("true.tar");
    run(Command::new("sh").arg("-c").arg(format!("{PACK} > '{}'", pack.display())))?;
    run(podman(&["import"]).arg(&pack).arg(IMAGE))?;
    // Podman's usual limits are above what an unprivileged root may set; these are below.
    let limits = ["--ulimit", "nofile=1024:4096", "--ulimit", "nproc=1024:2048"];
    let time = timed(|| {
        let mut command = podman(&["run", "--rm", "--network", "none"]);
        command.args(limits).args([IMAGE, "/usr/bin/true"]);
        command
    });
    run(&mut podman(&["rmi", "--all", "--force"]))?;
    time
}

/// A Docker daemon of our own.
struct Daemon {
    child: Child,
    folder: TempDir,
}

impl Daemon {
    fn start(folder: &Path) -> anyhow::Result<Self> {
        let folder = TempDir::with_prefix_in("docker-bench-", folder)?;
        let log = std::fs::File::create(folder.path().join("log"))?;
        let child = Command::new("unshare")
            .args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", DAEMON, "sh"])
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("unshare")?;
        let mut daemon = Self { child, folder };
        daemon.answers()?;
        run(Command::new("sh").arg("-c").arg(format!("{PACK} | docker import - {IMAGE}")).env(HOST, daemon.host()))?;
        Ok(daemon)
    }

    fn host(&self) -> String {
        format!("unix://{}", self.folder.path().join("docker.sock").display())
    }

    fn docker(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.args(arguments).env(HOST, self.host());
        command
    }

    fn answers(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while let Err(error) = run(&mut self.docker(&["version"])) {
            let log = || std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            if let Some(status) = self.child.try_wait()? {
                bail!("dockerd: {status}: {}", log().lines().last().unwrap_or_default());
            }
            ensure!(Instant::now() < deadline, "dockerd does not answer: {error:#}");
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// The median of `docker run --rm` with these arguments.
    fn run(&self, arguments: &[&str]) -> anyhow::Result<Duration> {
        timed(|| {
            let mut command = self.docker(&["run", "--rm"]);
            command.args(arguments).args([IMAGE, "/usr/bin/true"]);
            command
        })
    }
}

/// The variable by which Docker's client finds its daemon.
const HOST: &str = "DOCKER_HOST";

impl Drop for Daemon {
    fn drop(&mut self) {
        // `unshare --kill-child` takes the whole process namespace along.
        let _ = self.child.kill();
        let _ = self.child.wait();
        for group in groups() {
            let _ = std::fs::remove_dir(group);
        }
    }
}

/// The control group of the daemon's containers in each hierarchy.
fn groups() -> Vec<PathBuf> {
    let hierarchies = std::fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten().map(|entry| entry.path());
    hierarchies.chain([PathBuf::from("/sys/fs/cgroup")]).map(|path| path.join("landfall-bench")).collect()
}
