//! Keeps the size of a writable space where no file system of its own does: by counting.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

/// The time between two counts, and at least so many times what a count took.
const PERIOD: Duration = Duration::from_millis(500);
const LEISURE: u32 = 10;

/// Calls `exceeded` once when more than `limit` bytes are on disk below `space`. Ends with the process at the latest.
pub(super) fn watch(space: PathBuf, limit: u64, exceeded: impl FnOnce() + Send + 'static) {
    thread::spawn(move || {
        loop {
            let begin = Instant::now();
            if exceeds(&space, limit) {
                return exceeded();
            }
            thread::sleep(PERIOD.max(begin.elapsed() * LEISURE));
        }
    });
}

/// A longer path is not taken by its names alone: the kernel takes none of more than 4,095 bytes, below which nothing would be
/// counted.
const LONGEST: usize = 3_000;

/// A folder by its path, the first part of which may be an open folder's.
struct Place {
    path: PathBuf,
    held: Option<Rc<File>>,
}

impl Place {
    /// The same folder with a path that is short enough for what lies in it.
    fn within_reach(self) -> Self {
        if self.path.as_os_str().len() <= LONGEST {
            return self;
        }
        match File::open(&self.path) {
            Ok(folder) => Self {
                path: PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())),
                held: Some(Rc::new(folder)),
            },
            // It has vanished.
            Err(_) => self,
        }
    }
}

/// Whether what lies below takes more than `limit` bytes; stops counting as soon as it does. What vanishes meanwhile is
/// not counted, nor what is mounted there: an overlay shows what lies below too.
fn exceeds(space: &Path, limit: u64) -> bool {
    let Ok(own) = space.metadata().map(|metadata| metadata.dev()) else { return false };
    let (mut bytes, mut folders) = (0_u64, vec![Place { path: space.to_path_buf(), held: None }]);
    while let Some(folder) = folders.pop() {
        let folder = folder.within_reach();
        for entry in fs::read_dir(&folder.path).into_iter().flatten().flatten() {
            let Some(metadata) = entry.metadata().ok().filter(|metadata| metadata.dev() == own) else { continue };
            bytes = bytes.saturating_add(metadata.blocks().saturating_mul(512));
            if bytes > limit {
                return true;
            }
            if metadata.is_dir() {
                folders.push(Place { path: entry.path(), held: folder.held.clone() });
            }
        }
    }
    false
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn counts_what_lies_below_and_no_holes() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("deep")).unwrap();
        fs::write(folder.path().join("deep/file"), vec![1; 100_000]).unwrap();
        fs::File::create(folder.path().join("sparse")).unwrap().set_len(1 << 40).unwrap();
        assert!(exceeds(folder.path(), 90_000));
        assert!(!exceeds(folder.path(), 200_000));
        assert!(!exceeds(Path::new("/nowhere"), 0));
    }

    #[test]
    fn tells_once_when_it_is_too_much() {
        let folder = tempfile::tempdir().unwrap();
        let (tell, told) = mpsc::channel();
        watch(folder.path().to_path_buf(), 50_000, move || tell.send(()).unwrap());
        assert!(told.recv_timeout(Duration::from_millis(10)).is_err());
        fs::write(folder.path().join("file"), vec![1; 100_000]).unwrap();
        told.recv_timeout(Duration::from_secs(20)).unwrap();
    }

    #[test]
    fn counts_also_where_no_path_leads() {
        let space = tempfile::tempdir().unwrap();
        let mut folder = File::open(space.path()).unwrap();
        for _ in 0..40 {
            let at = |name: &str| format!("/proc/self/fd/{}/{name}", folder.as_raw_fd());
            let name = "long".repeat(60);
            fs::create_dir(at(&name)).unwrap();
            folder = File::open(at(&name)).unwrap();
        }
        assert!(!exceeds(space.path(), 1 << 20));
        fs::write(format!("/proc/self/fd/{}/file", folder.as_raw_fd()), vec![7; 2 << 20]).unwrap();
        assert!(exceeds(space.path(), 1 << 20));
    }
}
