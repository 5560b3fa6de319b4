use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The address on `lo` where AWS's containers ask for their role's credentials.
pub const LINK_LOCAL: Ipv4Addr = Ipv4Addr::new(169, 254, 170, 2);

/// One container: what runs in it, what it sees, what it may use.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerSpec {
    /// The caller's name for it, for ever: 1 to 64 of `A-Z a-z 0-9 - _`, first a letter or digit.
    pub id: String,
    /// By which [`list`](crate::Engine::list) finds it again.
    pub labels: BTreeMap<String, String>,
    /// What [`prepare`](crate::Engine::prepare) answered: an image's id, or `host`.
    pub image: String,
    /// The first process and its arguments; the program is looked up on the container's PATH. Never secrets.
    pub argv: Vec<String>,
    /// Put over the image's own environment. PATH and HOME have defaults. It is in no process arguments, but in the engine's
    /// files (mode 0600) until the container is removed.
    pub environment: BTreeMap<String, String>,
    /// Folders and files of the machine that the container sees.
    pub mounts: Vec<Mount>,
    /// Where the first process starts; made where it is missing.
    pub workdir: PathBuf,
    /// What it may use at most.
    pub limits: Limits,
    /// What it can reach.
    pub network: Network,
    /// Its host name.
    pub hostname: String,
    /// Puts [`LINK_LOCAL`] on its `lo`.
    pub link_local: bool,
    /// It may run a container daemon of its own: with all capabilities within its own namespaces, and scratch space at
    /// `/var/lib/docker`. The machine's own daemon is never seen inside.
    #[serde(default)]
    pub privileged: bool,
}

impl ContainerSpec {
    /// A container of image `host` that runs `argv` in `/`, loopback only, with no limits.
    pub fn new(id: impl Into<String>, argv: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let id = id.into();
        Self {
            hostname: id.clone(),
            id,
            labels: BTreeMap::new(),
            image: "host".to_owned(),
            argv: argv.into_iter().map(Into::into).collect(),
            environment: BTreeMap::new(),
            mounts: Vec::new(),
            workdir: PathBuf::from("/"),
            limits: Limits::default(),
            network: Network::LoopbackOnly,
            link_local: true,
            privileged: false,
        }
    }

    /// Checks the rules that the fields' descriptions give.
    pub fn validate(&self) -> Result<(), SpecError> {
        check_id(&self.id)?;
        if self.argv.first().is_none_or(String::is_empty) {
            return Err(SpecError("a container needs a program to run".to_owned()));
        }
        if !self.workdir.is_absolute() {
            return Err(SpecError(format!("the working folder {:?} is not absolute", self.workdir)));
        }
        check_hostname(&self.hostname)?;
        check_environment(&self.environment)?;
        self.mounts.iter().try_for_each(Mount::validate)
    }
}

/// Values of the environment may be secrets, so only its names are shown.
impl std::fmt::Debug for ContainerSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ContainerSpec")
            .field("id", &self.id)
            .field("labels", &self.labels)
            .field("image", &self.image)
            .field("argv", &self.argv)
            .field("environment", &self.environment.keys())
            .field("mounts", &self.mounts)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// A folder or file of the machine inside a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Where it is on the machine.
    pub host: PathBuf,
    /// Where the container sees it.
    pub container: PathBuf,
    /// The container cannot write to it.
    pub read_only: bool,
}

impl Mount {
    fn validate(&self) -> Result<(), SpecError> {
        let climbs = |path: &PathBuf| path.components().any(|part| part == std::path::Component::ParentDir);
        for path in [&self.host, &self.container] {
            if !path.is_absolute() || climbs(path) {
                return Err(SpecError(format!("the mount path {path:?} must be absolute and without `..`")));
            }
        }
        Ok(())
    }
}

/// What a container may use at most; `None` is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory and files on tmpfs, in bytes.
    pub memory_bytes: Option<u64>,
    /// Processor time in thousandths of one processor (1500: one and a half).
    pub cpu_millis: Option<u64>,
    /// Processes and threads.
    pub pids: Option<u32>,
    /// What it writes over its image, in bytes; on file systems that cannot count it, see the engine's own words.
    #[serde(default)]
    pub disk_bytes: Option<u64>,
}

/// What a container's processes can reach.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// Only themselves, on their own loopback.
    #[default]
    LoopbackOnly,
    /// Also the networks that the machine reaches, by [`WayOut`](crate::WayOut); never the machine's own loopback, nor
    /// other containers.
    Outside,
}

/// The signals that an engine passes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Signal {
    /// Please stop.
    Term,
    /// As from a keyboard.
    Int,
    /// End now; cannot be refused.
    Kill,
}

impl Signal {
    /// The signal's number on Linux.
    pub const fn number(self) -> i32 {
        match self {
            Self::Term => 15,
            Self::Int => 2,
            Self::Kill => 9,
        }
    }
}

/// A rule of [`ContainerSpec`] that was broken, as a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SpecError(pub String);

/// The rule of [`ContainerSpec::id`]; it keeps ids safe as file and cgroup names.
pub(crate) fn check_id(id: &str) -> Result<(), SpecError> {
    let plain = |c: char| c.is_ascii_alphanumeric();
    let starts = id.starts_with(plain);
    if starts && id.len() <= 64 && id.chars().all(|c| plain(c) || c == '-' || c == '_') {
        return Ok(());
    }
    Err(SpecError(format!("container id {id:?}: 1 to 64 letters, digits, `-` or `_`, first a letter or digit")))
}

fn check_hostname(name: &str) -> Result<(), SpecError> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if (1..=64).contains(&name.len()) && name.chars().all(legal) {
        return Ok(());
    }
    Err(SpecError(format!("host name {name:?}: 1 to 64 letters, digits, `-`, `_` or `.`")))
}

fn check_environment(environment: &BTreeMap<String, String>) -> Result<(), SpecError> {
    for (name, value) in environment {
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            return Err(SpecError(format!("environment variable {name:?}: a name without `=`, and no zero bytes")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_safe_file_names() {
        for good in ["a", "build-1", "0a_B", &"x".repeat(64)] {
            assert_eq!(check_id(good), Ok(()), "{good}");
        }
        for bad in ["", "-a", "../a", "a/b", "a b", "a.b", "ä", &"x".repeat(65)] {
            assert!(check_id(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn says_which_rule_a_spec_breaks() {
        let broken = |change: fn(&mut ContainerSpec)| {
            let mut spec = ContainerSpec::new("a", ["true"]);
            change(&mut spec);
            spec.validate().map_err(|error| error.to_string())
        };
        assert_eq!(broken(|_| ()), Ok(()));
        assert!(broken(|spec| spec.argv.clear()).is_err_and(|text| text.contains("program")));
        assert!(broken(|spec| spec.workdir = "src".into()).is_err_and(|text| text.contains("src")));
        assert!(broken(|spec| spec.hostname = "a/b".into()).is_err_and(|text| text.contains("a/b")));
        assert!(
            broken(|spec| {
                spec.environment.insert("A=B".into(), String::new());
            })
            .is_err_and(|text| text.contains("A=B"))
        );
        assert!(
            broken(|spec| spec.mounts.push(Mount { host: "/a/../b".into(), container: "/c".into(), read_only: true }))
                .is_err_and(|text| text.contains(".."))
        );
    }

    #[test]
    fn debug_shows_no_values_of_the_environment() {
        let mut spec = ContainerSpec::new("a", ["true"]);
        spec.environment.insert("TOKEN".into(), "hunter2".into());
        let text = format!("{spec:?}");
        assert!(text.contains("TOKEN") && !text.contains("hunter2"), "{text}");
    }
}
