//! Tells whether folders have changed since they were looked at.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
use rustix::io::Errno;

/// For so long silence is believed. Not all that changes is told: not what is mounted, the mode of a file changed by another
/// of its names, or what another machine did to a network's file system.
const BELIEVED: Duration = Duration::from_secs(10);

/// Folders that are watched by the kernel, each from before it is read on.
pub(super) struct Watch {
    began: Instant,
    /// None where the kernel watches no more folders for this user: then nothing is known.
    kernel: Option<OwnedFd>,
}

impl Watch {
    /// A watch over nothing yet.
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), kernel: init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok() }
    }

    /// Watches a folder as well: names that come and go in it, and owners and modes of what they name. What is no folder, or
    /// not to be read, is watched by the folder above it.
    pub(super) fn add(&mut self, folder: &Path) {
        let names = WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::MOVE;
        let itself = WatchFlags::ATTRIB | WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF;
        let only = WatchFlags::ONLYDIR | WatchFlags::DONT_FOLLOW;
        let Some(kernel) = &self.kernel else { return };
        match add_watch(kernel, folder, names | itself | only) {
            Ok(_) | Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::ACCESS) => {}
            Err(_) => self.kernel = None,
        }
    }

    /// Nothing has changed since each folder was added, as far as can be told.
    pub(super) fn is_silent(&self) -> bool {
        let told = self.kernel.as_ref().map(|kernel| rustix::io::read(kernel, &mut [0_u8; 4096]));
        self.began.elapsed() < BELIEVED && told == Some(Err(Errno::AGAIN))
    }
}
