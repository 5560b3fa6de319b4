//! The processes of containers: their shims, and their agents. Only what is known to be of our own data folder is touched.

use std::fs;
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::schedule::Victim;

/// Strikes a shim or a container's first process, and answers the container's id; nothing where there is none.
pub(super) fn strike(data: &Path, victim: Victim, pick: usize) -> Option<String> {
    let folder = data.join("containers");
    let mut found: Vec<(String, Pid)> = fs::read_dir(&folder)
        .ok()?
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|id| !id.starts_with('.'))
        .filter_map(|id| Some((id.clone(), process(&folder.join(&id), victim)?)))
        .collect();
    found.sort();
    let (id, pid) = found.get(pick.checked_rem(found.len())?)?;
    kill(*pid, Signal::SIGKILL).ok().map(|()| id.clone())
}

fn process(bundle: &Path, victim: Victim) -> Option<Pid> {
    let file = if victim == Victim::Shim { "shim.pid" } else { "pid" };
    let pid: i32 = fs::read_to_string(bundle.join(file)).ok()?.trim().parse().ok()?;
    let ours = match victim {
        Victim::Shim => fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?.contains(bundle.to_str()?),
        _ => fs::read_to_string(format!("/proc/{pid}/mountinfo")).ok()?.contains(bundle.to_str()?),
    };
    ours.then(|| Pid::from_raw(pid))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn touches_nothing_that_only_has_the_number() {
        let folder = tempfile::tempdir().unwrap();
        let bundle = folder.path().join("containers/one");
        fs::create_dir_all(&bundle).unwrap();
        for file in ["pid", "shim.pid"] {
            fs::write(bundle.join(file), std::process::id().to_string()).unwrap();
        }
        assert_eq!(strike(folder.path(), Victim::Shim, 0), None);
        assert_eq!(strike(folder.path(), Victim::Container, 0), None);
        assert_eq!(strike(&folder.path().join("missing"), Victim::Container, 0), None);
    }
}
