use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{Store, files};
use crate::{Digest, ImageError};

/// The file whose time of change is when the image was used last.
const STAMP: &str = "stamp";

impl Store {
    fn uses(&self, id: &Digest) -> PathBuf {
        self.path("uses").join(id.hex())
    }

    /// Notes that the image is used now.
    pub(crate) fn stamp(&self, id: &Digest) -> Result<(), ImageError> {
        let folder = self.uses(id);
        let stamped = || -> io::Result<()> {
            fs::create_dir_all(&folder)?;
            // An empty write changes no time; truncating does.
            File::create(folder.join(STAMP))?.set_len(1)
        };
        stamped().map_err(ImageError::io("cannot write to", &folder))
    }

    /// When the image was used last; when it came, where it never was.
    pub(crate) fn used(&self, id: &Digest) -> Result<SystemTime, ImageError> {
        let path = self.uses(id).join(STAMP);
        let image = self.image_file(id);
        let changed = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified());
        match changed(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => changed(&image),
            time => time,
        }
        .map_err(ImageError::io("cannot look at", &path))
    }

    /// Notes that a container runs from the image as long as `holder`, its folder, is there.
    pub(crate) fn hold(&self, id: &Digest, holder: &Path) -> Result<(), ImageError> {
        let folder = self.uses(id);
        fs::create_dir_all(&folder).map_err(ImageError::io("cannot make", &folder))?;
        let bytes = holder.as_os_str().as_bytes();
        files::write(&folder.join(Digest::of(bytes).hex()), bytes)
    }

    /// A container that runs from the image.
    pub(crate) fn holder(&self, id: &Digest) -> Result<Option<PathBuf>, ImageError> {
        let holders = self.holders(id)?;
        Ok(holders.into_iter().map(|(_, holder)| holder).find(|holder| is_there(holder)))
    }

    /// Forgets the containers that are gone. The image's lock must be held alone: a container that is being started has no
    /// folder yet.
    pub(crate) fn forget_holders(&self, id: &Digest) -> Result<(), ImageError> {
        let gone = self.holders(id)?.into_iter().filter(|(_, holder)| !is_there(holder));
        gone.into_iter().try_for_each(|(note, _)| files::remove(&note))
    }

    /// The notes of containers, and the folders that they name.
    fn holders(&self, id: &Digest) -> Result<Vec<(PathBuf, PathBuf)>, ImageError> {
        let folder = self.uses(id);
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.and_then(Iterator::collect::<io::Result<Vec<_>>>),
        };
        let mut holders = Vec::new();
        for entry in entries.map_err(ImageError::io("cannot read", &folder))? {
            let path = entry.path();
            let is_note = path.extension().is_none() && path.file_name().is_some_and(|name| name != STAMP);
            match fs::read(&path) {
                Ok(bytes) if is_note => holders.push((path, PathBuf::from(std::ffi::OsStr::from_bytes(&bytes)))),
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(ImageError::io("cannot read", &path)(error));
                }
                _ => {}
            }
        }
        Ok(holders)
    }

    /// Forgets everything about an image's uses.
    pub(crate) fn forget_uses(&self, id: &Digest) -> Result<(), ImageError> {
        let folder = self.uses(id);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            done => done.map_err(ImageError::io("cannot remove", &folder)),
        }
    }
}

fn is_there(holder: &Path) -> bool {
    fs::symlink_metadata(holder).is_ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_held_as_long_as_the_containers_folder_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("images")).unwrap();
        let (id, container) = (Digest::of(b"x"), folder.path().join("container"));
        assert_eq!(store.holder(&id).unwrap(), None);
        fs::create_dir(&container).unwrap();
        store.stamp(&id).unwrap();
        store.hold(&id, &container).unwrap();
        assert_eq!(store.holder(&id).unwrap(), Some(container.clone()));
        fs::remove_dir(&container).unwrap();
        assert_eq!(store.holder(&id).unwrap(), None);
        assert_eq!(fs::read_dir(store.uses(&id)).unwrap().count(), 2);
        store.forget_holders(&id).unwrap();
        assert_eq!(fs::read_dir(store.uses(&id)).unwrap().count(), 1);
        store.forget_uses(&id).unwrap();
        assert!(!store.uses(&id).exists());
    }
}
