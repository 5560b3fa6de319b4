use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use nix::sched::{CloneFlags, setns};

/// Becomes the program, in the user and mount namespaces of process `pid`.
pub(super) fn main(pid: &OsStr, mut command: impl Iterator<Item = OsString>) -> ExitCode {
    let number = pid.to_str().and_then(|text| text.parse::<u32>().ok());
    let (Some(number), Some(program)) = (number, command.next()) else {
        eprintln!("usage: landfall-agent shim --within PID PROGRAM ARGUMENT...");
        return ExitCode::from(64);
    };
    let error = match enter(number) {
        Ok(()) => Command::new(program).args(command).exec(),
        Err(error) => error,
    };
    eprintln!("landfall-agent: {error}");
    ExitCode::FAILURE
}

/// Joins the user namespace first, for it gives the right to join the other.
fn enter(pid: u32) -> io::Result<()> {
    let path = |kind: &str| format!("/proc/{pid}/ns/{kind}");
    let same = |kind: &str| -> io::Result<bool> {
        Ok(std::fs::read_link(path(kind))? == std::fs::read_link(format!("/proc/self/ns/{kind}"))?)
    };
    // Opened before, because afterwards this process may have lost the right to look.
    let (user, mount) = (File::open(path("user"))?, File::open(path("mnt"))?);
    // A process may not join the user namespace that it is in.
    if !same("user")? {
        setns(user, CloneFlags::CLONE_NEWUSER)?;
    }
    Ok(setns(mount, CloneFlags::CLONE_NEWNS)?)
}
