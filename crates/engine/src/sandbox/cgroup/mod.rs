//! Control groups: where containers' groups are made, and what can be limited in them.
//!
//! Under systemd with `Delegate=yes` they are made below the service's own group (version 2 wants `DelegateSubgroup=` too,
//! else a restart of the service while builds go on would fail); as an ordinary user below the group that systemd gave this
//! user; as root elsewhere in `/landfall` at the top. Version 1, both versions side by side, and version 2 are told apart by
//! what is mounted. The decisions ([`view`], [`place`]) are pure; this file does what they say.

mod place;
mod view;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use agent::shim::Groups;

use place::{Facts, Place};
use view::{Hierarchy, View};

use crate::EngineError;

/// Without these a build could hurt the machine; `cpu` only makes others wait.
const NEEDED: [&str; 2] = ["memory", "pids"];
const WANTED: [&str; 3] = ["cpu", "memory", "pids"];

/// Where this machine's containers have their control groups, and what these can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cgroups {
    hierarchies: Vec<Hierarchy>,
    base: PathBuf,
    /// Processor time can be limited.
    pub(super) cpu: bool,
    /// Swap is counted, and so can be limited.
    pub(super) swap: bool,
    unified: bool,
}

impl Cgroups {
    /// Finds the place, makes its folder and has it give out controllers.
    ///
    /// # Errors
    /// [`EngineError::Unusable`] with the fix where this user may make no groups, or not with the controllers that builds
    /// must be limited by.
    pub(super) fn open() -> Result<Self, EngineError> {
        let read = |path: &str| fs::read_to_string(path).map_err(EngineError::io("cannot read", Path::new(path)));
        let view = View::parse(&read("/proc/self/mountinfo")?, &read("/proc/self/cgroup")?);
        let facts = Machine { view: &view };
        let Some(place) = place::choose(&view, &facts) else { return Err(refusal(&view, facts.root(), &NEEDED)) };
        let missing = |what: &[&str]| refusal(&view, facts.root(), what);
        match view.unified() {
            Some(hierarchy) => Self::open_unified(hierarchy, &place, missing),
            None => Self::open_by_controller(&view, &place, missing),
        }
    }

    fn open_unified(
        hierarchy: &Hierarchy,
        place: &Place,
        missing: impl Fn(&[&str]) -> EngineError,
    ) -> Result<Self, EngineError> {
        let base = below(&hierarchy.point, &place.base);
        let made = || -> io::Result<()> {
            fs::create_dir_all(&base)?;
            if let Some(leaf) = &place.leaf {
                step_aside(&below(&hierarchy.point, leaf))?;
            }
            enable(&hierarchy.point, &place.base)
        };
        made().map_err(EngineError::io("cannot make control groups in", &base))?;
        let given = fs::read_to_string(base.join("cgroup.subtree_control")).unwrap_or_default();
        let has = |controller: &str| given.split_whitespace().any(|name| name == controller);
        let absent: Vec<&str> = NEEDED.into_iter().filter(|controller| !has(controller)).collect();
        if !absent.is_empty() {
            return Err(missing(&absent));
        }
        Ok(Self {
            hierarchies: vec![hierarchy.clone()],
            base: place.base.clone(),
            cpu: has("cpu"),
            swap: base.join("memory.swap.max").exists(),
            unified: true,
        })
    }

    fn open_by_controller(
        view: &View,
        place: &Place,
        missing: impl Fn(&[&str]) -> EngineError,
    ) -> Result<Self, EngineError> {
        let absent: Vec<&str> = NEEDED.into_iter().filter(|controller| view.with(controller).is_none()).collect();
        if !absent.is_empty() {
            return Err(missing(&absent));
        }
        for hierarchy in NEEDED.iter().filter_map(|controller| view.with(controller)) {
            let base = below(&hierarchy.point, &place.base);
            fs::create_dir_all(&base).map_err(EngineError::io("cannot make control groups in", &base))?;
        }
        let memory = view.with("memory").map(|hierarchy| below(&hierarchy.point, &place.base));
        Ok(Self {
            hierarchies: view.hierarchies.clone(),
            base: place.base.clone(),
            cpu: view.with("cpu").is_some(),
            swap: memory.is_some_and(|base| base.join("memory.memsw.limit_in_bytes").exists()),
            unified: false,
        })
    }

