use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use agent::shim::{self, Bundle, ShimConfig};

use super::machine::Machine;
use super::root::Root;
use super::{configuration, exit_of, mounts, network_files, privileged, removal, shim_watch};
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

/// Removed containers have this in front of their folder's name until all files are deleted.
pub(super) const REMOVED: &str = ".removed-";

impl Containers {
    /// Opens `DATA_DIR/containers`.
    pub(super) fn open(data_dir: &Path) -> Result<Self, EngineError> {
        let folder = data_dir.join("containers");
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(EngineError::io("cannot make", &folder))?;
        let data_dir = data_dir.canonicalize().map_err(EngineError::io("cannot find", data_dir))?;
        Ok(Self { folder: data_dir.join("containers"), data_dir })
    }

    /// The bundles of all folders here, and whether each is to be kept: removals and makings that were interrupted are not.
    pub(super) fn bundles(&self) -> Result<Vec<(String, Bundle, bool)>, EngineError> {
        let bundle = |name: String| {
            let path = self.folder.join(&name);
            let bundle = Bundle::new(path);
            // Without its description, nothing was ever started.
            let kept = !name.starts_with(REMOVED) && bundle.description().exists();
            bundle.path().is_dir().then_some((name, bundle, kept))
        };
        Ok(self.names()?.into_iter().filter_map(bundle).collect())
    }

    /// The folder itself.
    pub(super) fn path(&self) -> &Path {
        &self.folder
    }

    /// The server's data folder, links resolved.
    pub(super) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// A container's name for the runtime and the control groups: unique on the machine, also when several
    /// servers with their own data folders use the same id.
    pub(super) fn runtime_name(&self, id: &str) -> String {
        format!("{}{id}", self.runtime_prefix())
    }

    /// What all those names of this data folder begin with, and none of another.
    pub(super) fn runtime_prefix(&self) -> String {
        let path = self.data_dir.as_os_str().as_encoded_bytes();
        // FNV-1a: only to tell data folders apart.
        let (basis, prime) = (0xcbf2_9ce4_8422_2325_u64, 0x0100_0000_01b3);
        let hash = path.iter().fold(basis, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(prime));
        format!("{hash:016x}-")
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
    pub(super) async fn remove(&self, id: &str, machine: &Arc<Machine>) -> Result<(), EngineError> {
        let (folder, removed, machine) = (self.folder.join(id), self.unkept(id), Arc::clone(machine));
        blocking(move || match fs::rename(&folder, removed.path()) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(EngineError::io("cannot remove", &folder)(error)),
            Ok(()) => {
                crash_point::crash_point!("sandbox_before_deletion");
                removal::delete(&removed, &machine)
            }
        })
        .await
    }

    /// A bundle of a name that is cleared away at the next start at the latest; a new one each time, so that what failed to
    /// be deleted is in nobody's way.
    pub(super) fn unkept(&self, id: &str) -> Bundle {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Bundle::new(self.folder.join(format!("{REMOVED}{id}.{}.{number}", std::process::id())))
    }

    /// Where a container of this id has its files.
    pub(super) fn bundle(&self, id: &str) -> Bundle {
        Bundle::new(self.folder.join(id))
    }

    /// Writes all that the shim and the runtime need; the description comes last. The shim makes it durable before it runs
    /// anything: what a machine forgets that loses power before has never run.
    pub(super) fn make(
        &self,
        bundle: &Bundle,
        spec: &ContainerSpec,
        root: &Root,
        machine: &Machine,
        runtime: shim::Runtime,
    ) -> Result<(), EngineError> {
        let folder = bundle.path();
        let made = private_folder(folder).and_then(|()| private_folder(&bundle.space()));
        made.map_err(EngineError::io("cannot make", folder))?;
        let name = self.runtime_name(&spec.id);
        let network = machine.networks.of(spec, &format!("landfall-{name}"))?;
        let mut layout = root.layout(&network_files::files(spec, network.resolv_conf), machine.rootless())?;
        if spec.privileged {
            privileged::lay_out(&mut layout);
        }
        let mounts = mounts::mounts(spec, root, bundle, machine)?;
        let config = configuration::configuration(spec, &name, root, machine, mounts)?;
        let shim = ShimConfig {
            runtime,
            network: network.config,
            identities: machine.identities.clone(),
            disk: machine.disk.keep(bundle, spec.limits.disk_bytes)?,
            layout,
            groups: machine.cgroups.as_ref().map(|cgroups| cgroups.groups(&name)).unwrap_or_default(),
            container: name,
        };
        let write = || -> io::Result<()> {
            write_json(&folder.join("config.json"), &config)?;
            write_json(&bundle.shim_config(), &shim)?;
            nix::unistd::mkfifo(&bundle.alive(), nix::sys::stat::Mode::from_bits_truncate(0o600))?;
            describe(bundle, spec)
        };
        write().map_err(EngineError::io("cannot write", folder))
    }

