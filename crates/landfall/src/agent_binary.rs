//! Where `landfall-agent` comes from: the end of our own file, as `scripts/build`
//! writes it, or in development the file beside us.

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// `LANDFALL-AGENT`, a space, twelve digits, a space, 64 hexadecimal digits, a newline.
const TRAILER: usize = 93;
const MAGIC: &str = "LANDFALL-AGENT ";

/// The path of an agent that can be mounted into containers.
///
/// # Errors
/// When there is none, or the one in our own file is damaged.
pub(crate) fn locate(data_dir: &Path) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("the path of this program")?;
    let mut file = File::open(&own).with_context(|| own.display().to_string())?;
    match trailer(&mut file)? {
        Some((length, digest)) => unpack(&mut file, length, &digest, data_dir),
        None => {
            let beside = own.with_file_name("landfall-agent");
            if !beside.is_file() {
                bail!("no landfall-agent in {} nor beside it; scripts/build makes a whole one", own.display());
            }
            Ok(beside)
        }
    }
}

/// Whether there is one, without unpacking it.
pub(crate) fn is_there() -> bool {
    let Ok(own) = std::env::current_exe() else { return false };
    let inside = File::open(&own).is_ok_and(|mut file| trailer(&mut file).is_ok_and(|found| found.is_some()));
    inside || own.with_file_name("landfall-agent").is_file()
}

/// The agent's length and SHA-256, if the file ends with them.
fn trailer(file: &mut File) -> anyhow::Result<Option<(u64, String)>> {
    let size = file.metadata()?.len();
    if size < TRAILER as u64 {
        return Ok(None);
    }
    let mut bytes = [0; TRAILER];
    file.seek(SeekFrom::End(-(TRAILER as i64)))?;
    file.read_exact(&mut bytes)?;
    Ok(parse(&bytes).filter(|(length, _)| *length <= size - TRAILER as u64))
}

fn parse(bytes: &[u8]) -> Option<(u64, String)> {
    let text = std::str::from_utf8(bytes).ok()?.strip_prefix(MAGIC)?.strip_suffix('\n')?;
    let (length, digest) = text.split_once(' ')?;
    Some((length.parse().ok()?, digest.to_owned()))
}

fn unpack(file: &mut File, length: u64, digest: &str, data_dir: &Path) -> anyhow::Result<PathBuf> {
    let folder = data_dir.join("bin");
    let path = folder.join(format!("landfall-agent-{}", &digest[..digest.len().min(16)]));
    if path.is_file() {
        return Ok(path);
    }
    file.seek(SeekFrom::End(-(TRAILER as i64) - i64::try_from(length)?))?;
    let mut agent = Vec::new();
    file.take(length).read_to_end(&mut agent)?;
    if hex::encode(Sha256::digest(&agent)) != digest {
        bail!("the agent at the end of this program is damaged: its SHA-256 is not {digest}; build or download again");
    }
    std::fs::create_dir_all(&folder)?;
    let fresh = path.with_extension("new");
    let mut out = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o755).open(&fresh)?;
    out.write_all(&agent)?;
    out.sync_all()?;
    // A file that is open for writing cannot be executed.
    drop(out);
    std::fs::rename(&fresh, &path)?;
    Ok(path)
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;

    fn bundle(agent: &[u8], digest: &str) -> File {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(b"program").expect("written");
        file.write_all(agent).expect("written");
        file.write_all(format!("LANDFALL-AGENT {:012} {digest}\n", agent.len()).as_bytes()).expect("written");
        file
    }

    #[test]
    fn the_agent_comes_out_as_it_went_in() {
        let digest = hex::encode(Sha256::digest(b"agent"));
        let mut file = bundle(b"agent", &digest);
        let (length, found) = trailer(&mut file).expect("read").expect("a trailer");
        let folder = tempfile::tempdir().expect("a folder");
        let path = unpack(&mut file, length, &found, folder.path()).expect("unpacked");
        assert_eq!(std::fs::read(path).expect("read"), b"agent");
    }

    #[test]
    fn a_damaged_agent_is_refused() {
        let mut file = bundle(b"agent", &"0".repeat(64));
        let folder = tempfile::tempdir().expect("a folder");
        assert!(unpack(&mut file, 5, &"0".repeat(64), folder.path()).is_err());
    }

    #[test]
    fn a_program_without_one_is_no_bundle() {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(&[0; 200]).expect("written");
        assert!(trailer(&mut file).expect("read").is_none());
    }
}
