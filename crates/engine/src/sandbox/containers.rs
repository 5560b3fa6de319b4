use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use agent::shim::{Bundle, ShimConfig};

use super::host_image::HostImage;
use super::{configuration, exit_of, network_files, shim_watch};
use crate::blocking::blocking;
use crate::{ContainerSpec, EngineError, Exit};

/// The folder of all containers, and what can be read off it.
#[derive(Debug, Clone)]
pub(super) struct Containers {
    data_dir: PathBuf,
    folder: PathBuf,
}

/// What there is of a container.
pub(super) enum Found {
    Nothing,
    /// It never ran: its making or starting was interrupted.
    HalfMade,
    /// Its shim lives.
    Running(Bundle),
    /// It was started, but its shim died without recording an end.
    Lost(Bundle),
    Ended(Bundle, Exit),
}

/// The last file of a bundle to be written: the description. Without it, nothing was ever started.
const DESCRIPTION: &str = "container.json";
/// Removed containers have this in front of their folder's name until all files are deleted.
const REMOVED: &str = ".removed-";

impl Containers {
    /// Opens `DATA_DIR/containers` and clears what interrupted removals and makings have left there.
    pub(super) fn open(data_dir: &Path) -> Result<Self, EngineError> {
        let folder = data_dir.join("containers");
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(EngineError::io("cannot make", &folder))?;
        let data_dir = data_dir.canonicalize().map_err(EngineError::io("cannot find", data_dir))?;
        let containers = Self { folder: data_dir.join("containers"), data_dir };
        for name in containers.names()? {
            let path = containers.folder.join(&name);
            if name.starts_with(REMOVED) || !path.join(DESCRIPTION).exists() {
                fs::remove_dir_all(&path).map_err(EngineError::io("cannot remove", &path))?;
            }
        }
        Ok(containers)
    }

    /// The folder itself.
    pub(super) fn path(&self) -> &Path {
        &self.folder
    }

    /// The server's data folder, links resolved.
    pub(super) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// A container's name for runc and the control groups: unique on the machine, also when several
    /// servers with their own data folders use the same id.
    pub(super) fn runc_name(&self, id: &str) -> String {
        let path = self.data_dir.as_os_str().as_encoded_bytes();
        // FNV-1a: only to tell data folders apart.
        let hash = path.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
        format!("{hash:08x}-{id}")
    }

    /// Looks at a container.
    pub(super) async fn find(&self, id: &str) -> Result<Found, EngineError> {
        crate::spec::check_id(id)?;
        let folder = self.folder.join(id);
        blocking(move || find(folder)).await
    }

    /// The descriptions of the containers with this label, by id.
    pub(super) async fn labelled(&self, key: &str, value: &str) -> Result<Vec<ContainerSpec>, EngineError> {
        let (containers, key, value) = (self.clone(), key.to_owned(), value.to_owned());
        blocking(move || {
            let mut found = containers.descriptions()?;
            found.retain(|spec| spec.labels.get(&key) == Some(&value));
            found.sort_by(|a, b| a.id.cmp(&b.id));
            Ok(found)
        })
        .await
    }

    /// Deletes a container's files. It is gone at once, whatever interrupts the deletion.
    pub(super) async fn remove(&self, id: &str) -> Result<(), EngineError> {
        let folder = self.folder.join(id);
        // A name of its own, so that a removal that failed half-way is in no later one's way.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let removed = self.folder.join(format!("{REMOVED}{id}.{}.{number}", std::process::id()));
        blocking(move || {
            match fs::rename(&folder, &removed) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                renamed => renamed.map_err(EngineError::io("cannot remove", &folder))?,
            }
            fs::remove_dir_all(&removed).map_err(EngineError::io("cannot remove", &removed))
        })
        .await
    }

    /// Writes all that the shim and runc need; the description comes last and makes it durable.
    pub(super) fn make(&self, spec: &ContainerSpec, image: &HostImage, agent: &Path) -> Result<Bundle, EngineError> {
        let folder = self.folder.join(&spec.id);
        let bundle = Bundle::new(folder.clone());
        private_folder(&folder).map_err(EngineError::io("cannot make", &folder))?;
        let top = image.lay_out(&bundle).map_err(EngineError::io("cannot lay out", &folder))?;
        network_files::write(&bundle, spec).map_err(EngineError::io("cannot write to /etc of", &folder))?;
        let mounts = configuration::mounts(spec, image, &top, &bundle, agent)?;
        let name = self.runc_name(&spec.id);
        let config = configuration::configuration(spec, &name, image, mounts)?;
        let shim = ShimConfig { container: name, link_local: spec.link_local };
        let write = || -> io::Result<()> {
            write_json(&folder.join("config.json"), &config)?;
            write_json(&bundle.shim_config(), &shim)?;
            nix::unistd::mkfifo(&bundle.alive(), nix::sys::stat::Mode::from_bits_truncate(0o600))?;
            describe(&folder, spec)
        };
        write().map_err(EngineError::io("cannot write", &folder))?;
        Ok(bundle)
    }

    fn descriptions(&self) -> Result<Vec<ContainerSpec>, EngineError> {
        let mut descriptions = Vec::new();
        for name in self.names()?.iter().filter(|name| !name.starts_with(REMOVED)) {
            let path = self.folder.join(name).join(DESCRIPTION);
            match fs::read(&path) {
                Ok(bytes) => descriptions.push(
                    serde_json::from_slice(&bytes)
                        .map_err(io::Error::from)
                        .map_err(EngineError::io("cannot read", &path))?,
                ),
                // It is being made or removed.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(EngineError::io("cannot read", &path)(error)),
            }
        }
        Ok(descriptions)
    }

    fn names(&self) -> Result<Vec<String>, EngineError> {
        let entries = fs::read_dir(&self.folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let entries = entries.map_err(EngineError::io("cannot read", &self.folder))?;
        Ok(entries.into_iter().filter_map(|entry| entry.file_name().into_string().ok()).collect())
    }
}

