use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a process sees of control groups: `/proc/self/mountinfo` and `/proc/self/cgroup`, read (cgroups(7), proc(5)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct View {
    /// The hierarchies that are mounted, each once.
    pub(super) hierarchies: Vec<Hierarchy>,
    /// This process's group by controller of version 1 (`name=systemd` too), and by the empty name that of version 2.
    own: BTreeMap<String, PathBuf>,
}

/// A mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hierarchy {
    /// Where it is mounted.
    pub(super) point: PathBuf,
    /// Which of its groups is mounted there: `/` but in containers without a namespace of their own.
    root: PathBuf,
    /// Version 1's controllers; none for version 2.
    pub(super) controllers: Vec<String>,
}

impl Hierarchy {
    /// Version 2.
    pub(super) fn is_unified(&self) -> bool {
        self.controllers.is_empty()
    }
}

impl View {
    /// Reads both files' texts. What does not look as the kernel writes it is passed over.
    pub(super) fn parse(mountinfo: &str, cgroup: &str) -> Self {
        let mut hierarchies: Vec<Hierarchy> = Vec::new();
        for found in mountinfo.lines().filter_map(hierarchy) {
            // A hierarchy may be mounted again elsewhere; the first place is the usual one.
            if !hierarchies.iter().any(|known| known.controllers == found.controllers) {
                hierarchies.push(found);
            }
        }
        Self { hierarchies, own: cgroup.lines().flat_map(own_groups).collect() }
    }

    /// Version 2's hierarchy where it is the only one: beside version 1 it has no controllers to speak of.
    pub(super) fn unified(&self) -> Option<&Hierarchy> {
        self.hierarchies.iter().find(|hierarchy| hierarchy.is_unified() && self.with("memory").is_none())
    }

    /// Version 1's hierarchy with this controller.
    pub(super) fn with(&self, controller: &str) -> Option<&Hierarchy> {
        self.hierarchies.iter().find(|hierarchy| hierarchy.controllers.iter().any(|name| name == controller))
    }

    /// This process's group in the hierarchy with this controller (empty: version 2), as a path below its mount point that
    /// begins with `/`; none where that group is not mounted.
    pub(super) fn own(&self, controller: &str) -> Option<PathBuf> {
        let hierarchy = if controller.is_empty() {
            self.hierarchies.iter().find(|hierarchy| hierarchy.is_unified())?
        } else {
            self.with(controller)?
        };
        let below = self.own.get(controller)?.strip_prefix(&hierarchy.root).ok()?;
        Some(Path::new("/").join(below))
    }
}

/// `36 31 0:33 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory`
fn hierarchy(line: &str) -> Option<Hierarchy> {
    let (mount, kind) = line.split_once(" - ")?;
    let mut mount = mount.split(' ').skip(3);
    let (root, point) = (unescaped(mount.next()?), unescaped(mount.next()?));
    let mut kind = kind.split(' ');
    let controllers = match kind.next()? {
        "cgroup2" => Vec::new(),
        "cgroup" => {
            let options = kind.nth(1)?.split(',').map(str::to_owned);
            let plumbing =
                |option: &str| matches!(option, "rw" | "ro" | "xattr" | "none" | "clone_children" | "noprefix");
            let known: Vec<_> =
                options.filter(|option| !plumbing(option) && !option.starts_with("release_agent=")).collect();
            (!known.is_empty()).then_some(known)?
        }
        _ => return None,
    };
    Some(Hierarchy { point, root, controllers })
}

/// `4:cpu,cpuacct:/a` gives both controllers' group, `0::/b` that of the empty name.
fn own_groups(line: &str) -> Vec<(String, PathBuf)> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { return Vec::new() };
    controllers.split(',').map(|controller| (controller.to_owned(), PathBuf::from(path))).collect()
}

