//! What this machine and user let the sandbox do, found when it is opened.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use agent::shim::Identities;
use nix::sys::statfs::{OVERLAYFS_SUPER_MAGIC, statfs};

use super::cgroup::Cgroups;
use super::disk::Keeper;
use super::network::Networks;
use super::{identities, security};
use crate::{EngineError, EngineOptions};

/// See the module's page.
#[derive(Debug, Clone)]
pub(super) struct Machine {
    /// Control groups; none where the operator lets builds run without limits and there are none.
    pub(super) cgroups: Option<Cgroups>,
    /// The containers' user namespaces where Landfall is not root.
    pub(super) identities: Option<Identities>,
    /// What keeps the size of writable spaces.
    pub(super) disk: Keeper,
    /// This process's bounding set.
    pub(super) capabilities: u64,
    /// The agent's full path.
    pub(super) agent: PathBuf,
    /// The containers' ways to other networks.
    pub(super) networks: Arc<Networks>,
}

impl Machine {
    /// Looks, and makes the folder of control groups.
    ///
    /// # Errors
    /// [`EngineError::Unusable`] with the fix where containers cannot be had, or not limited.
    pub(super) fn find(options: &EngineOptions, containers: &Path) -> Result<Self, EngineError> {
        let agent = agent(&options.agent_binary)?;
        no_overlay(containers)?;
        let identities = identities::of_this_user();
        let cgroups = match Cgroups::open() {
            Err(EngineError::Unusable(reason)) if options.without_limits => {
                tracing::warn!("{reason}");
                None
            }
            found => Some(found?),
        };
        let disk = Keeper::find(identities.is_some());
        let networks = Arc::new(Networks::open(options.way_out, &agent, identities.clone(), containers)?);
        Ok(Self { cgroups, identities, disk, capabilities: security::own_capabilities(), agent, networks })
    }

    /// Landfall runs as an ordinary user.
    pub(super) fn rootless(&self) -> bool {
        self.identities.is_some()
    }

    /// Whether containers have a group of this number.
    pub(super) fn has_group(&self, gid: u32) -> bool {
        let mapped = |identities: &Identities| {
            identities.groups.iter().any(|range| range.inside <= gid && gid - range.inside < range.count)
        };
        self.identities.as_ref().is_none_or(mapped)
    }

    /// Whether containers can see their control groups.
    pub(super) fn shows_groups(&self) -> bool {
        self.cgroups.as_ref().is_some_and(|cgroups| !self.rootless() || cgroups.is_unified())
    }

    /// What a test of a configuration needs: root, with all groups.
    #[cfg(test)]
    pub(super) fn fake() -> Self {
        Self {
            cgroups: Some(Cgroups::fake(true, true)),
            identities: None,
            disk: Keeper::Counting,
            capabilities: u64::MAX,
            agent: PathBuf::from("/usr/bin/env"),
            networks: Arc::new(Networks::none()),
        }
    }
}

fn agent(agent: &Path) -> Result<PathBuf, EngineError> {
    agent.canonicalize().ok().filter(|agent| agent.is_file()).ok_or_else(|| {
        EngineError::Unusable(format!(
            "the program {} is missing: build it with `cargo build -p landfall-agent`, or use the landfall that \
             scripts/build makes",
            agent.display()
        ))
    })
}

fn no_overlay(containers: &Path) -> Result<(), EngineError> {
    let on = statfs(containers).map_err(std::io::Error::from).map_err(EngineError::io("cannot look at", containers))?;
    if on.filesystem_type() == OVERLAYFS_SUPER_MAGIC {
        return Err(EngineError::Unusable(format!(
            "{} is on an overlay file system, and overlays cannot be stacked on it: give a `--data-dir` on \
             a disk or volume",
            containers.display()
        )));
    }
    if containers.to_string_lossy().contains([',', ':', '\\']) {
        return Err(EngineError::Unusable(format!(
            "the data folder's path {} has a comma, colon or backslash, which overlays cannot take",
            containers.display()
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use agent::shim::IdRange;

    use super::*;

    #[test]
    fn names_what_is_missing_or_cannot_be() {
        let missing = agent(Path::new("/nowhere/landfall-agent"));
        assert!(missing.is_err_and(|error| error.to_string().contains("/nowhere/landfall-agent")));
        assert!(no_overlay(Path::new("/")).is_ok());
    }

    #[test]
    fn an_ordinary_user_has_the_groups_that_are_mapped() {
        let range = |inside, count| IdRange { inside, outside: 1000, count };
        let with = |groups: Vec<IdRange>| {
            let identities = Some(Identities { users: vec![], groups, programs: None });
            Machine { identities, ..Machine::fake() }
        };
        assert!(Machine::fake().has_group(5));
        assert!(!with(vec![range(0, 1)]).has_group(5));
        assert!(with(vec![range(0, 1), range(1, 65_536)]).has_group(5));
    }
}
