use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ImageError;

/// Stands in the name of a file as long as it is being written, or for ever where its writer was killed.
pub(crate) const UNFINISHED: &str = ".new-";

/// Writes a file durably and whole, over what is there.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), ImageError> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let temporary = path.with_extension(format!("{}{}-{number}", &UNFINISHED[1..], std::process::id()));
    let written = || -> io::Result<()> {
        let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        crash_point::crash_point!("images_before_rename");
        fs::rename(&temporary, path)?;
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    };
    let written = written().map_err(ImageError::io("cannot write", path));
    if written.is_err() {
        // On a full disk what is half written would be more of it.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Writes a document.
pub(super) fn write_json(path: &Path, document: &impl Serialize) -> Result<(), ImageError> {
    let bytes = serde_json::to_vec(document).map_err(|error| ImageError::io("cannot write", path)(error.into()))?;
    write(path, &bytes)
}

/// Reads a document; `None` where there is none.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, ImageError> {
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        bytes => bytes.map_err(ImageError::io("cannot read", path))?,
    };
    let document = serde_json::from_slice(&bytes);
    document.map(Some).map_err(|error| ImageError::io("cannot read", path)(error.into()))
}

/// Removes a file; one that is not there is no error.
pub(crate) fn remove(path: &Path) -> Result<(), ImageError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        done => done.map_err(ImageError::io("cannot remove", path)),
    }
}
