use std::cell::Cell;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Layers, forget};
use crate::digest::Hashing;
use crate::store::Store;
use crate::tar::{Kind, TarReader};
use crate::unpack::Bounded;
use crate::{Digest, ImageError, Limits, decode};

/// The most files that an archive of images may have.
const MOST_FILES: usize = 100_000;

/// So many links lead from one name of an archive to another at most.
const MOST_LINKS: usize = 8;

/// A folder or tar archive of images, whose files are read by name.
pub(super) enum Archive {
    Folder(PathBuf),
    Tar { file: File, index: HashMap<String, Place>, _spool: Option<Spool> },
}

/// Where something is in a tar archive.
pub(super) enum Place {
    File { offset: u64, size: u64 },
    Link(String),
}

impl Archive {
    /// Opens a folder or an archive; one that is compressed, or comes through a pipe, is written down first.
    pub(super) fn open(store: &Store, path: &Path, limits: Limits) -> Result<Self, ImageError> {
        let failed = |error| ImageError::io("cannot read", path)(error);
        let metadata = path.metadata().map_err(failed)?;
        if metadata.is_dir() {
            return path.canonicalize().map(Self::Folder).map_err(failed);
        }
        let mut file = File::open(path).map_err(failed)?;
        let mut begin = [0; 4];
        let plain = metadata.is_file() && {
            let read = file.read(&mut begin).map_err(failed)?;
            file.seek(SeekFrom::Start(0)).map_err(failed)?;
            !(begin[..read].starts_with(&[0x1f, 0x8b]) || begin[..read].starts_with(&[0x28, 0xb5, 0x2f, 0xfd]))
        };
        let spool = if plain {
            None
        } else {
            let mut spool = Spool::new(store)?;
            let too_much = format!("it is larger than {} bytes (--image-limit)", limits.image_bytes);
            let bounded = Bounded::new(decode(file).map_err(failed)?, limits.image_bytes, too_much);
            spool.fill(bounded).map_err(failed)?;
            file = File::open(&spool.path).map_err(failed)?;
            Some(spool)
        };
        let index = index(&mut file)
            .map_err(|error| ImageError::Content(format!("{}: it is no archive: {error}", path.display())))?;
        Ok(Self::Tar { file, index, _spool: spool })
    }

    /// A small file; `None` where there is none of this name.
    pub(super) fn read(&mut self, name: &str, most: u64) -> Result<Option<Vec<u8>>, String> {
        let Some(file) = self.find(name)? else { return Ok(None) };
        let mut bytes = Vec::new();
        let mut bounded = Bounded::new(file, most, format!("its {name} is larger than {most} bytes"));
        bounded.read_to_end(&mut bytes).map_err(|error| format!("its {name}: {error}"))?;
        Ok(Some(bytes))
    }

    fn find(&mut self, name: &str) -> Result<Option<Box<dyn Read + '_>>, String> {
        match self {
            Self::Folder(folder) => find_in_folder(folder, name),
            Self::Tar { file, index, .. } => {
                let Some((offset, size)) = look_up(index, name) else { return Ok(None) };
                file.seek(SeekFrom::Start(offset)).map_err(|error| format!("its {name}: {error}"))?;
                Ok(Some(Box::new(file.take(size))))
            }
        }
    }
}

impl Layers for Archive {
    fn open(&mut self, name: &str) -> Result<Box<dyn Read + '_>, String> {
        self.find(name)?.ok_or_else(|| format!("its layer {name} is missing"))
    }
}

/// A file of the folder; links in it may not lead out.
fn find_in_folder(folder: &Path, name: &str) -> Result<Option<Box<dyn Read>>, String> {
    if !Path::new(name).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Err(format!("its name {name:?} leads out of the folder"));
    }
    let path = match folder.join(name).canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        path => path.map_err(|error| format!("its {name}: {error}"))?,
    };
    if !path.starts_with(folder) || !path.is_file() {
        return Err(format!("its {name} is no file in the folder"));
    }
    let file = File::open(&path).map_err(|error| format!("its {name}: {error}"))?;
    Ok(Some(Box::new(file)))
}

