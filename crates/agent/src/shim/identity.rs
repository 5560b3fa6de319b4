//! The shim's user namespace, where Landfall runs as an ordinary user: who is who inside.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use nix::sched::{CloneFlags, unshare};
use serde::{Deserialize, Serialize};

/// Users and groups of a container as those of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identities {
    /// Its users. The first range maps root, 0, to the user who runs Landfall.
    pub users: Vec<IdRange>,
    /// Its groups.
    pub groups: Vec<IdRange>,
    /// `newuidmap` and `newgidmap`, which map what /etc/subuid and /etc/subgid give; without them there is one user and one
    /// group alone.
    pub programs: Option<(PathBuf, PathBuf)>,
}

/// `count` ids from `inside` on are those from `outside` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdRange {
    /// The first one in the container.
    pub inside: u32,
    /// The first one on the machine.
    pub outside: u32,
    /// How many.
    pub count: u32,
}

impl Identities {
    /// Takes this process, which must have one thread alone, into a user namespace of its own, in which it is root.
    ///
    /// # Errors
    /// The machine lets nobody make user namespaces, or the programs refuse the ranges; the text says which.
    pub(super) fn enter(&self) -> io::Result<()> {
        // Started before, for it must stay outside: only there may it map what is not this user's own.
        let mapper = self.programs.as_ref().map(|programs| self.mapper(programs)).transpose()?;
        unshare(CloneFlags::CLONE_NEWUSER).map_err(|error| {
            io::Error::other(format!("cannot make a user namespace ({error}): see sysctl user.max_user_namespaces"))
        })?;
        match mapper {
            Some(mapper) => let_map(mapper),
            None => self.map_one(),
        }
    }

    /// A child that maps this process's namespace when it reads a line.
    fn mapper(&self, (users, groups): &(PathBuf, PathBuf)) -> io::Result<Child> {
        let ranges = |ranges: &[IdRange]| {
            ranges
                .iter()
                .flat_map(|range| [range.inside, range.outside, range.count])
                .map(|id| id.to_string())
                .collect()
        };
        let (user_ids, group_ids): (Vec<String>, Vec<String>) = (ranges(&self.users), ranges(&self.groups));
        let script = "pid=$1 users=$2 groups=$3 count=$4; shift 4; read -r _ || exit 1; u=; \
                      while [ \"$count\" -gt 0 ]; do u=\"$u $1\"; shift; count=$((count - 1)); done; \
                      \"$users\" \"$pid\" $u && \"$groups\" \"$pid\" \"$@\"";
        Command::new("/bin/sh")
            .args(["-c", script, "sh", &std::process::id().to_string()])
            .args([users, groups])
            .arg(user_ids.len().to_string())
            .args(user_ids)
            .args(group_ids)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
    }

    /// Maps this user and group alone, which needs no privilege but that the process gives up changing its groups.
    fn map_one(&self) -> io::Result<()> {
        let line = |range: &IdRange| format!("{} {} {}", range.inside, range.outside, range.count);
        let first = |ranges: &[IdRange]| ranges.first().map(line).unwrap_or_default();
        std::fs::write("/proc/self/setgroups", "deny")?;
        std::fs::write("/proc/self/uid_map", first(&self.users))?;
        std::fs::write("/proc/self/gid_map", first(&self.groups))
    }
}

fn let_map(mut mapper: Child) -> io::Result<()> {
    if let Some(mut go) = mapper.stdin.take() {
        go.write_all(b"\n")?;
    }
    let output = mapper.wait_with_output()?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(io::Error::other(format!("the ranges of /etc/subuid and /etc/subgid could not be mapped: {}", words.trim())))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_mapper_calls_both_programs_with_their_ranges() {
        let folder = tempfile::tempdir().unwrap();
        let fake = |name: &str| {
            let (path, log) = (folder.path().join(name), folder.path().join(format!("{name}.log")));
            std::fs::write(&path, format!("#!/bin/sh\necho \"$@\" > {}\n", log.display())).unwrap();
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
            (path, log)
        };
        let ((users, users_log), (groups, groups_log)) = (fake("newuidmap"), fake("newgidmap"));
        let range = |inside, outside, count| IdRange { inside, outside, count };
        let identities = Identities {
            users: vec![range(0, 1000, 1), range(1, 100_000, 65_536)],
            groups: vec![range(0, 100, 1)],
            programs: Some((users, groups)),
        };
        let mapper = identities.mapper(identities.programs.as_ref().unwrap()).unwrap();
        let_map(mapper).unwrap();
        let pid = std::process::id();
        assert_eq!(std::fs::read_to_string(users_log).unwrap(), format!("{pid} 0 1000 1 1 100000 65536\n"));
        assert_eq!(std::fs::read_to_string(groups_log).unwrap(), format!("{pid} 0 100 1\n"));
    }

    #[test]
    fn says_why_ranges_were_refused() {
        let identities =
            Identities { users: vec![], groups: vec![], programs: Some(("/bin/sh".into(), "/bin/false".into())) };
        let mapper = identities.mapper(identities.programs.as_ref().unwrap()).unwrap();
        assert!(let_map(mapper).unwrap_err().to_string().contains("/etc/subuid"));
    }
}
