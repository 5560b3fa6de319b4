//! `landfall-agent shim --bundle DIR`: stands between the server and one container, so that the container, its output
//! and its end outlive a restart of the server.
//!
//! In a session of its own it makes the container's namespaces for users (where Landfall is no root), mounts and network,
//! lays out the container's root there, has the OCI runtime start the container, writes its standard output and error into
//! the bundle's output file, says on its standard output whether that worked, waits for the container's first process, and
//! writes how it ended. All mounts are in its own namespace: with the last process they are gone, whoever was killed. Its
//! standard input is the write end of the bundle's `alive` pipe: while it lives, readers of the pipe wait; when it is gone,
//! however it went, they see the end.
//!
//! `landfall-agent shim --remove FOLDER` deletes a bundle in whose space other users than this one have files: those of a
//! user namespace. `landfall-agent shim --within PID PROGRAM ARGUMENT…` runs a program in the namespaces of a shim: the runtime, for a further
//! command in the container.

mod bundle;
mod disk;
mod groups;
mod identity;
mod layout;
pub mod network;
mod output;
mod record;
mod removal;
mod watch;
mod within;

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, PipeWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, dup2_stdout, setsid};

pub use bundle::Bundle;
pub use groups::Groups;
pub use identity::{IdRange, Identities};
pub use layout::{CopiedFile, Folder, Layout, Link, Overlay, TextFile};
pub(crate) use network::loopback;
use output::Collector;
pub use record::{Disk, ExitRecord, Report, Runtime, ShimConfig};
pub use removal::remove_tree;

/// How long between two looks at a process that is somebody else's child for a moment still.
const BETWEEN: Duration = Duration::from_millis(1);

/// The subcommand's entry; call it before any thread is started, for it changes this process's namespaces.
pub fn main(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let flag = arguments.next().and_then(|flag| flag.into_string().ok());
    match (flag.as_deref(), arguments.next()) {
        (Some("--bundle"), Some(bundle)) => run(&Bundle::new(PathBuf::from(bundle))),
        (Some("--remove"), Some(folder)) => remove(&Bundle::new(PathBuf::from(folder))),
        (Some("--within"), Some(pid)) => within::main(&pid, arguments),
        (Some(network::HELPER_FLAG), Some(program)) => network::helper_main([program].into_iter().chain(arguments)),
        (Some(network::TRIAL_FLAG), Some(folder)) => network::trial_main(folder),
        _ => {
            eprintln!("usage: landfall-agent shim --bundle DIR | --remove DIR | --within PID PROGRAM ARGUMENT...");
            ExitCode::from(64)
        }
    }
}

fn run(bundle: &Bundle) -> ExitCode {
    let run = || -> io::Result<()> {
        let config = bundle.read_config()?;
        let started = start(bundle, &config)?;
        report(&Report::Started { pid: started.pid.as_raw() });
        finish(bundle, &config, started)
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // In the bundle's shim.log: after the start nobody listens to reports any more.
            eprintln!("{error}");
            report(&Report::Failed { reason: error.to_string() });
            ExitCode::FAILURE
        }
    }
}

/// Deletes the bundle, as root of a user namespace like the container's.
fn remove(bundle: &Bundle) -> ExitCode {
    let removed = || -> io::Result<()> {
        if let Some(identities) = bundle.read_config()?.identities {
            identities.enter()?;
        }
        remove_tree(bundle.path())
    };
    match removed() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("landfall-agent: {}: {error}", bundle.path().display());
            ExitCode::FAILURE
        }
    }
}

/// A container that runs.
struct Started {
    /// Its first process.
    pid: Pid,
    network: network::Attached,
    output: Collector,
}

/// Brings the container to life.
fn start(bundle: &Bundle, config: &ShimConfig) -> io::Result<Started> {
    // A shim that is a group leader already (started by hand) stays in its session, which does no harm.
    setsid().ok();
    set_child_subreaper(true)?;
    std::fs::write(bundle.shim_pid(), std::process::id().to_string())?;
    let outside = network::before(&config.network, config.identities.is_some(), bundle.path())?;
    if let Some(identities) = &config.identities {
        identities.enter()?;
    }
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET)?;
    mount_apart()?;
    let network = network::attach(outside, &config.network, bundle.path())?;
    let started = make(bundle, config).and_then(|()| launch(bundle, config, network));
    if started.is_err() {
        // Nothing ran, so the mark must not make this a vanished container.
        bundle.unmark_launched()?;
    }
    started
}

