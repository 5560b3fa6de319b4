//! Clears at the start what died in the middle: containers whose shim was killed, makings and removals that were
//! interrupted, control groups without a container. What is this data folder's is known by name: control groups by the
//! folder's hash, processes by overlays whose upper layer is in it. Mounts, loop devices and namespaces need no clearing:
//! they are a shim's or a container's own, and gone with the last process.

use std::collections::HashSet;
use std::fs;
use std::thread;
use std::time::Duration;

use agent::shim::{Bundle, ExitRecord, Groups, network};
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use super::containers::Containers;
use super::machine::Machine;
use super::{removal, shim_watch};
use crate::EngineError;

/// How often a shim of a bundle that is not kept is looked at: ten seconds at least. A start takes a tenth of one.
const STOPPING: usize = 1_000;

/// Does so; containers whose shim lives are left alone.
pub(super) fn sweep(containers: &Containers, machine: &Machine) -> Result<(), EngineError> {
    let bundles = containers.bundles()?;
    let mut living = HashSet::new();
    let mut dead = Vec::new();
    for (name, bundle, kept) in bundles {
        if kept && shim_watch::is_alive(&bundle)? {
            living.insert(name);
        } else {
            dead.push((bundle, kept));
        }
    }
    if !dead.is_empty() {
        end_strays(containers, &living);
    }
    for (bundle, kept) in &dead {
        if *kept {
            end(bundle);
            record_loss(bundle);
        } else {
            stop(bundle)?;
            end(bundle);
            discard(bundle, machine);
        }
    }
    if let Some(cgroups) = &machine.cgroups {
        let prefix = containers.runtime_prefix();
        cgroups.sweep(&prefix, |group| group.strip_prefix(&prefix).is_some_and(|id| living.contains(id)));
    }
    Ok(())
}

/// Ends a shim of a bundle that is not kept. One that is just starting its container (as for the test of a runtime by a
/// server that was killed) has nothing to kill yet, and still writes into the bundle: it is waited for.
fn stop(bundle: &Bundle) -> Result<(), EngineError> {
    for _ in 0..STOPPING {
        if !shim_watch::is_alive(bundle)? {
            break;
        }
        kill(bundle);
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Deletes a bundle that nobody needs. What cannot be deleted now is no reason not to start, and is tried at the next start.
fn discard(bundle: &Bundle, machine: &Machine) {
    if let Err(error) = removal::delete(bundle, machine) {
        tracing::warn!(%error, "what is left of a container stays until the next start");
    }
}

/// Records that nobody saw the end of a container that ran, unless its shim did.
fn record_loss(bundle: &Bundle) {
    let vanished = ExitRecord { code: None, signal: None, oom: false };
    if bundle.was_launched()
        && !bundle.exit().exists()
        && let Err(error) = bundle.write_exit(&vanished)
    {
        // Whoever waits for it finds it lost all the same.
        tracing::warn!(%error, bundle = %bundle.path().display(), "a container's end cannot be recorded");
    }
}

/// Kills what runs in a container.
pub(super) fn kill(bundle: &Bundle) {
    // What the kernel has not let go of within a second is killed all the same; who waits for the end sees it.
    let _ = bundle.kill(&groups(bundle));
}

/// Kills what runs in a container without a shim, and clears what the kernel and the runtime keep of it.
pub(super) fn end(bundle: &Bundle) {
    let groups = groups(bundle);
    // It is tried again when the bundle is deleted.
    let _ = network::clear(bundle.path());
    // What the kernel has not let go of now is found again at the next start.
    if bundle.kill(&groups) && groups.remove() && bundle.runtime_state().exists() {
        let _ = fs::remove_dir_all(bundle.runtime_state());
    }
}

fn groups(bundle: &Bundle) -> Groups {
    Groups::new(bundle.read_config().map(|config| config.groups).unwrap_or_default())
}

/// Kills processes on layers in this folder whose container has no shim, and waits until they are gone.
fn end_strays(containers: &Containers, living: &HashSet<String>) {
    for _ in 0..100 {
        let strays = strays(containers, living);
        for &stray in &strays {
            // It may have ended since the list was made, and then there is nothing to kill.
            let _ = signal::kill(stray, Signal::SIGKILL);
        }
        if strays.is_empty() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

fn strays(containers: &Containers, living: &HashSet<String>) -> Vec<Pid> {
    let mark = Bundle::new(containers.path().to_path_buf()).mark();
    // `upperdir=DIR/containers/disk/` without its end: what follows is a container's id.
    let mark = mark.trim_end_matches("disk/");
    let stray = |entry: fs::DirEntry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let mounts = fs::read_to_string(entry.path().join("mountinfo")).ok()?;
        container_of(&mounts, mark).filter(|id| !living.contains(*id))?;
        // A process that has ended and waits for its parent has no mounts any more, so each of these runs.
        Some(Pid::from_raw(pid))
    };
    fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(stray).collect()
}

/// The container whose layers are in a process's list of mounts.
fn container_of<'a>(mounts: &'a str, mark: &str) -> Option<&'a str> {
    let (_, rest) = mounts.split_once(mark)?;
    rest.split('/').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_layers() {
        let mounts = "40 30 0:5 / / rw - overlay overlay rw,lowerdir=/usr,upperdir=/d/containers/b-1/disk/layers/usr/upper,\
                      workdir=/d/containers/b-1/disk/layers/usr/work\n";
        assert_eq!(container_of(mounts, "upperdir=/d/containers/"), Some("b-1"));
        assert_eq!(container_of(mounts, "upperdir=/other/containers/"), None);
        assert_eq!(container_of("", "upperdir=/d/containers/"), None);
    }
}
