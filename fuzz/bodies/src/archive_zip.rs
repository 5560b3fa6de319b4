//! Zips, as agents unpack sources and bundles. Held: what is held of tars.

use agent::protocol::ArchiveFormat;

/// The body.
pub fn body(data: &[u8]) {
    crate::archive_tar::compare(data, ArchiveFormat::Zip);
}