/// Blanks and backslashes stand as octal numbers in the list of mounts.
fn unescaped(text: &str) -> PathBuf {
    let octals = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    PathBuf::from(octals.iter().fold(text.to_owned(), |text, (octal, plain)| text.replace(octal, plain)))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
pub(super) mod tests {
    use super::*;

    /// Debian 12 with both versions, as recorded.
    pub(in super::super) const HYBRID: (&str, &str) = (
        "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n\
         32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n\
         35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
         37 31 0:34 / /sys/fs/cgroup/freezer rw,relatime - cgroup cgroup rw,freezer\n\
         39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n\
         40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd\n\
         41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n",
        "9:name=systemd:/\n8:pids:/\n6:freezer:/\n4:memory:/process_api/9221\n1:cpu:/\n0::/\n",
    );

    /// Version 1 under systemd, with controllers that share a hierarchy.
    pub(in super::super) const ONE: (&str, &str) = (
        "26 25 0:23 / /sys/fs/cgroup/systemd rw shared:9 - cgroup cgroup rw,xattr,release_agent=/lib/systemd/agent,name=systemd\n\
         27 25 0:24 / /sys/fs/cgroup/cpu,cpuacct rw shared:10 - cgroup cgroup rw,cpu,cpuacct\n\
         28 25 0:25 / /sys/fs/cgroup/memory rw shared:11 - cgroup cgroup rw,memory\n\
         29 25 0:26 / /sys/fs/cgroup/pids rw shared:12 - cgroup cgroup rw,pids\n",
        "4:pids:/system.slice/landfall.service\n3:memory:/system.slice/landfall.service\n\
         2:cpu,cpuacct:/system.slice/landfall.service\n1:name=systemd:/system.slice/landfall.service\n",
    );

    /// Version 2 alone, in a service.
    pub(in super::super) const TWO: (&str, &str) = (
        "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n",
        "0::/system.slice/landfall.service/server\n",
    );

    #[test]
    fn tells_the_versions_apart() {
        let view = |(mountinfo, cgroup): (&str, &str)| View::parse(mountinfo, cgroup);
        let (hybrid, one, two) = (view(HYBRID), view(ONE), view(TWO));
        assert!(hybrid.unified().is_none() && one.unified().is_none());
        assert_eq!(hybrid.with("memory").unwrap().point, Path::new("/sys/fs/cgroup/memory"));
        assert_eq!(two.unified().unwrap().point, Path::new("/sys/fs/cgroup"));
        assert!(two.with("memory").is_none());
    }

    #[test]
    fn knows_its_own_groups() {
        let hybrid = View::parse(HYBRID.0, HYBRID.1);
        assert_eq!(hybrid.own("memory").unwrap(), Path::new("/process_api/9221"));
        assert_eq!(hybrid.own("pids").unwrap(), Path::new("/"));
        assert_eq!(hybrid.own("hugetlb"), None);
        let one = View::parse(ONE.0, ONE.1);
        assert_eq!(one.own("cpu").unwrap(), Path::new("/system.slice/landfall.service"));
        assert_eq!(one.with("cpu").unwrap().point, Path::new("/sys/fs/cgroup/cpu,cpuacct"));
        assert_eq!(one.with("name=systemd").unwrap().controllers, ["name=systemd"]);
        assert_eq!(View::parse(TWO.0, TWO.1).own("").unwrap(), Path::new("/system.slice/landfall.service/server"));
    }

    #[test]
    fn a_mounted_part_of_a_hierarchy_is_its_root() {
        let mountinfo = "9 8 0:26 /docker/c1 /sys/fs/cgroup rw - cgroup2 cgroup rw\n";
        assert_eq!(View::parse(mountinfo, "0::/docker/c1/x\n").own("").unwrap(), Path::new("/x"));
        assert_eq!(View::parse(mountinfo, "0::/docker/c1\n").own("").unwrap(), Path::new("/"));
        assert_eq!(View::parse(mountinfo, "0::/elsewhere\n").own(""), None);
    }

    #[test]
    fn nonsense_is_passed_over() {
        let view =
            View::parse("\n - \nx - cgroup\n1 2 3 4 5 - cgroup2\n1 2 3 / /a\\040b - cgroup2 c rw", "1:\nx\n::\n");
        assert_eq!(view.hierarchies.iter().map(|found| found.point.as_path()).collect::<Vec<_>>(), [Path::new("5")]);
        assert_eq!(unescaped("/a\\040b\\134"), Path::new("/a b\\"));
    }
}
