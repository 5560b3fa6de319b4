//! `landfall-agent shim --bundle DIR --runc PROGRAM`: stands between the server and one container, so that
//! the container, its output and its end outlive a restart of the server.
//!
//! In a session of its own it makes the container's network namespace, has `runc` start the container with
//! standard output and error on the bundle's output file, says on its standard output whether that
//! worked, waits for the container's first process, and writes how it ended. Its standard input is the write end of
//! the bundle's `alive` pipe: while it lives, readers of the pipe wait; when it is gone, however it went,
//! they see the end.

mod bundle;
mod cgroup;
mod loopback;
mod record;

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, dup2_stdout, setsid};

pub use bundle::Bundle;
pub use record::{ExitRecord, Report, ShimConfig};

/// The subcommand's entry; call it before any thread is started, for it changes this process's namespaces.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let Some((bundle, runc)) = parse(arguments) else {
        eprintln!("usage: landfall-agent shim --bundle DIR --runc PROGRAM");
        return ExitCode::from(64);
    };
    match start(&bundle, &runc).and_then(|pid| {
        report(&Report::Started { pid: pid.as_raw() });
        finish(&bundle, pid)
    }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&Report::Failed { reason: error.to_string() });
            ExitCode::FAILURE
        }
    }
}

fn parse(mut arguments: impl Iterator<Item = OsString>) -> Option<(Bundle, PathBuf)> {
    let (mut bundle, mut runc) = (None, None);
    while let Some(flag) = arguments.next() {
        let value = PathBuf::from(arguments.next()?);
        match flag.to_str()? {
            "--bundle" => bundle = Some(Bundle::new(value)),
            "--runc" => runc = Some(value),
            _ => return None,
        }
    }
    Some((bundle?, runc?))
}

/// Brings the container to life and answers the process id of its first process.
fn start(bundle: &Bundle, runc: &std::path::Path) -> io::Result<Pid> {
    // A shim that is a group leader already (started by hand) stays in its session, which does no harm.
    setsid().ok();
    set_child_subreaper(true)?;
    let config: ShimConfig = serde_json::from_slice(&std::fs::read(bundle.shim_config())?)?;
    unshare(CloneFlags::CLONE_NEWNET)?;
    loopback::bring_up(config.link_local)?;
    bundle.mark_launched()?;
    let started = launch(bundle, runc, &config.container);
    if started.is_err() {
        // Nothing ran, so the mark must not make this a vanished container.
        bundle.unmark_launched()?;
    }
    started
}

/// Has runc start the container. The container keeps the network namespace of this process.
fn launch(bundle: &Bundle, runc: &std::path::Path, container: &str) -> io::Result<Pid> {
    let output = OpenOptions::new().append(true).create(true).mode(0o600).open(bundle.output())?;
    let status = Command::new(runc)
        .arg("--root")
        .arg(bundle.runc_state())
        .arg("--log")
        .arg(bundle.runc_log())
        .args(["--log-format", "json", "run", "--detach", "--bundle"])
        .arg(bundle.path())
        .arg("--pid-file")
        .arg(bundle.pid_file())
        .arg(container)
        .current_dir(bundle.path())
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .status()?;
    if !status.success() {
        return Err(io::Error::other(bundle.runc_error().unwrap_or_else(|| format!("runc: {status}"))));
    }
    let pid = std::fs::read_to_string(bundle.pid_file())?;
    pid.trim().parse().map(Pid::from_raw).map_err(io::Error::other)
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
fn finish(bundle: &Bundle, pid: Pid) -> io::Result<()> {
    let (code, signal) = wait_for(pid)?;
    let cgroups = cgroup::Cgroups::of(bundle);
    let record = ExitRecord { code, signal, oom: cgroups.oom_killed() };
    bundle.write_exit(&record)?;
    if cgroups.remove() {
        // runc's state is what is left of the container besides the bundle; without it, nothing is left to delete.
        std::fs::remove_dir_all(bundle.runc_state())?;
    }
    Ok(())
}

/// The exit code or the signal of `pid`, a child of this process (runc's, that runc left behind).
fn wait_for(pid: Pid) -> io::Result<(Option<i32>, Option<i32>)> {
    loop {
        match waitpid(pid, None) {
            Ok(WaitStatus::Exited(_, code)) => return Ok((Some(code), None)),
            Ok(WaitStatus::Signaled(_, signal, _)) => return Ok((None, Some(signal as i32))),
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn arguments(words: &[&str]) -> Option<(Bundle, PathBuf)> {
        parse(words.iter().map(OsString::from).collect::<Vec<_>>().into_iter())
    }

    #[test]
    fn wants_both_arguments_and_no_others() {
        let (bundle, runc) = arguments(&["--runc", "/usr/bin/runc", "--bundle", "/b"]).unwrap();
        assert_eq!(bundle.path(), std::path::Path::new("/b"));
        assert_eq!(runc, PathBuf::from("/usr/bin/runc"));
        for wrong in [&["--bundle", "/b"][..], &["--bundle"], &["--what", "x"], &[]] {
            assert!(arguments(wrong).is_none(), "{wrong:?}");
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
