//! Reading tar archives (POSIX ustar and pax, and GNU's long names), strictly and in bounded memory.
//!
//! A reader of our own, because layers are hostile input: every extension header is bounded, checksums are checked,
//! and what is not understood is refused instead of being read in a second way (RUSTSEC-2025-0111, TARmageddon).

mod header;
mod pax;
mod reader;

pub use reader::TarReader;

use std::io;

/// One thing in an archive, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path, as it is written in the archive.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Where a link points to.
    pub link: Vec<u8>,
    /// Permissions, with setuid, setgid and sticky.
    pub mode: u32,
    /// The owner's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// When it was last changed: seconds since 1970 and nanoseconds.
    pub mtime: (i64, u32),
    /// Bytes of content that follow.
    pub size: u64,
    /// Extended attributes.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Symlink,
    /// A further name of a file that came before.
    HardLink,
    /// A named pipe.
    Fifo,
    /// A device.
    Device,
}

/// An archive that breaks the format's rules.
fn broken(reason: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.into())
}
