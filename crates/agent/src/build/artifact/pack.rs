//! Packs files as a zip while it is sent.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::select::Member;
use crate::protocol::CHUNK;

/// Files above this get zip64 records.
const LARGE: u64 = u32::MAX as u64;

/// Writes the zip of these files into a channel. Blocks.
pub(super) fn pack(files: &[Member], pieces: mpsc::Sender<Bytes>) -> io::Result<()> {
    let mut zip = ZipWriter::new_stream(Pieces { pieces, piece: BytesMut::with_capacity(CHUNK) });
    for member in files {
        if let Some(target) = &member.link {
            zip.add_symlink(member.name.as_str(), target.as_str(), SimpleFileOptions::default())?;
            continue;
        }
        let mut file = named(member, File::open(&member.path))?;
        let metadata = named(member, file.metadata())?;
        let options = SimpleFileOptions::default()
            .unix_permissions(metadata.permissions().mode() & 0o777)
            .large_file(metadata.len() >= LARGE);
        zip.start_file(member.name.as_str(), options)?;
        named(member, io::copy(&mut file, &mut zip))?;
    }
    zip.finish()?.into_inner().send()
}

fn named<T>(member: &Member, result: io::Result<T>) -> io::Result<T> {
    result.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", member.path.display())))
}

/// Gathers small writes into pieces.
struct Pieces {
    pieces: mpsc::Sender<Bytes>,
    piece: BytesMut,
}

impl Pieces {
    fn send(&mut self) -> io::Result<()> {
        let piece = self.piece.split().freeze();
        self.pieces.blocking_send(piece).map_err(|_| io::Error::other("nobody takes the artifact any more"))
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = CHUNK - self.piece.len();
        let taken = &bytes[..bytes.len().min(room)];
        self.piece.extend_from_slice(taken);
        if self.piece.len() == CHUNK {
            self.send()?;
            self.piece.reserve(CHUNK);
        }
        Ok(taken.len())
    }

    /// Pieces are sent when they are full, and at the end.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::{Cursor, Read};

    use super::*;

    #[test]
    fn the_pieces_are_a_zip_with_modes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let content: Vec<u8> = (0..700_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        std::fs::write(&path, &content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();

        let (sender, mut pieces) = mpsc::channel(64);
        pack(&[Member { path, name: "bin/run".into(), link: None }], sender).unwrap();
        let mut bytes = vec![];
        while let Some(piece) = pieces.blocking_recv() {
            assert!(piece.len() <= CHUNK);
            bytes.extend_from_slice(&piece);
        }
        let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        let mut file = zip.by_name("bin/run").unwrap();
        assert_eq!(file.unix_mode().unwrap() & 0o777, 0o755);
        let mut read = vec![];
        file.read_to_end(&mut read).unwrap();
        assert!(read == content);
    }

    #[test]
    fn a_file_that_vanished_is_named() {
        let (sender, _pieces) = mpsc::channel(1);
        let error = pack(&[Member { path: "/no/such/file".into(), name: "x".into(), link: None }], sender).unwrap_err();
        assert!(error.to_string().contains("/no/such/file"), "{error}");
    }
}