/// Notes where each file of the archive begins. Of two with one name the later one counts, as for tar itself.
fn index(file: &mut File) -> io::Result<HashMap<String, Place>> {
    let count = Rc::new(Cell::new(0));
    let counting = Counting { inner: io::BufReader::with_capacity(1 << 20, file), count: Rc::clone(&count) };
    let mut reader = TarReader::new(counting);
    let mut index = HashMap::new();
    while let Some(entry) = reader.next_entry()? {
        let Some(name) = std::str::from_utf8(&entry.path).ok().and_then(plain) else { continue };
        let place = match entry.kind {
            Kind::File => Place::File { offset: count.get(), size: entry.size },
            Kind::Symlink => match link(&name, &entry.link) {
                Some(target) => Place::Link(target),
                None => continue,
            },
            Kind::HardLink => match std::str::from_utf8(&entry.link).ok().and_then(plain) {
                Some(target) => Place::Link(target),
                None => continue,
            },
            _ => continue,
        };
        index.insert(name, place);
        if index.len() > MOST_FILES {
            return Err(io::Error::other(format!("it has more than {MOST_FILES} files")));
        }
    }
    Ok(index)
}

fn look_up(index: &HashMap<String, Place>, name: &str) -> Option<(u64, u64)> {
    let mut name = plain(name)?;
    for _ in 0..=MOST_LINKS {
        match index.get(&name)? {
            Place::File { offset, size } => return Some((*offset, *size)),
            Place::Link(target) => name.clone_from(target),
        }
    }
    None
}

/// A path from the archive's root without needless parts; `None` where it climbs.
fn plain(path: &str) -> Option<String> {
    let parts = path.split('/').filter(|part| !matches!(*part, "" | "."));
    let parts: Vec<_> = parts.map(|part| (part != "..").then_some(part)).collect::<Option<_>>()?;
    Some(parts.join("/"))
}

/// Where a symbolic link of this name leads: old versions of Docker save a layer that two images share so.
fn link(name: &str, target: &[u8]) -> Option<String> {
    let target = std::str::from_utf8(target).ok()?;
    let mut parts: Vec<&str> = name.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Counts what is read.
struct Counting<R> {
    inner: R,
    count: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count.set(self.count.get() + read as u64);
        Ok(read)
    }
}

/// A file of the store in which something is written down for a while.
pub(super) struct Spool {
    path: PathBuf,
    file: File,
}

impl Spool {
    pub(super) fn new(store: &Store) -> Result<Self, ImageError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = store.path("partial").join(format!("load-{}-{number}", std::process::id()));
        let file = File::options().read(true).write(true).create(true).truncate(true).mode(0o600).open(&path);
        let file = file.map_err(ImageError::io("cannot write", &path))?;
        Ok(Self { path, file })
    }

    /// Writes everything down and answers its digest.
    pub(super) fn fill(&mut self, reader: impl Read) -> io::Result<Digest> {
        let mut hashing = Hashing::new(reader);
        io::copy(&mut hashing, &mut self.file)?;
        self.file.flush()?;
        hashing.finish().map(|(digest, _)| digest)
    }
}

impl Layers for Spool {
    fn open(&mut self, _: &str) -> Result<Box<dyn Read + '_>, String> {
        self.file.seek(SeekFrom::Start(0)).map_err(|error| error.to_string())?;
        Ok(Box::new(&mut self.file))
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        forget(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_stay_in_the_archive() {
        for (name, target, expected) in
            [("a/layer.tar", "../b/layer.tar", Some("b/layer.tar")), ("a/x", "./y", Some("a/y")), ("x", "../y", None)]
        {
            assert_eq!(link(name, target.as_bytes()).as_deref(), expected, "{name}");
        }
        assert_eq!((plain("./a//b").as_deref(), plain("a/../b")), (Some("a/b"), None));
    }

    #[test]
    fn links_in_a_circle_lead_nowhere() {
        let index =
            HashMap::from([("a".to_owned(), Place::Link("b".into())), ("b".to_owned(), Place::Link("a".into()))]);
        assert_eq!(look_up(&index, "a"), None);
    }
}
