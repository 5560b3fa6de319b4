//! The store of a data folder, and its errors as users read them.

use crate::exit::user_error;
use clap::Args;
use images::{ImageError, Images, Options, Registries};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// The store's place in a data folder.
const FOLDER: &str = "images";

/// Which data folder.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Store {
    /// The data folder; default: LANDFALL_DATA_DIR, the configuration file's, else landfall-data
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl Store {
    /// The store, made where there is none yet: images may be there before the server first starts.
    pub(super) fn open(&self, registries: Registries) -> anyhow::Result<Images> {
        let data_dir = crate::config::data_dir_or(self.data_dir.as_deref())?;
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&data_dir);
        made.map_err(|error| unusable(&data_dir, &error))?;
        Images::open(data_dir.join(FOLDER), Options { registries, ..Options::default() }).map_err(told)
    }

    /// The store of a data folder that is there.
    pub(super) fn existing(&self) -> anyhow::Result<Images> {
        let data_dir = crate::config::data_dir_or(self.data_dir.as_deref())?;
        if !data_dir.is_dir() {
            return Err(user_error(format!(
                "there is no data folder {}: name the server's with --data-dir (`landfall serve` or `landfall images pull` \
                 make one)",
                data_dir.display()
            )));
        }
        self.open(Registries::default())
    }
}

fn unusable(data_dir: &Path, error: &std::io::Error) -> anyhow::Error {
    user_error(format!(
        "the data folder {}: {error}; name one of yours with --data-dir, or run this as the server's user",
        data_dir.display()
    ))
}

/// An error of the store, for people: nearly all are theirs to mend, and say how.
pub(super) fn told(error: ImageError) -> anyhow::Error {
    match error {
        ImageError::Io { ref source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
            user_error(format!("{error}: run this as the server's user (for example with sudo)"))
        }
        ImageError::Io { ref source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
            user_error(format!("{error}: make room with `landfall images gc --unused-for 7d` or `landfall gc`"))
        }
        ImageError::Io { .. } => anyhow::Error::new(error),
        other => user_error(other.to_string()),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_for_those_who_bring_images_alone() {
        let home = tempfile::tempdir().unwrap();
        let store = Store { data_dir: Some(home.path().join("data")) };
        let error = store.existing().err().unwrap().to_string();
        assert!(error.contains("there is no data folder") && error.contains("--data-dir"), "{error}");
        assert!(store.open(Registries::default()).unwrap().list().unwrap().is_empty());
        assert!(store.existing().is_ok());
        let in_file = Store { data_dir: Some(home.path().join("data/images/x")) };
        std::fs::write(home.path().join("data/images/x"), "").unwrap();
        assert!(in_file.open(Registries::default()).err().unwrap().to_string().contains("--data-dir"));
    }

    #[test]
    fn errors_of_files_say_who_may() {
        let denied = |kind: std::io::ErrorKind| ImageError::Io {
            action: "cannot write",
            path: "/x".into(),
            source: kind.into(),
        };
        assert!(told(denied(std::io::ErrorKind::PermissionDenied)).to_string().contains("sudo"));
        assert!(told(denied(std::io::ErrorKind::StorageFull)).to_string().contains("images gc"));
        assert_eq!(told(ImageError::NotHere("a is not here".into())).to_string(), "a is not here");
    }
}
