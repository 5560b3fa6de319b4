//! Tars, plain and compressed, as agents unpack sources and bundles.
//!
//! Held: nothing appears or changes beside the folder, however the archive is cut into reads; both ways of reading agree.

use crate::input::Crumbs;
use crate::scratch::Scratch;
use agent::archive::{unpack_file, unpack_stream};
use agent::protocol::ArchiveFormat;
use std::io::Write;

/// The body.
pub fn body(data: &[u8]) {
    // An old GNU sparse file may be terabytes of nothing, which unpacking bounds, but not to what a test can wait for.
    if data.chunks(512).any(|block| block.get(156) == Some(&b'S')) {
        return;
    }
    let format = if data.starts_with(&[0x1f, 0x8b]) { ArchiveFormat::TarGz } else { ArchiveFormat::Tar };
    compare(data, format);
}

/// Unpacks as a file and as a stream in pieces.
pub(crate) fn compare(data: &[u8], format: ArchiveFormat) {
    let (one, other) = (Scratch::new(), Scratch::new());
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(data).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    let whole = unpack_file(file, format, &one.folder());
    one.check();
    let size = data.first().map_or(1, |byte| usize::from(*byte) + 1);
    let pieces = unpack_stream(Crumbs { data, size }, format, &other.folder(), other.spool());
    other.check();
    assert_eq!(whole.is_ok(), pieces.is_ok(), "{whole:?} {pieces:?}");
    assert_eq!(one.list(), other.list());
}