    /// Groups that are not there, for tests of what is written about them.
    #[cfg(test)]
    pub(super) fn fake(cpu: bool, swap: bool) -> Self {
        Self { hierarchies: Vec::new(), base: "/landfall".into(), cpu, swap, unified: true }
    }

    /// Whether there is version 2 alone.
    pub(super) fn is_unified(&self) -> bool {
        self.unified
    }

    /// A container's group as the runtime wants it: one path for all hierarchies.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.base.join(name)
    }

    /// A container's groups by their full paths.
    pub(super) fn groups(&self, name: &str) -> Vec<PathBuf> {
        let path = self.path(name);
        self.hierarchies.iter().map(|hierarchy| below(&hierarchy.point, &path)).collect()
    }

    /// Version 2's hierarchy where those of version 1 are used beside it.
    pub(super) fn hybrid(&self) -> Option<&Path> {
        let beside = self.hierarchies.iter().find(|hierarchy| !self.unified && hierarchy.is_unified());
        beside.map(|hierarchy| hierarchy.point.as_path())
    }

    /// Kills what runs in the groups whose names begin with `prefix` and are not `kept`, and removes them.
    pub(super) fn sweep(&self, prefix: &str, kept: impl Fn(&str) -> bool) {
        let bases = self.hierarchies.iter().map(|hierarchy| below(&hierarchy.point, &self.base));
        for group in bases.flat_map(|base| fs::read_dir(base).into_iter().flatten().flatten()) {
            let name = group.file_name();
            let ours = name.to_str().is_some_and(|name| name.starts_with(prefix) && !kept(name));
            if ours {
                let groups = Groups::new(vec![group.path()]);
                // What the kernel does not let go of now is found again at the next start.
                let _ = groups.kill() && groups.remove();
            }
        }
    }
}

/// What this process can find out about the machine's groups.
struct Machine<'a> {
    view: &'a View,
}

impl Machine<'_> {
    fn folder(&self, controller: &str, group: &Path) -> Option<PathBuf> {
        let hierarchy = if controller.is_empty() { self.view.unified() } else { self.view.with(controller) };
        hierarchy.map(|hierarchy| below(&hierarchy.point, group))
    }
}

impl Facts for Machine<'_> {
    fn root(&self) -> bool {
        nix::unistd::geteuid().is_root()
    }

    fn delegated(&self, controller: &str, group: &Path) -> bool {
        self.folder(controller, group).is_some_and(|folder| is_delegated(&folder))
    }

    fn writable(&self, controller: &str, group: &Path) -> bool {
        let mine = |path: &Path| path.metadata().is_ok_and(|data| data.uid() == nix::unistd::geteuid().as_raw());
        self.folder(controller, group).is_some_and(|folder| mine(&folder) && mine(&folder.join("cgroup.procs")))
    }

    fn topmost(&self, group: &Path) -> bool {
        // Every group of version 2 but the topmost has a type.
        self.folder("", group).is_some_and(|folder| !folder.join("cgroup.type").exists())
    }
}

fn is_delegated(folder: &Path) -> bool {
    ["trusted.delegate", "user.delegate"].iter().any(|name| {
        let mut value = [0; 8];
        rustix::fs::getxattr(folder, *name, &mut value).is_ok_and(|length| value[..length] == *b"1")
    })
}

/// `path`, which begins with `/`, below the mount point.
fn below(point: &Path, path: &Path) -> PathBuf {
    point.join(path.strip_prefix("/").unwrap_or(path))
}

