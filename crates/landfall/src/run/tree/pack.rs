//! A tree as an archive that is made while it is read.

use super::{Entry, Kind, Tree};
use ::tar::{Builder, EntryType, Header};
use ::zip::ZipWriter;
use ::zip::write::SimpleFileOptions;
use aws::s3::Body;
use bytes::{Bytes, BytesMut};
use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::Arc;
use tokio::sync::mpsc;

/// How much is handed on at once, in bytes, and how many such pieces wait at most.
const PIECE: usize = 256 * 1024;
const WAITING: usize = 8;
/// Files above this get zip64 records.
const LARGE: u64 = u32::MAX as u64;

/// The tree as a tar.
pub(crate) fn tar(tree: Arc<Tree>) -> Body {
    streamed(move |pieces| {
        let mut tar = Builder::new(pieces);
        tree.entries.iter().try_for_each(|entry| named(entry, put_into_tar(&mut tar, &tree, entry)))?;
        tar.into_inner()?.send()
    })
}

/// The tree as a zip; what is small on a disk is not worth the time to compress it.
pub(crate) fn zip(tree: Arc<Tree>) -> Body {
    streamed(move |pieces| {
        let mut zip = ZipWriter::new_stream(pieces);
        tree.entries.iter().try_for_each(|entry| named(entry, put_into_zip(&mut zip, &tree, entry)))?;
        zip.finish()?.into_inner().send()
    })
}

/// What `make` writes, from a thread of its own. A failure is the stream's last item.
fn streamed(make: impl FnOnce(Pieces) -> io::Result<()> + Send + 'static) -> Body {
    let (sender, receiver) = mpsc::channel(WAITING);
    let failed = sender.clone();
    tokio::task::spawn_blocking(move || {
        if let Err(error) = make(Pieces { sender, piece: BytesMut::with_capacity(PIECE) }) {
            // Who has stopped listening knows that it is not whole.
            let _ = failed.blocking_send(Err(error));
        }
    });
    let next = |mut receiver: mpsc::Receiver<_>| async move { Some((receiver.recv().await?, receiver)) };
    Body::from_stream(futures::stream::unfold(receiver, next), None)
}

fn put_into_tar(tar: &mut Builder<Pieces>, tree: &Tree, entry: &Entry) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_mode(entry.mode);
    header.set_mtime(entry.modified);
    header.set_size(0);
    match &entry.kind {
        Kind::Folder => {
            header.set_entry_type(EntryType::Directory);
            tar.append_data(&mut header, &entry.name, io::empty())
        }
        Kind::Link { target } => {
            header.set_entry_type(EntryType::Symlink);
            tar.append_link(&mut header, &entry.name, target)
        }
        Kind::File { size } => {
            header.set_size(*size);
            tar.append_data(&mut header, &entry.name, open(tree, entry, *size)?)
        }
    }
}

fn put_into_zip(zip: &mut ZipWriter<::zip::write::StreamWriter<Pieces>>, tree: &Tree, entry: &Entry) -> io::Result<()> {
    let text = |path: &std::path::Path| {
        path.to_str().map(str::to_owned).ok_or_else(|| io::Error::other("a zip's names are UTF-8, and this one is not"))
    };
    let name = text(&entry.name)?;
    let options =
        SimpleFileOptions::default().compression_method(::zip::CompressionMethod::Stored).unix_permissions(entry.mode);
    match &entry.kind {
        Kind::Folder => zip.add_directory(name, options)?,
        Kind::Link { target } => zip.add_symlink(name, text(target)?, options)?,
        Kind::File { size } => {
            zip.start_file(name, options.large_file(*size >= LARGE))?;
            io::copy(&mut open(tree, entry, *size)?, zip)?;
        }
    }
    Ok(())
}

fn named<T>(entry: &Entry, result: io::Result<T>) -> io::Result<T> {
    result.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", entry.name.display())))
}

fn open(tree: &Tree, entry: &Entry, size: u64) -> io::Result<Exactly> {
    Ok(Exactly { file: File::open(tree.root.join(&entry.name))?, left: size })
}

/// A file's first bytes, as many as were counted: a tar has said how many there are. A file that grows is cut, one that
/// shrinks is an error.
struct Exactly {
    file: File,
    left: u64,
}

impl Read for Exactly {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).map_or(into.len(), |left| into.len().min(left));
        if most == 0 {
            return Ok(0);
        }
        let read = self.file.read(&mut into[..most])?;
        if read == 0 {
            return Err(io::Error::other("it became shorter while it was read; run it again"));
        }
        self.left -= read as u64;
        Ok(read)
    }
}

/// Gathers small writes into pieces.
struct Pieces {
    sender: mpsc::Sender<io::Result<Bytes>>,
    piece: BytesMut,
}

impl Pieces {
    fn send(&mut self) -> io::Result<()> {
        let piece = self.piece.split().freeze();
        if piece.is_empty() {
            return Ok(());
        }
        self.sender.blocking_send(Ok(piece)).map_err(|_| io::Error::other("nobody takes the source any more"))
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = &bytes[..bytes.len().min(PIECE - self.piece.len())];
        self.piece.extend_from_slice(taken);
        if self.piece.len() == PIECE {
            self.send()?;
            self.piece.reserve(PIECE);
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::Choice;
    use super::*;
    use agent::archive::unpack_file;
    use agent::protocol::ArchiveFormat;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::Path;

    fn sample() -> (tempfile::TempDir, Arc<Tree>) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let deep = root.join("d".repeat(120)).join("e".repeat(120));
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::create_dir(root.join("empty")).unwrap();
        std::fs::write(deep.join("big"), vec![7; 3 * PIECE + 5]).unwrap();
        std::fs::write(root.join("run.sh"), "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(root.join("run.sh"), std::fs::Permissions::from_mode(0o755)).unwrap();
        symlink("run.sh", root.join("link")).unwrap();
        let tree = Arc::new(Tree::list(root, &Choice::default()).unwrap());
        (folder, tree)
    }

    async fn unpacked(body: Body, format: ArchiveFormat) -> tempfile::TempDir {
        let to = tempfile::tempdir().unwrap();
        let file = to.path().join("archive");
        body.save(&file).await.unwrap();
        unpack_file(File::open(&file).unwrap(), format, &to.path().join("files")).unwrap();
        to
    }

    #[tokio::test]
    async fn what_goes_in_comes_out_of_both_kinds() {
        let (_folder, tree) = sample();
        for (body, format) in
            [(tar(Arc::clone(&tree)), ArchiveFormat::Tar), (zip(Arc::clone(&tree)), ArchiveFormat::Zip)]
        {
            let to = unpacked(body, format).await;
            let root = to.path().join("files");
            let again = Tree::list(&root, &Choice::default()).unwrap();
            let plain = |tree: &Tree| {
                tree.entries.iter().map(|entry| (entry.name.clone(), entry.kind.clone())).collect::<Vec<_>>()
            };
            assert_eq!(plain(&again), plain(&tree));
            assert_eq!(root.join("run.sh").metadata().unwrap().permissions().mode() & 0o777, 0o755);
            assert_eq!(std::fs::read_link(root.join("link")).unwrap(), Path::new("run.sh"));
        }
    }

    #[tokio::test]
    async fn a_file_that_shrinks_meanwhile_is_an_error_that_names_it() {
        let (folder, tree) = sample();
        std::fs::write(folder.path().join("run.sh"), "#!").unwrap();
        let error = tar(tree).collect(16 * PIECE).await.unwrap_err();
        assert!(error.to_string().contains("run.sh"), "{error}");
    }
}