fn find(folder: PathBuf) -> Result<Found, EngineError> {
    if !folder.exists() {
        return Ok(Found::Nothing);
    }
    let described = folder.join(DESCRIPTION).exists();
    let bundle = Bundle::new(folder);
    // First, because the shim writes the record before it goes: no shim and no record means there will be none.
    let alive = shim_watch::is_alive(&bundle)?;
    let path = bundle.exit();
    Ok(match bundle.read_exit().map_err(EngineError::io("cannot read", &path))? {
        Some(record) => Found::Ended(bundle, exit_of(&record)),
        None if alive => Found::Running(bundle),
        None if described && bundle.was_launched() => Found::Lost(bundle),
        None => Found::HalfMade,
    })
}

/// Makes the container's folder, only for root: in it are its environment and all its files.
fn private_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(folder)
}

fn write_json(path: &Path, value: &impl serde::Serialize) -> io::Result<File> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(&serde_json::to_vec(value)?)?;
    Ok(file)
}

/// Writes the description durably: after this, the container exists.
fn describe(folder: &Path, spec: &ContainerSpec) -> io::Result<()> {
    let temporary = folder.join("container.json.new");
    write_json(&temporary, spec)?.sync_all()?;
    fs::rename(temporary, folder.join(DESCRIPTION))?;
    File::open(folder)?.sync_all()?;
    folder.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use agent::shim::ExitRecord;

    use super::*;

    fn opened() -> (tempfile::TempDir, Containers) {
        let folder = tempfile::tempdir().unwrap();
        let containers = Containers::open(folder.path()).unwrap();
        (folder, containers)
    }

    /// A described container whose shim is not there.
    fn described(containers: &Containers, id: &str) -> Bundle {
        let folder = containers.folder.join(id);
        private_folder(&folder).unwrap();
        let mut spec = ContainerSpec::new(id, ["true"]);
        spec.labels.insert("build".into(), id.into());
        describe(&folder, &spec).unwrap();
        Bundle::new(folder)
    }

    #[tokio::test]
    async fn reads_a_containers_life_off_its_files() {
        let (_folder, containers) = opened();
        assert!(matches!(containers.find("a").await.unwrap(), Found::Nothing));
        let bundle = described(&containers, "a");
        assert!(matches!(containers.find("a").await.unwrap(), Found::HalfMade));
        bundle.mark_launched().unwrap();
        assert!(matches!(containers.find("a").await.unwrap(), Found::Lost(_)));
        bundle.write_exit(&ExitRecord { code: Some(4), signal: None, oom: false }).unwrap();
        let found = containers.find("a").await.unwrap();
        assert!(matches!(found, Found::Ended(_, exit) if exit == Exit::code(4)));
        containers.remove("a").await.unwrap();
        containers.remove("a").await.unwrap();
        assert!(matches!(containers.find("a").await.unwrap(), Found::Nothing));
    }

    #[tokio::test]
    async fn opening_clears_what_was_interrupted() {
        let (folder, containers) = opened();
        described(&containers, "whole");
        private_folder(&containers.folder.join("half")).unwrap();
        private_folder(&containers.folder.join(".removed-x")).unwrap();
        let containers = Containers::open(folder.path()).unwrap();
        assert_eq!(containers.names().unwrap(), ["whole"]);
    }

    #[tokio::test]
    async fn lists_by_label_in_order() {
        let (_folder, containers) = opened();
        described(&containers, "b");
        described(&containers, "a");
        let ids = |found: Vec<ContainerSpec>| found.into_iter().map(|spec| spec.id).collect::<Vec<_>>();
        assert_eq!(ids(containers.labelled("build", "b").await.unwrap()), ["b"]);
        assert!(containers.labelled("other", "b").await.unwrap().is_empty());
        fs::rename(containers.folder.join("b"), containers.folder.join(".removed-b.1.0")).unwrap();
        assert!(containers.labelled("build", "b").await.unwrap().is_empty());
    }

    #[test]
    fn names_for_runc_tell_data_folders_apart() {
        let (_one, a) = opened();
        let (_two, b) = opened();
        assert_ne!(a.runc_name("x"), b.runc_name("x"));
        assert!(a.runc_name("x").ends_with("-x"));
    }
}