/// Moves the processes of the group above `leaf` into it.
fn step_aside(leaf: &Path) -> io::Result<()> {
    fs::create_dir_all(leaf)?;
    let Some(above) = leaf.parent() else { return Ok(()) };
    for process in fs::read_to_string(above.join("cgroup.procs"))?.lines() {
        match fs::write(leaf.join("cgroup.procs"), process) {
            // It has ended meanwhile, or is seen from another namespace and cannot be moved.
            Err(error) if process != std::process::id().to_string() => tracing::debug!(process, %error, "not moved"),
            moved => moved?,
        }
    }
    Ok(())
}

/// Has each group from the top to `base` give the wanted controllers on, as far as it has them.
fn enable(point: &Path, base: &Path) -> io::Result<()> {
    let above: Vec<&Path> = base.ancestors().collect();
    for group in above.into_iter().rev() {
        let folder = below(point, group);
        let has = fs::read_to_string(folder.join("cgroup.controllers")).unwrap_or_default();
        let gives = fs::read_to_string(folder.join("cgroup.subtree_control")).unwrap_or_default();
        for controller in lacking(&has, &gives) {
            match fs::write(folder.join("cgroup.subtree_control"), format!("+{controller}")) {
                // Groups above one's own belong to others; what they do not give is found missing at the base.
                Err(error) if group != base => tracing::debug!(group = %folder.display(), %error, "not enabled"),
                enabled => enabled?,
            }
        }
    }
    Ok(())
}

/// The wanted controllers that a group has and does not give on yet.
fn lacking(has: &str, gives: &str) -> Vec<&'static str> {
    let among = |list: &str, wanted: &str| list.split_whitespace().any(|name| name == wanted);
    WANTED.into_iter().filter(|wanted| among(has, wanted) && !among(gives, wanted)).collect()
}

