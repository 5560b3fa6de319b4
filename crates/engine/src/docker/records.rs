//! What the engine itself knows of its containers: one folder for each, beside what the daemon knows.

use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{ContainerSpec, EngineError, Exit};

/// The last file of a record to be written: the container's description.
const DESCRIPTION: &str = "container.json";
/// Removed records have this in front of their folder's name until all files are deleted.
const REMOVED: &str = ".removed-";
/// Names this data folder towards the daemon.
const IDENTITY: &str = ".identity";

/// The folder of all records, `DATA_DIR/docker`.
#[derive(Debug, Clone)]
pub(super) struct Records {
    folder: PathBuf,
    identity: String,
}

/// One container's folder.
#[derive(Debug, Clone)]
pub(super) struct Record(PathBuf);

impl Records {
    /// Opens the folder and clears what interrupted removals and makings have left there.
    pub(super) fn open(data_dir: &Path) -> Result<Self, EngineError> {
        let folder = data_dir.join("docker");
        let opened = || {
            DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
            let folder = folder.canonicalize()?;
            let records = Self { identity: identity(&folder)?, folder };
            for name in records.names()? {
                let path = records.folder.join(&name);
                if name.starts_with(REMOVED) || !path.join(DESCRIPTION).exists() {
                    fs::remove_dir_all(&path)?;
                }
            }
            Ok(records)
        };
        opened().map_err(EngineError::io("cannot open", &folder))
    }

    /// What tells this data folder's containers from those of others on the same daemon: random, and another one where
    /// the folder was copied or moved, so that two servers never take each other's containers for their own.
    pub(super) fn identity(&self) -> &str {
        &self.identity
    }

    /// The container's name at the daemon.
    pub(super) fn name(&self, id: &str) -> String {
        format!("landfall-{}-{id}", self.identity)
    }

    /// The record of this id, whether it is there or not.
    pub(super) fn record(&self, id: &str) -> Result<Record, EngineError> {
        crate::spec::check_id(id)?;
        Ok(Record(self.folder.join(id)))
    }

    /// The descriptions of all containers, by id.
    pub(super) fn descriptions(&self) -> Result<Vec<ContainerSpec>, EngineError> {
        let read = || -> io::Result<Vec<ContainerSpec>> {
            let mut names = self.names()?;
            names.retain(|name| !name.starts_with(REMOVED));
            names.sort();
            // One without a description is being made or removed. One that is damaged must not keep all others from being
            // found; by its id it can still be removed.
            let described = |name: &String| match Record(self.folder.join(name)).description() {
                Err(error) => {
                    tracing::error!(%error, name, "a container's description cannot be read");
                    None
                }
                Ok(description) => description,
            };
            Ok(names.iter().filter_map(described).collect())
        };
        read().map_err(EngineError::io("cannot read", &self.folder))
    }

    /// Deletes a record. It is gone at once, whatever interrupts the deletion.
    pub(super) fn remove(&self, id: &str) -> Result<(), EngineError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = self.folder.join(id);
        let removed = self.folder.join(format!("{REMOVED}{id}.{}.{number}", std::process::id()));
        let remove = || match fs::rename(&folder, &removed) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            renamed => renamed.and_then(|()| fs::remove_dir_all(&removed)),
        };
        remove().map_err(EngineError::io("cannot remove", &folder))
    }

    /// The folders' names; what begins with a dot and is no removed record is something else.
    fn names(&self) -> io::Result<Vec<String>> {
        let entries = fs::read_dir(&self.folder)?.collect::<io::Result<Vec<_>>>()?;
        let names = entries.into_iter().filter_map(|entry| entry.file_name().into_string().ok());
        Ok(names.filter(|name| !name.starts_with('.') || name.starts_with(REMOVED)).collect())
    }
}

impl Record {
    /// Where the container's output is collected.
    pub(super) fn output(&self) -> PathBuf {
        self.0.join("output")
    }

    /// Where the agent says whether it could become the program.
    pub(super) fn word(&self) -> PathBuf {
        self.0.join("word")
    }

    /// Makes the folder, the description last and durable: after this, the container exists.
    pub(super) fn make(&self, spec: &ContainerSpec) -> Result<(), EngineError> {
        let make = || {
            DirBuilder::new().mode(0o700).create(&self.0)?;
            private(&self.output())?;
            private(&self.word())?;
            self.write(DESCRIPTION, &serde_json::to_vec(spec)?)?;
            self.0.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
        };
        make().map_err(EngineError::io("cannot make", &self.0))
    }

    /// The description; `None` where there is no container.
    pub(super) fn description(&self) -> io::Result<Option<ContainerSpec>> {
        self.read(DESCRIPTION)
    }

    /// It is about to be started: from here on, a container that is not there has vanished.
    pub(super) fn mark_launched(&self) -> Result<(), EngineError> {
        self.write("launched", b"").map_err(EngineError::io("cannot write to", &self.0))
    }

