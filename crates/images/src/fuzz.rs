//! A door for `fuzz/bodies`: a layer into a folder, without a store.

use crate::unpack::{Bounded, Bounds, Ownership, decode, unpack};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// Unpacks a layer, compressed or not, of at most `most` bytes and `entries` entries; answers bytes of files and entries.
///
/// # Errors
/// As for layers of images.
pub fn layer(archive: &[u8], folder: &Path, parents: &[PathBuf], most: u64, entries: u64) -> io::Result<(u64, u64)> {
    let plain = Bounded::new(decode(archive)?, most, "too much");
    let bounds = Bounds { entries, memory: 1 << 20, cancelled: &AtomicBool::new(false) };
    let unpacked = unpack(plain, folder, parents, Ownership::of_this_process(), &bounds)?;
    Ok((unpacked.bytes, unpacked.entries))
}
