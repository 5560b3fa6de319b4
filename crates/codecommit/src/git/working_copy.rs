//! A commit's files on their way out: as a zip, or as a working copy with its history.

use std::io;
use std::path::{Path, PathBuf};

use aws::s3::Body;
use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_tar::Builder;

use super::command::beginning;
use super::{Git, GitError};

/// How much lies between who makes an archive and who reads it.
const BUFFER: usize = 256 * 1024;

/// A zip of the commit's tree as `git archive` writes it: executable bits and symbolic links are kept. A failure on
/// the way breaks the stream, so that half an archive is never taken for a whole one.
pub(crate) fn archive(git: &Git, folder: &Path, commit: &str) -> Result<Body, GitError> {
    let mut process = git.command(folder).args(["archive", "--format=zip", commit]).spawn()?;
    let (writer, reader) = tokio::io::duplex(BUFFER);
    let pump = async move {
        let output = process.stdout.take().ok_or_else(|| io::Error::other("no pipe"))?;
        let errors = process.stderr.take();
        let mut writer = copy(output, writer).await?;
        let status = process.wait().await?;
        if status.success() {
            return writer.shutdown().await;
        }
        let mut said = Vec::new();
        if let Some(errors) = errors {
            errors.take(4_096).read_to_end(&mut said).await?;
        }
        Err(io::Error::other(format!("git archive failed ({status}): {}", beginning(&said))))
    };
    Ok(body(reader, pump))
}

async fn copy(mut from: impl tokio::io::AsyncRead + Unpin, mut to: DuplexStream) -> io::Result<DuplexStream> {
    tokio::io::copy(&mut from, &mut to).await?;
    Ok(to)
}

/// A tar of a working copy at `commit`, with its `.git`: all of the history, or the last `depth` commits. `origin`
/// is where the working copy says that it came from.
pub(crate) async fn check_out(
    git: &Git,
    folder: &Path,
    commit: &str,
    depth: Option<u32>,
    origin: &str,
) -> Result<Body, GitError> {
    let copy = Temporary(git.temporary_folder().await?);
    clone(git, folder, &copy.0, commit, depth, origin).await?;
    let (writer, reader) = tokio::io::duplex(BUFFER);
    let pump = async move {
        let mut tar = Builder::new(writer);
        tar.follow_symlinks(false);
        tar.append_dir_all(".", &copy.0).await?;
        tar.into_inner().await?.shutdown().await
    };
    Ok(body(reader, pump))
}

async fn clone(
    git: &Git,
    from: &Path,
    to: &Path,
    commit: &str,
    depth: Option<u32>,
    origin: &str,
) -> Result<(), GitError> {
    let source = format!("file://{}", from.display());
    git.run(to, &["init", "--quiet"]).await?;
    git.run(to, &["remote", "add", "origin", origin]).await?;
    let depth = depth.filter(|depth| *depth > 0).map(|depth| format!("--depth={depth}"));
    let mut fetch = vec!["fetch", "--quiet", "--no-write-fetch-head"];
    match &depth {
        Some(depth) => fetch.extend([depth.as_str(), "--no-tags", &source, commit]),
        None => fetch.extend(["--tags", &source, commit, "+refs/heads/*:refs/remotes/origin/*"]),
    }
    git.run(to, &fetch).await?;
    git.run(to, &["checkout", "--quiet", "--detach", commit]).await?;
    Ok(())
}

/// What `pump` writes to the other end of `reader`; its failure ends the stream with an error.
fn body(reader: DuplexStream, pump: impl Future<Output = io::Result<()>> + Send + 'static) -> Body {
    let pump = tokio::spawn(pump);
    let chunks = futures::stream::try_unfold(Some((reader, pump)), |state| async move {
        let Some((mut reader, pump)) = state else { return Ok(None) };
        let mut chunk = BytesMut::with_capacity(BUFFER);
        if reader.read_buf(&mut chunk).await? > 0 {
            return Ok(Some((chunk.freeze(), Some((reader, pump)))));
        }
        pump.await.map_err(io::Error::other)?.map(|()| None)
    });
    Body::from_stream(chunks, None)
}

/// A folder that is removed when it is no longer needed.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let folder = std::mem::take(&mut self.0);
        // At shutdown there is no runtime left; the next start clears the folder.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn_blocking(move || std::fs::remove_dir_all(folder));
        }
    }
}