    /// Whether it was to be started.
    pub(super) fn was_launched(&self) -> bool {
        self.0.join("launched").exists()
    }

    /// Keeps how the container ended, so that the answer stays the same when the daemon has forgotten it.
    pub(super) fn write_exit(&self, exit: &Exit) -> Result<(), EngineError> {
        let written =
            serde_json::to_vec(exit).map_err(io::Error::from).and_then(|bytes| self.write("exit.json", &bytes));
        written.map_err(EngineError::io("cannot write to", &self.0))
    }

    /// How it ended, if that was kept.
    pub(super) fn exit(&self) -> Result<Option<Exit>, EngineError> {
        self.read("exit.json").map_err(EngineError::io("cannot read", &self.0))
    }

    fn read<T: serde::de::DeserializeOwned>(&self, name: &str) -> io::Result<Option<T>> {
        match fs::read(self.0.join(name)) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Puts a file in place whole and durably. Two may write the same at once.
    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let temporary = self.0.join(format!("{name}.{}.{number}", std::process::id()));
        let mut file = private(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(temporary, self.0.join(name))?;
        File::open(&self.0)?.sync_all()
    }
}

/// A new file for its owner alone: in these folders are environments, which may hold secrets.
fn private(path: &Path) -> io::Result<File> {
    File::options().write(true).create_new(true).mode(0o600).open(path)
}

/// Random, kept in the folder; with the folder's own place, because folders are copied.
fn identity(folder: &Path) -> io::Result<String> {
    let path = folder.join(IDENTITY);
    if !path.exists() {
        let random = fs::read("/proc/sys/kernel/random/uuid")?;
        let temporary = folder.join(format!("{IDENTITY}.{}", std::process::id()));
        fs::write(&temporary, random)?;
        fs::rename(temporary, &path)?;
    }
    let mut content = fs::read(path)?;
    content.extend(folder.as_os_str().as_encoded_bytes());
    // FNV-1a: only to tell folders apart.
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    Ok(format!("{:016x}", content.iter().fold(0xcbf2_9ce4_8422_2325, mix)))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn opened() -> (tempfile::TempDir, Records) {
        let folder = tempfile::tempdir().unwrap();
        let records = Records::open(folder.path()).unwrap();
        (folder, records)
    }

    #[test]
    fn keeps_what_a_container_is_and_how_it_ended() {
        let (_folder, records) = opened();
        let record = records.record("a").unwrap();
        assert!(record.description().unwrap().is_none());
        let spec = ContainerSpec::new("a", ["true"]);
        record.make(&spec).unwrap();
        assert_eq!(record.description().unwrap(), Some(spec));
        assert!(!record.was_launched());
        record.mark_launched().unwrap();
        assert!(record.was_launched());
        assert_eq!(record.exit().unwrap(), None);
        record.write_exit(&Exit::code(3)).unwrap();
        record.write_exit(&Exit::code(3)).unwrap();
        assert_eq!(record.exit().unwrap(), Some(Exit::code(3)));
        records.remove("a").unwrap();
        records.remove("a").unwrap();
        assert!(records.descriptions().unwrap().is_empty());
    }

    #[test]
    fn a_damaged_description_hides_no_other() {
        let (_folder, records) = opened();
        for id in ["damaged", "whole"] {
            records.record(id).unwrap().make(&ContainerSpec::new(id, ["true"])).unwrap();
        }
        fs::write(records.folder.join("damaged").join(DESCRIPTION), "{").unwrap();
        let found = records.descriptions().unwrap();
        assert_eq!(found.into_iter().map(|spec| spec.id).collect::<Vec<_>>(), ["whole"]);
    }

    #[test]
    fn opening_clears_what_was_interrupted() {
        let (folder, records) = opened();
        records.record("whole").unwrap().make(&ContainerSpec::new("whole", ["true"])).unwrap();
        for left in ["half", ".removed-x.1.0"] {
            fs::create_dir(records.folder.join(left)).unwrap();
        }
        let again = Records::open(folder.path()).unwrap();
        assert_eq!(again.names().unwrap(), ["whole"]);
        assert_eq!(again.identity(), records.identity());
    }

    #[test]
    fn folders_are_told_apart_also_when_copied() {
        let ((_one, a), (two, b)) = (opened(), opened());
        assert_ne!(a.identity(), b.identity());
        fs::copy(a.folder.join(IDENTITY), b.folder.join(IDENTITY)).unwrap();
        let copied = Records::open(two.path()).unwrap();
        assert_ne!(a.identity(), copied.identity());
        assert_eq!(a.name("x"), format!("landfall-{}-x", a.identity()));
    }

    #[test]
    fn ids_are_checked_before_they_are_paths() {
        let (_folder, records) = opened();
        assert!(matches!(records.record("../x"), Err(EngineError::Spec(_))));
    }
}