/// What is mounted here is not seen by the machine; what the machine unmounts goes here too, so that no disk stays busy.
fn mount_apart() -> io::Result<()> {
    Ok(mount(None::<&str>, "/", None::<&str>, MsFlags::MS_SLAVE | MsFlags::MS_REC, None::<&str>)?)
}

/// Lays the container out while the disk takes the mark that it may have run, and waits for both.
fn make(bundle: &Bundle, config: &ShimConfig) -> io::Result<()> {
    thread::scope(|both| {
        let mark = both.spawn(|| bundle.mark_launched());
        let laid_out = lay_out(bundle, config);
        let marked = mark.join().unwrap_or_else(|_| Err(io::Error::other("its launch could not be marked")));
        laid_out.and(marked)
    })
}

/// Makes the container's writable space and root.
fn lay_out(bundle: &Bundle, config: &ShimConfig) -> io::Result<()> {
    let space = bundle.space();
    if let Some(Disk::Image(image)) = &config.disk {
        disk::mount_image(image, &space)?;
    }
    if let Some(hidden) = &config.runtime.covered {
        // Covered rather than unmounted, for which the kernel would wait some time.
        mount(Some("tmpfs"), hidden, Some("tmpfs"), MsFlags::empty(), Some("size=256k"))?;
    }
    config.layout.make(&space, config.identities.is_some())
}

/// Has the runtime start the container, which keeps the network namespace of this process. Where its way out is still being
/// made, the runtime makes the container meanwhile, and starts its first process after both.
fn launch(bundle: &Bundle, config: &ShimConfig, network: network::Attached) -> io::Result<Started> {
    let (output, writer) = collect_output(bundle, config)?;
    let network = if network.is_ready() {
        call(bundle, config, &["run", "--detach"], Some(writer))?;
        network
    } else {
        call(bundle, config, &["create"], Some(writer))?;
        let network = network.ready()?;
        call(bundle, config, &["start"], None)?;
        network
    };
    let pid = std::fs::read_to_string(bundle.pid_file())?;
    let pid = pid.trim().parse().map(Pid::from_raw).map_err(io::Error::other)?;
    Ok(Started { pid, network, output })
}

/// What the container writes goes into the bundle, as long as it is no more than its disk may hold.
fn collect_output(bundle: &Bundle, config: &ShimConfig) -> io::Result<(Collector, PipeWriter)> {
    let limit = config.disk.as_ref().map(Disk::size).transpose()?;
    let ended = bundle.clone();
    Collector::start(open_output(bundle)?, limit, move |output| {
        let mebibytes = limit.unwrap_or_default() >> 20;
        // Without the words the end is seen all the same.
        let _ = writeln!(output, "\nLandfall: ended, for its output was more than {mebibytes} MiB (--build-disk).");
        if let Some(pid) = ended.first_process() {
            // It may have ended since.
            let _ = kill(pid, Signal::SIGKILL);
        }
    })
}

/// Calls the runtime; with an `output` it makes the container.
fn call(bundle: &Bundle, config: &ShimConfig, words: &[&str], output: Option<PipeWriter>) -> io::Result<()> {
    let mut command = Command::new(&config.runtime.program);
    command.args(&config.runtime.options).arg("--root").arg(bundle.runtime_state());
    command.arg("--log").arg(bundle.runtime_log()).args(["--log-format", "json"]).args(words);
    if output.is_some() {
        command.arg("--bundle").arg(bundle.path()).arg("--pid-file").arg(bundle.pid_file());
    }
    command.arg(&config.container).current_dir(bundle.path()).stdin(Stdio::null());
    match output {
        Some(output) => command.stdout(output.try_clone()?).stderr(output),
        None => command.stdout(open_output(bundle)?).stderr(open_output(bundle)?),
    };
    let status = command.status()?;
    if status.success() {
        return Ok(());
    }
    let program = config.runtime.program.display();
    Err(io::Error::other(bundle.runtime_error().unwrap_or_else(|| format!("{program}: {status}"))))
}

fn open_output(bundle: &Bundle) -> io::Result<std::fs::File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(bundle.output())
}

