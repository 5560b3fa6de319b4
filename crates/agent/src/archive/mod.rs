//! Unpacking of archives that came from outside: sources of a build, bundles of a deployment.
//!
//! An archive never gets a file outside its folder: names with `..`, absolute names, and links that lead
//! out are refused ([`place`]); devices and pipes are refused; sizes and counts are bounded.

mod channel;
mod place;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod properties;
mod tar;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
pub(crate) mod tree;
mod zip;

use std::fs::File;
use std::io;
use std::path::Path;

pub use channel::{ChannelReader, channel};
pub use place::{Place, PlaceError, stays_inside};

use crate::protocol::ArchiveFormat;

/// Most entries of one archive.
const MAX_ENTRIES: u64 = 2_000_000;
/// Most bytes of one archive, unpacked.
const MAX_BYTES: u64 = 64 * 1024 * 1024 * 1024;

/// Why an archive cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// An entry that would be dangerous.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The archive is broken, or the disk is.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The zip is broken.
    #[error("{0}")]
    Zip(#[from] ::zip::result::ZipError),
    /// An entry that is neither file, folder nor link.
    #[error("{0}: devices and pipes are not unpacked")]
    Kind(String),
    /// An encrypted entry.
    #[error("{0}: encrypted entries cannot be unpacked")]
    Encrypted(String),
    /// More than anybody needs.
    #[error("the archive holds more than {MAX_ENTRIES} entries or {MAX_BYTES} bytes")]
    TooLarge,
}

/// Counts what an archive gave so far.
#[derive(Debug, Default)]
struct Budget {
    entries: u64,
    bytes: u64,
}

impl Budget {
    fn entry(&mut self) -> Result<(), ArchiveError> {
        self.entries += 1;
        if self.entries > MAX_ENTRIES { Err(ArchiveError::TooLarge) } else { Ok(()) }
    }

    /// Copies, counting what really comes and not what a header claims.
    fn copy(&mut self, from: &mut impl io::Read, to: &mut File) -> Result<(), ArchiveError> {
        let left = MAX_BYTES.saturating_sub(self.bytes);
        self.bytes += io::copy(&mut io::Read::take(from, left + 1), to)?;
        if self.bytes > MAX_BYTES { Err(ArchiveError::TooLarge) } else { Ok(()) }
    }
}

/// Unpacks a file of this format into `folder`, which is made where it does not exist. Blocks.
///
/// # Errors
/// [`ArchiveError`]; what came before the bad entry is there.
pub fn unpack_file(file: File, format: ArchiveFormat, folder: &Path) -> Result<(), ArchiveError> {
    std::fs::create_dir_all(folder)?;
    match format {
        ArchiveFormat::Zip => zip::unpack(file, folder),
        ArchiveFormat::Tar => tar::unpack(io::BufReader::new(file), folder),
        ArchiveFormat::TarGz => tar::unpack(flate2::read::MultiGzDecoder::new(io::BufReader::new(file)), folder),
    }
}

/// Unpacks a stream: a tar as it comes, a zip (whose table is at its end) by way of a file in `spool`. Blocks.
///
/// # Errors
/// As [`unpack_file`].
pub fn unpack_stream(
    mut stream: impl io::Read,
    format: ArchiveFormat,
    folder: &Path,
    spool: &Path,
) -> Result<(), ArchiveError> {
    std::fs::create_dir_all(folder)?;
    match format {
        ArchiveFormat::Tar => tar::unpack(&mut stream, folder)?,
        ArchiveFormat::TarGz => tar::unpack(flate2::read::MultiGzDecoder::new(&mut stream), folder)?,
        ArchiveFormat::Zip => {
            let mut file = spool_file(spool)?;
            io::copy(&mut stream, &mut file)?;
            return zip::unpack(file, folder);
        }
    }
    // The padding after a tar's end belongs to it; the sender must be able to send it.
    io::copy(&mut stream, &mut io::sink())?;
    Ok(())
}

/// A file without a name, so that nothing is left behind.
fn spool_file(folder: &Path) -> io::Result<File> {
    let path = folder.join(format!(".landfall-source-{}", std::process::id()));
    let file = File::options().read(true).write(true).create(true).truncate(true).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}
