//! `landfall-agent enter`: the way into a container that a Docker or Podman daemon made. What becomes its first process, or a
//! further command, goes through here, because the daemon's own ways have gaps.
//!
//! - `enter first [--link-local] [--privileged] PROGRAM ARGUMENT…`: puts the network right (169.254.170.2 on `lo` if asked, the
//!   rest of 169.254.0.0/16 closed), gives up the capability for that, points both output streams at the engine's file, and
//!   becomes the program. A privileged one keeps the capability, and may make control groups below its own.
//! - `enter next [--privileged] PROGRAM ARGUMENT…`: gives up the capability, too, writes its process id as the first line, so that
//!   `enter kill PID` can end it, and becomes the program.
//!
//! It reads nothing that the container's image could have brought but the program's place.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use nix::mount::{MsFlags, mount};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::thread::{
    CapabilitySet, capabilities, capability_is_in_bounding_set, remove_capability_from_bounding_set, set_capabilities,
};

use crate::shim::loopback;

/// Where the first process's output goes.
pub const OUTPUT: &str = "/.landfall/output";
/// Where the first process says [`ENTERED`], or why it could not become the program.
pub const WORD: &str = "/.landfall/word";
/// Said when all is ready and only the program is left.
pub const ENTERED: &str = "entered\n";

const USAGE: &str = "usage: landfall-agent enter first [--link-local] [--privileged] PROGRAM… | next [--privileged] PROGRAM… | kill PID";

/// The subcommand's entry. It returns only where there is nothing to become.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<_> = arguments.collect();
    let Some(entry) = Entry::parse(&arguments) else {
        eprintln!("{USAGE}");
        return ExitCode::from(64);
    };
    match entry {
        Entry::First { link_local, privileged, command } => {
            let error = first(link_local, privileged, command);
            // Who started the container reads it there; nobody else is to hear of it.
            let _ = fs::write(WORD, error.to_string());
        }
        Entry::Next { privileged, command } => eprintln!("{}", next(privileged, command)),
        Entry::Kill(pid) => {
            // It may have ended just now.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            return ExitCode::SUCCESS;
        }
    }
    ExitCode::from(127)
}