/// Tells the server how the start went, then lets go of the pipe to it.
fn report(report: &Report) {
    let mut line = serde_json::to_vec(report).unwrap_or_default();
    line.push(b'\n');
    // The server may have been killed meanwhile: its successor finds the bundle's files.
    let _ = io::stdout().write_all(&line).and_then(|()| io::stdout().flush());
    if let Ok(null) = OpenOptions::new().write(true).open("/dev/null") {
        let _ = dup2_stdout(null);
    }
}

/// Waits for the container's end and records it.
fn finish(bundle: &Bundle, config: &ShimConfig, started: Started) -> io::Result<()> {
    let Started { pid, network, output } = started;
    if let Some(Disk::Watched(limit)) = config.disk {
        watch_disk(bundle, limit, pid);
    }
    let (code, signal) = wait_for(pid)?;
    if let Err(error) = output.finish() {
        // As with a full disk: how it ended is told all the same.
        eprintln!("landfall-agent: its output is not whole: {error}");
    }
    let groups = groups(config);
    let record = ExitRecord { code, signal, oom: groups.oom_killed() };
    let (recorded, removed) = thread::scope(|both| {
        let removal = both.spawn(|| groups.remove());
        // Where it cannot be written, as on a full disk, the rest goes all the same.
        let recorded = bundle.write_exit(&record);
        if let Err(error) = network.detach() {
            // The bundle's record says what is left, and the engine clears it with the bundle.
            eprintln!("landfall-agent: {error}");
        }
        // Who waits for the end by the bundle's pipe, which is the standard input, need not wait for the rest. Without this
        // word they see this process's own end.
        let _ = nix::unistd::write(io::stdin(), b".");
        (recorded, removal.join().unwrap_or(false))
    });
    if removed {
        // The runtime's state is what is left of the container besides the bundle; without it, nothing is left to delete.
        std::fs::remove_dir_all(bundle.runtime_state())?;
    }
    recorded
}

/// The container's control groups, without those of a hierarchy that the runtime was kept from.
fn groups(config: &ShimConfig) -> Groups {
    let covered = |group: &PathBuf| config.runtime.covered.as_ref().is_some_and(|hidden| group.starts_with(hidden));
    Groups::new(config.groups.iter().filter(|group| !covered(group)).cloned().collect())
}

/// Ends a container that writes too much where no file system of its own keeps it from that, and says so in its output.
fn watch_disk(bundle: &Bundle, limit: u64, pid: Pid) {
    let bundle = bundle.clone();
    watch::watch(bundle.space(), limit, move || {
        let mebibytes = limit >> 20;
        let words = format!("\nLandfall: ended, for more than {mebibytes} MiB were written to disk (--build-disk).\n");
        // Without the words the end is seen all the same.
        let _ = open_output(&bundle).and_then(|mut output| output.write_all(words.as_bytes()));
        // The number is the container's own as long as this process has not waited for it, with which it ends.
        let _ = kill(pid, Signal::SIGKILL);
    });
}

/// The exit code or the signal of `pid`, a child of this process (the runtime's, which left it behind).
fn wait_for(pid: Pid) -> io::Result<(Option<i32>, Option<i32>)> {
    loop {
        match waitpid(pid, None) {
            Ok(WaitStatus::Exited(_, code)) => return Ok((Some(code), None)),
            Ok(WaitStatus::Signaled(_, signal, _)) => return Ok((None, Some(signal as i32))),
            Ok(_) | Err(Errno::EINTR) => {}
            // crun has ended, but a process between it and the container has not yet: then it becomes this one's child.
            Err(Errno::ECHILD) if Path::new(&format!("/proc/{pid}")).exists() => thread::sleep(BETWEEN),
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn wants_a_bundle_or_a_shims_number() {
        for wrong in [&["--bundle"][..], &["--what", "x"], &[], &["--within", "me", "true"], &["--within", "1"]] {
            let code = main(wrong.iter().map(OsString::from).collect::<Vec<_>>().into_iter());
            assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(64)), "{wrong:?}");
        }
    }

    #[test]
    #[expect(clippy::zombie_processes, reason = "the function under test waits for it")]
    fn tells_codes_from_signals() {
        for (script, expected) in
            [("exit 7", (Some(7), None)), ("kill -TERM $$", (None, Some(15))), ("true", (Some(0), None))]
        {
            let child = Command::new("sh").args(["-c", script]).spawn().unwrap();
            let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
            assert_eq!(wait_for(pid).unwrap(), expected, "{script}");
        }
    }
}
