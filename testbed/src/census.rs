//! What a server holds of its machine: what of it rises with each build or deployment leaks.

use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::process::Server;

/// What a server held at one moment. Apart from memory and disk, a server that rests holds the same again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Census {
    /// Bytes of resident memory.
    pub memory: u64,
    /// Open files.
    pub descriptors: usize,
    /// Threads of the server's process.
    pub threads: usize,
    /// Processes of its containers and its children, dead ones that nobody waited for included.
    pub processes: usize,
    /// Dead ones among these.
    pub zombies: usize,
    /// Mounts that the server's process sees.
    pub mounts: usize,
    /// Control groups of its containers, in all hierarchies.
    pub groups: usize,
    /// Network namespaces that its processes are in, the machine's own left out.
    pub networks: usize,
    /// Folders and files of containers, their sockets and what waits to be sent.
    pub folders: usize,
    /// Bytes of the whole data folder on the disk.
    pub disk: u64,
}

/// Where the folders of single containers are, below the data folder.
const FOLDERS: [&str; 4] = ["containers", "run", "spool", "dummy"];

impl Census {
    /// Counts.
    ///
    /// # Errors
    /// The server is gone, or /proc cannot be read.
    pub fn of(server: &Server) -> anyhow::Result<Self> {
        let (pid, data) = (server.pid(), fs::canonicalize(server.data())?);
        let place = |name: &str| format!("/proc/{pid}/{name}");
        let prefix = group_prefix(&data);
        let owned = owned(pid, &prefix)?;
        let own_network = fs::read_link("/proc/self/ns/net")?;
        let networks: HashSet<_> =
            owned.iter().filter_map(|process| fs::read_link(process.join("ns/net")).ok()).collect();
        let dead = |process: &&PathBuf| state(process) == Some('Z');
        Ok(Self {
            memory: server.memory()?,
            descriptors: fs::read_dir(place("fd"))?.count(),
            threads: fs::read_dir(place("task"))?.count(),
            processes: owned.len(),
            zombies: owned.iter().filter(dead).count(),
            mounts: fs::read_to_string(place("mountinfo"))?.lines().count(),
            groups: groups(Path::new("/sys/fs/cgroup"), &prefix, 6),
            networks: networks.iter().filter(|network| **network != own_network).count(),
            folders: FOLDERS.iter().map(|name| entries(&data.join(name))).sum(),
            disk: size(&data),
        })
    }

    /// The names of what there is more of in `later`, memory and disk left out: nothing where nothing leaked.
    #[must_use]
    pub fn grown(&self, later: &Self) -> Vec<&'static str> {
        let pairs = self.counts().into_iter().zip(later.counts());
        pairs.filter(|((_, before), (_, after))| after > before).map(|((name, _), _)| name).collect()
    }

    fn counts(&self) -> [(&'static str, usize); 8] {
        [
            ("descriptors", self.descriptors),
            ("threads", self.threads),
            ("processes", self.processes),
            ("zombies", self.zombies),
            ("mounts", self.mounts),
            ("control groups", self.groups),
            ("network namespaces", self.networks),
            ("containers' folders", self.folders),
        ]
    }
}

impl fmt::Display for Census {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, count) in self.counts() {
            write!(f, "{count} {name}, ")?;
        }
        write!(f, "{:.1} MB memory, {:.1} MB disk", self.memory as f64 / 1e6, self.disk as f64 / 1e6)
    }
}

/// What the names of all control groups of a data folder's containers begin with (`engine::sandbox`): FNV-1a of its path.
fn group_prefix(data: &Path) -> String {
    let path = data.as_os_str().as_encoded_bytes();
    let (basis, prime) = (0xcbf2_9ce4_8422_2325_u64, 0x0100_0000_01b3);
    let hash = path.iter().fold(basis, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(prime));
    format!("{hash:016x}-")
}

/// The folders in /proc of the server's children and of what runs in its containers' control groups.
fn owned(server: u32, prefix: &str) -> anyhow::Result<Vec<PathBuf>> {
    let parent = format!("\nPPid:\t{server}\n");
    let belongs = |process: &PathBuf| {
        let text = |name: &str| fs::read_to_string(process.join(name)).unwrap_or_default();
        text("status").contains(&parent) || text("cgroup").contains(prefix)
    };
    let processes = fs::read_dir("/proc").context("/proc")?.filter_map(|entry| Some(entry.ok()?.path()));
    Ok(processes.filter(belongs).collect())
}

fn state(process: &Path) -> Option<char> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// How many groups whose names begin so are at most so deep below a folder.
fn groups(folder: &Path, prefix: &str, depth: usize) -> usize {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let folders = entries.filter_map(Result::ok).filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let count = |entry: fs::DirEntry| {
        let own = usize::from(entry.file_name().to_string_lossy().starts_with(prefix));
        own + if depth > 1 { groups(&entry.path(), prefix, depth - 1) } else { 0 }
    };
    folders.map(count).sum()
}

fn entries(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}

/// What the files below a folder take of the disk.
fn size(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let of = |entry: fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() => size(&entry.path()),
        Ok(found) => found.blocks() * 512,
        Err(_) => 0,
    };
    entries.filter_map(Result::ok).map(of).sum()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn census() -> Census {
        Census {
            memory: 1,
            descriptors: 10,
            threads: 4,
            processes: 2,
            zombies: 0,
            mounts: 20,
            groups: 8,
            networks: 2,
            folders: 3,
            disk: 100,
        }
    }

    #[test]
    fn what_there_is_more_of_has_grown() {
        let before = census();
        assert_eq!(before.grown(&Census { memory: 9, disk: 999, descriptors: 9, ..census() }), Vec::<&str>::new());
        assert_eq!(before.grown(&Census { mounts: 21, zombies: 1, ..census() }), ["zombies", "mounts"]);
        assert!(before.to_string().starts_with("10 descriptors, 4 threads"));
    }

    #[test]
    fn a_child_that_nobody_waited_for_is_counted() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let dead =
            || owned(std::process::id(), "no group is called so").unwrap().iter().any(|path| state(path) == Some('Z'));
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while !dead() && std::time::Instant::now() < deadline {
            std::thread::yield_now();
        }
        assert!(dead());
        child.wait().unwrap();
    }

    #[test]
    fn folders_are_counted_and_measured() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("a/x-1/b/x-2")).unwrap();
        fs::write(folder.path().join("a/file"), vec![7; 10_000]).unwrap();
        assert_eq!(groups(folder.path(), "x-", 6), 2);
        assert_eq!((entries(&folder.path().join("a")), entries(&folder.path().join("none"))), (2, 0));
        assert!(size(folder.path()) >= 10_000);
        assert_eq!(group_prefix(Path::new("a")), "af63dc4c8601ec8c-", "FNV's published value");
    }
}