#[derive(Debug, PartialEq, Eq)]
enum Entry<'a> {
    First { link_local: bool, privileged: bool, command: &'a [OsString] },
    Next { privileged: bool, command: &'a [OsString] },
    Kill(i32),
}

impl<'a> Entry<'a> {
    /// Flags come before the program, whose own arguments are not looked at.
    fn parse(arguments: &'a [OsString]) -> Option<Self> {
        let (kind, mut rest) = arguments.split_first()?;
        if kind == "kill" {
            return rest.first()?.to_str()?.parse().ok().filter(|pid| *pid > 1).map(Self::Kill);
        }
        let mut flag = |name: &str| match rest {
            [first, after @ ..] if first == name => {
                rest = after;
                true
            }
            _ => false,
        };
        let (link_local, privileged) = (flag("--link-local"), flag("--privileged"));
        match (kind.to_str()?, rest.is_empty()) {
            ("first", false) => Some(Self::First { link_local, privileged, command: rest }),
            ("next", false) if !link_local => Some(Self::Next { privileged, command: rest }),
            _ => None,
        }
    }
}

fn first(link_local: bool, privileged: bool, command: &[OsString]) -> io::Error {
    let prepared = || {
        loopback::bring_up(link_local)?;
        loopback::close_link_local()?;
        if privileged {
            open_groups()?;
        }
        give_up(privileged)?;
        let program = find(&command[0], std::env::var_os("PATH").as_deref())?;
        let output = OpenOptions::new().append(true).open(OUTPUT)?;
        let both = (output.try_clone()?, output);
        fs::write(WORD, ENTERED)?;
        Ok((program, both))
    };
    match prepared() {
        Ok((program, (stdout, stderr))) => {
            let mut command = becoming(&program, command);
            command.stdin(Stdio::null()).stdout(stdout).stderr(stderr).exec()
        }
        Err(error) => error,
    }
}

fn next(privileged: bool, command: &[OsString]) -> io::Error {
    let prepared = || {
        give_up(privileged)?;
        let program = find(&command[0], std::env::var_os("PATH").as_deref())?;
        let mut stdout = io::stdout();
        writeln!(stdout, "{}", std::process::id())?;
        stdout.flush()?;
        Ok(program)
    };
    match prepared() {
        Ok(program) => becoming(&program, command).exec(),
        Err(error) => error,
    }
}

fn becoming(program: &Path, command: &[OsString]) -> Command {
    let mut becoming = Command::new(program);
    becoming.arg0(&command[0]).args(&command[1..]);
    becoming
}

/// Gives the power over the network up for good: no program that this process becomes can have it again.
fn give_up(privileged: bool) -> io::Result<()> {
    let power = CapabilitySet::NET_ADMIN;
    if privileged {
        return Ok(());
    }
    if capability_is_in_bounding_set(power)? {
        remove_capability_from_bounding_set(power)?;
    }
    let mut sets = capabilities(None)?;
    for set in [&mut sets.effective, &mut sets.permitted, &mut sets.inheritable] {
        set.remove(power);
    }
    Ok(set_capabilities(None, sets)?)
}

/// Makes the container's own control groups writable, in which the daemon mounted them read-only.
fn open_groups() -> io::Result<()> {
    let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    for place in groups(&fs::read_to_string("/proc/self/mounts")?) {
        mount(None::<&str>, place, None::<&str>, flags, None::<&str>)?;
    }
    Ok(())
}

/// Where control groups are mounted. Paths of theirs have nothing that would be escaped there.
fn groups(mounts: &str) -> impl Iterator<Item = &str> {
    mounts.lines().filter_map(|line| match line.split(' ').collect::<Vec<_>>()[..] {
        [_, place, "cgroup" | "cgroup2", ..] => Some(place),
        _ => None,
    })
}

/// The program's file, looked up on `path` as a shell does.
fn find(program: &OsStr, path: Option<&OsStr>) -> io::Result<PathBuf> {
    let runs = |file: &PathBuf| {
        File::open(file)
            .and_then(|file| file.metadata())
            .is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
    };
    let found = if program.as_encoded_bytes().contains(&b'/') {
        Some(PathBuf::from(program)).filter(runs)
    } else {
        std::env::split_paths(path.unwrap_or_default()).map(|folder| folder.join(program)).find(runs)
    };
    let missing =
        || io::Error::new(ErrorKind::NotFound, format!("there is no program {} in the image", program.display()));
    found.ok_or_else(missing)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn flags_end_where_the_program_begins() {
        let line = words("first --link-local tool --privileged");
        assert_eq!(
            Entry::parse(&line),
            Some(Entry::First { link_local: true, privileged: false, command: &line[2..] })
        );
        let line = words("next --privileged tool");
        assert_eq!(Entry::parse(&line), Some(Entry::Next { privileged: true, command: &line[2..] }));
        assert_eq!(Entry::parse(&words("kill 17")), Some(Entry::Kill(17)));
        for wrong in ["", "first", "first --privileged", "next --link-local x", "kill", "kill 1", "kill -1", "other x"]
        {
            assert_eq!(Entry::parse(&words(wrong)), None, "{wrong}");
        }
    }

    #[test]
    fn finds_where_control_groups_are() {
        let mounts = "proc /proc proc rw 0 0\ntmpfs /sys/fs/cgroup tmpfs ro 0 0\n\
                      cgroup /sys/fs/cgroup/pids cgroup ro,nosuid 0 0\ncgroup2 /sys/fs/cgroup cgroup2 ro 0 0\n";
        assert_eq!(groups(mounts).collect::<Vec<_>>(), ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"]);
    }

    #[test]
    fn programs_are_found_as_a_shell_finds_them() {
        let folder = tempfile::tempdir().unwrap();
        let [plain, program] = ["plain", "program"].map(|name| folder.path().join(name));
        fs::write(&plain, "").unwrap();
        fs::write(&program, "").unwrap();
        fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        let path = std::env::join_paths([Path::new("/nowhere"), folder.path()]).unwrap();
        assert_eq!(find("program".as_ref(), Some(&path)).unwrap(), program);
        assert_eq!(find(program.as_ref(), None).unwrap(), program);
        for missing in ["plain", "other"] {
            assert!(find(missing.as_ref(), Some(&path)).unwrap_err().to_string().contains(missing));
        }
        assert!(find(folder.path().as_ref(), None).is_err());
    }
}
