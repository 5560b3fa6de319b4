//! A docker archive of an image with one layer: what `landfall images load`, `docker load` and `podman load` take.

use images::Platform;
use kernel::{Clock as _, SystemClock};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::fs::{File, Permissions};
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use tar::Header;

/// The unit of a tar, in bytes.
const BLOCK: u64 = 512;
/// How much is read at once.
const CHUNK: usize = 256 * 1024;

/// What was written.
#[derive(Debug)]
pub(super) struct Written {
    /// The image's id.
    pub(super) id: String,
    /// The file's size.
    pub(super) bytes: u64,
}

/// Writes an image with the root that `layer` is the tar of. The file is there only when it is whole.
pub(super) fn write(
    path: &Path,
    layer: &mut impl Read,
    env: &[(String, String)],
    names: &[String],
) -> io::Result<Written> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    let file = temporary.as_file_mut();
    let digest = append_unsized(file, "layer.tar", layer)?;
    let config = configuration(env, &digest);
    let id = hex::encode(Sha256::digest(&config));
    append(file, &format!("{id}.json"), &config)?;
    let manifest = json!([{"Config": format!("{id}.json"), "RepoTags": names, "Layers": ["layer.tar"]}]);
    append(file, "manifest.json", manifest.to_string().as_bytes())?;
    file.write_all(&[0; 2 * BLOCK as usize])?;
    file.set_permissions(Permissions::from_mode(0o644))?;
    file.sync_all()?;
    let bytes = file.stream_position()?;
    temporary.persist(path).map_err(|error| error.error)?;
    Ok(Written { id: format!("sha256:{id}"), bytes })
}

/// The image's configuration (OCI image specification, "Image Configuration").
fn configuration(env: &[(String, String)], layer: &str) -> Vec<u8> {
    let platform = Platform::here();
    let env: Vec<_> = env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let config = json!({
        "architecture": platform.architecture,
        "os": platform.os,
        "created": SystemClock.now().iso8601(),
        "config": {"Env": env, "Cmd": ["/bin/bash"]},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{layer}")]},
    });
    config.to_string().into_bytes()
}

/// Appends a file whose size is known only at its end: its header is written last. Answers its SHA-256.
fn append_unsized(archive: &mut File, name: &str, content: &mut impl Read) -> io::Result<String> {
    let start = archive.stream_position()?;
    archive.write_all(header(name, 0)?.as_bytes())?;
    let (mut size, mut digest, mut chunk) = (0_u64, Sha256::new(), vec![0; CHUNK]);
    loop {
        let count = content.read(&mut chunk)?;
        if count == 0 {
            break;
        }
        digest.update(&chunk[..count]);
        archive.write_all(&chunk[..count])?;
        size += count as u64;
    }
    pad(archive, size)?;
    archive.seek(SeekFrom::Start(start))?;
    archive.write_all(header(name, size)?.as_bytes())?;
    archive.seek(SeekFrom::End(0))?;
    Ok(hex::encode(digest.finalize()))
}

fn append(archive: &mut File, name: &str, content: &[u8]) -> io::Result<()> {
    archive.write_all(header(name, content.len() as u64)?.as_bytes())?;
    archive.write_all(content)?;
    pad(archive, content.len() as u64)
}

fn pad(archive: &mut File, size: u64) -> io::Result<()> {
    let rest = usize::try_from(size.next_multiple_of(BLOCK) - size).unwrap_or_default();
    archive.write_all(&vec![0; rest])
}

fn header(name: &str, size: u64) -> io::Result<Header> {
    let mut header = Header::new_gnu();
    header.set_path(name)?;
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    Ok(header)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use images::{Images, Options};

    /// A layer with one file.
    fn layer() -> Vec<u8> {
        let mut layer = tar::Builder::new(Vec::new());
        let content = b"hello";
        layer.append_data(&mut header("greeting", content.len() as u64).unwrap(), "greeting", &content[..]).unwrap();
        layer.into_inner().unwrap()
    }

    #[test]
    fn what_is_written_can_be_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let (file, env) = (folder.path().join("image.tar"), [("A".to_owned(), "b".to_owned())]);
        let names = ["landfall/standard:latest".to_owned(), "b:2".to_owned()];
        let written = write(&file, &mut layer().as_slice(), &env, &names).unwrap();
        assert_eq!(written.bytes, file.metadata().unwrap().len());
        let images = Images::open(folder.path().join("images"), Options::default()).unwrap();
        let [image] = images.load(&file, None).unwrap().try_into().unwrap();
        assert_eq!((image.id, image.run.env), (written.id, env.to_vec()));
        assert!(names.iter().all(|name| images.inspect(name).is_ok()));
    }

    #[test]
    fn half_an_image_is_no_file() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("it broke"))
            }
        }
        let folder = tempfile::tempdir().unwrap();
        assert!(write(&folder.path().join("image.tar"), &mut Broken, &[], &[]).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