/// Why there are no limits here, and what to do.
fn refusal(view: &View, root: bool, missing: &[&str]) -> EngineError {
    let what = missing.join(" and ");
    let fix = match (view.hierarchies.is_empty(), root, view.unified().is_some()) {
        (true, ..) => {
            "no control groups are mounted in /sys/fs/cgroup: start the container or machine with them".to_owned()
        }
        (_, true, _) => format!(
            "the kernel gives no controllers {what} to groups here (see /proc/cgroups and the boot option cgroup_enable=memory)"
        ),
        (_, false, true) => format!(
            "the controllers {what} are not delegated to this user: start it with `systemd-run --user --scope -p Delegate=yes \
             landfall serve …`, or as a user service with Delegate=yes and DelegateSubgroup=server"
        ),
        (_, false, false) => "control groups of version 1 are for root alone: run Landfall as root, or boot with \
                              systemd.unified_cgroup_hierarchy=1"
            .to_owned(),
    };
    EngineError::Unusable(format!(
        "builds cannot be limited in memory and processes: {fix}. Or let builds run without these limits: --without-limits"
    ))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::view::tests::{HYBRID, TWO};
    use super::*;

    /// A folder that looks like version 2's, with these controllers given from above.
    fn fake(controllers: &str) -> (tempfile::TempDir, Hierarchy) {
        let folder = tempfile::tempdir().unwrap();
        let mountinfo = format!("1 2 0:3 / {} rw - cgroup2 cgroup2 rw\n", folder.path().display());
        let hierarchy = View::parse(&mountinfo, "").unified().unwrap().clone();
        fs::write(folder.path().join("cgroup.controllers"), controllers).unwrap();
        fs::write(folder.path().join("cgroup.subtree_control"), "").unwrap();
        (folder, hierarchy)
    }

    fn place(base: &str, leaf: Option<&str>) -> Place {
        Place { base: base.into(), leaf: leaf.map(PathBuf::from) }
    }

    fn missing(what: &[&str]) -> EngineError {
        EngineError::Unusable(what.join(","))
    }

    #[test]
    fn version_two_gives_controllers_from_the_top_down() {
        let (folder, hierarchy) = fake("cpuset cpu memory pids");
        let base = folder.path().join("landfall");
        fs::create_dir(&base).unwrap();
        fs::write(base.join("cgroup.controllers"), "memory pids").unwrap();
        // A file keeps the last word only, which is enough to see that something was asked for.
        let opened = Cgroups::open_unified(&hierarchy, &place("/landfall", None), missing);
        assert_eq!(fs::read_to_string(folder.path().join("cgroup.subtree_control")).unwrap(), "+pids");
        assert!(opened.unwrap_err().to_string().contains("memory"));
        fs::write(base.join("cgroup.subtree_control"), "memory pids").unwrap();
        let opened = Cgroups::open_unified(&hierarchy, &place("/landfall", None), missing).unwrap();
        assert!(!opened.cpu && !opened.swap && opened.hybrid().is_none());
        assert_eq!(opened.groups("n-a"), [base.join("n-a")]);
    }

    #[test]
    fn the_server_steps_aside_where_groups_are_made_beside_it() {
        let (folder, hierarchy) = fake("cpu memory pids");
        fs::write(folder.path().join("cgroup.procs"), format!("{}\n", std::process::id())).unwrap();
        fs::write(folder.path().join("cgroup.subtree_control"), "cpu memory pids").unwrap();
        let opened = Cgroups::open_unified(&hierarchy, &place("/", Some("/server")), missing).unwrap();
        assert!(opened.cpu);
        let moved = fs::read_to_string(folder.path().join("server/cgroup.procs")).unwrap();
        assert_eq!(moved, std::process::id().to_string());
    }

    #[test]
    fn version_one_has_a_group_in_each_hierarchy() {
        let view = View::parse(HYBRID.0, HYBRID.1);
        let opened = Cgroups {
            hierarchies: view.hierarchies.clone(),
            base: "/landfall".into(),
            cpu: true,
            swap: true,
            unified: false,
        };
        let groups = opened.groups("n-a");
        assert_eq!(groups.len(), 6);
        assert!(groups.contains(&PathBuf::from("/sys/fs/cgroup/memory/landfall/n-a")));
        assert_eq!(opened.hybrid(), Some(Path::new("/sys/fs/cgroup/unified")));
        let none = View::parse("", "");
        assert!(Cgroups::open_by_controller(&none, &place("/landfall", None), missing).is_err());
    }

    #[test]
    fn sweeps_its_own_orphans_alone() {
        let (folder, hierarchy) = fake("");
        let base = folder.path().join("landfall");
        for name in ["n-old", "n-kept", "other-x"] {
            fs::create_dir_all(base.join(name)).unwrap();
        }
        let opened =
            Cgroups { hierarchies: vec![hierarchy], base: "/landfall".into(), cpu: true, swap: true, unified: true };
        opened.sweep("n-", |name| name == "n-kept");
        assert!(!base.join("n-old").exists());
        assert!(base.join("n-kept").exists() && base.join("other-x").exists());
    }

    #[test]
    fn a_refusal_names_the_fix() {
        let (hybrid, two) = (View::parse(HYBRID.0, HYBRID.1), View::parse(TWO.0, TWO.1));
        for (view, root, words) in [
            (&View::parse("", ""), true, "mounted"),
            (&hybrid, true, "cgroup_enable=memory"),
            (&hybrid, false, "version 1"),
            (&two, false, "systemd-run --user --scope -p Delegate=yes"),
        ] {
            let text = refusal(view, root, &NEEDED).to_string();
            assert!(text.contains(words) && text.contains("--without-limits"), "{text}");
        }
    }

    #[test]
    fn asks_only_for_what_is_there_and_not_given_yet() {
        assert_eq!(lacking("cpuset cpu io memory pids", "cpu"), ["memory", "pids"]);
        assert_eq!(lacking("memory", "memory pids"), [""; 0]);
    }
}