    fn descriptions(&self) -> Result<Vec<ContainerSpec>, EngineError> {
        let mut descriptions = Vec::new();
        for name in self.names()?.iter().filter(|name| !name.starts_with(REMOVED)) {
            let path = Bundle::new(self.folder.join(name)).description();
            let description = fs::read(&path).and_then(|bytes| Ok(serde_json::from_slice(&bytes)?));
            match description {
                Ok(description) => descriptions.push(description),
                // It is being made or removed.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                // One that is damaged must not keep all others from being found. By its id it can still be removed.
                Err(error) => {
                    tracing::error!(%error, path = %path.display(), "a container's description cannot be read");
                }
            }
        }
        Ok(descriptions)
    }

    fn names(&self) -> Result<Vec<String>, EngineError> {
        let entries = fs::read_dir(&self.folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let entries = entries.map_err(EngineError::io("cannot read", &self.folder))?;
        let names = entries.into_iter().filter_map(|entry| entry.file_name().into_string().ok());
        // A container's name has no dot; files of the engine's own begin with one.
        Ok(names.filter(|name| !name.starts_with('.') || name.starts_with(REMOVED)).collect())
    }
}

fn find(folder: PathBuf) -> Result<Found, EngineError> {
    if !folder.exists() {
        return Ok(Found::Nothing);
    }
    let bundle = Bundle::new(folder);
    let described = bundle.description().exists();
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

fn write_json(path: &Path, value: &impl serde::Serialize) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(&serde_json::to_vec(value)?)
}

/// Writes the description, whole or not at all: after this, the container exists.
fn describe(bundle: &Bundle, spec: &ContainerSpec) -> io::Result<()> {
    let temporary = bundle.path().join("container.json.new");
    write_json(&temporary, spec)?;
    crash_point::crash_point!("sandbox_before_description");
    fs::rename(temporary, bundle.description())
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
        let bundle = Bundle::new(folder);
        describe(&bundle, &spec).unwrap();
        bundle
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
        let machine = Arc::new(Machine::fake());
        containers.remove("a", &machine).await.unwrap();
        containers.remove("a", &machine).await.unwrap();
        assert!(matches!(containers.find("a").await.unwrap(), Found::Nothing));
    }

    #[test]
    fn tells_what_was_interrupted_from_what_is_kept() {
        let (_folder, containers) = opened();
        described(&containers, "whole");
        private_folder(&containers.folder.join("half")).unwrap();
        private_folder(containers.unkept("x").path()).unwrap();
        fs::write(containers.folder.join("file"), "").unwrap();
        let mut bundles = containers.bundles().unwrap();
        bundles.sort_by(|a, b| b.0.cmp(&a.0));
        let kept: Vec<_> = bundles.iter().map(|(name, _, kept)| (name.as_str(), *kept)).collect();
        assert_eq!(kept[..2], [("whole", true), ("half", false)]);
        assert!(kept[2].0.starts_with(REMOVED) && !kept[2].1);
    }

    #[tokio::test]
    async fn lists_by_label_in_order() {
        let (_folder, containers) = opened();
        described(&containers, "b");
        described(&containers, "a");
        let ids = |found: Vec<ContainerSpec>| found.into_iter().map(|spec| spec.id).collect::<Vec<_>>();
        assert_eq!(ids(containers.labelled("build", "b").await.unwrap()), ["b"]);
        assert!(containers.labelled("other", "b").await.unwrap().is_empty());
        described(&containers, "damaged");
        fs::write(containers.bundle("damaged").description(), "{").unwrap();
        assert_eq!(ids(containers.labelled("build", "b").await.unwrap()), ["b"]);
        fs::rename(containers.folder.join("b"), containers.folder.join(".removed-b.1.0")).unwrap();
        assert!(containers.labelled("build", "b").await.unwrap().is_empty());
    }

    #[test]
    fn names_for_runc_tell_data_folders_apart() {
        let (_one, a) = opened();
        let (_two, b) = opened();
        assert_ne!(a.runtime_name("x"), b.runtime_name("x"));
        assert!(a.runtime_name("x").ends_with("-x"));
    }
}
