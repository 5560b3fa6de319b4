//! Files on their way between a container and S3: outside of what the container sees.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use crate::Service;

/// A build's folder of such files.
pub(super) fn folder(service: &Service, container: &str) -> PathBuf {
    service.dependencies.options.data_dir.join("spool").join(container)
}

/// Makes the folder, readable by nobody else.
pub(super) async fn make(folder: &Path) -> io::Result<()> {
    tokio::fs::create_dir_all(folder).await?;
    tokio::fs::set_permissions(folder, PermissionsExt::from_mode(0o700)).await
}

/// The most that is taken from a build's agent or unpacked from it, in bytes; its zips are bounded likewise.
pub(super) const MOST_BYTES: u64 = 64 << 30;

/// A file that arrives in pieces and is hashed on the way.
pub(super) struct Arriving {
    path: PathBuf,
    file: File,
    hash: Sha256,
    size: u64,
}

/// A file that has arrived.
pub(super) struct Arrived {
    /// Where it is.
    pub(super) path: PathBuf,
    /// Its size in bytes.
    pub(super) size: u64,
    /// Its SHA-256, in hex.
    pub(super) sha256: String,
}

impl Arriving {
    pub(super) async fn create(path: PathBuf) -> io::Result<Self> {
        let file = File::create(&path).await?;
        Ok(Self { path, file, hash: Sha256::new(), size: 0 })
    }

    /// Takes a piece in. Offset 0 starts anew; `false` where another piece was due, or the file is too large.
    pub(super) async fn write(&mut self, offset: u64, data: &[u8]) -> io::Result<bool> {
        if offset == 0 && self.size > 0 {
            *self = Self::create(self.path.clone()).await?;
        }
        if offset != self.size || self.size + data.len() as u64 > MOST_BYTES {
            return Ok(false);
        }
        self.file.write_all(data).await?;
        self.hash.update(data);
        self.size += data.len() as u64;
        Ok(true)
    }

    /// The whole file.
    pub(super) async fn finish(mut self) -> io::Result<Arrived> {
        self.file.flush().await?;
        Ok(Arrived { path: self.path, size: self.size, sha256: hex::encode(self.hash.finalize()) })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pieces_follow_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = Arriving::create(folder.path().join("a")).await.unwrap();
        file.write(0, b"xx").await.unwrap();
        file.write(0, b"ab").await.unwrap();
        file.write(2, b"c").await.unwrap();
        assert!(!file.write(9, b"d").await.unwrap());
        let file = file.finish().await.unwrap();
        assert_eq!(std::fs::read(&file.path).unwrap(), b"abc");
        assert_eq!((file.size, &file.sha256[..8]), (3, "ba7816bf"));
    }
}
