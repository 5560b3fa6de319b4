use std::path::{Path, PathBuf};

use super::view::View;

/// The folder of Landfall's groups where it has none of its own from whoever started it.
const TOP: &str = "/landfall";
/// Where the server itself goes when groups are made beside it: version 2 lets no group with processes of its own give
/// controllers to groups below it.
const LEAF: &str = "server";

/// Where containers' groups are made: paths below the hierarchies' mount points, which begin with `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The folder of all of Landfall's containers.
    pub(super) base: PathBuf,
    /// Into which group of version 2 the processes of the base go first.
    pub(super) leaf: Option<PathBuf>,
}

/// What cannot be read off a view.
pub(super) trait Facts {
    /// Landfall runs as root.
    fn root(&self) -> bool;
    /// Whoever made this group of the hierarchy with this controller gave it away to be divided further: systemd's
    /// `Delegate=` leaves the attribute `trusted.delegate` or `user.delegate` on it.
    fn delegated(&self, controller: &str, group: &Path) -> bool;
    /// This user may make groups in this one.
    fn writable(&self, controller: &str, group: &Path) -> bool;
    /// This is the group above all others, and not one that a container sees as such.
    fn topmost(&self, group: &Path) -> bool;
}

/// Chooses the place; none where this user may make groups nowhere.
pub(super) fn choose(view: &View, facts: &impl Facts) -> Option<Place> {
    if view.unified().is_some() { choose_unified(view, facts) } else { choose_by_controller(view, facts) }
}

/// Version 2. A service's own group is divided only where the server has a group of its own in it (`DelegateSubgroup=`):
/// systemd could not start the service again in a group that gives controllers away while builds go on in it.
fn choose_unified(view: &View, facts: &impl Facts) -> Option<Place> {
    let own = view.own("")?;
    if let Some(above) = own.parent()
        && facts.delegated("", above)
    {
        return Some(Place { base: above.to_path_buf(), leaf: None });
    }
    if !facts.root() {
        let given = facts.writable("", &own);
        return given.then(|| Place { leaf: Some(own.join(LEAF)), base: own });
    }
    let contained = own == Path::new("/") && !facts.topmost(&own);
    Some(Place { base: PathBuf::from(TOP), leaf: contained.then(|| Path::new("/").join(LEAF)) })
}

/// Version 1: one path in all hierarchies, so the own group serves only where it is the same in all that count.
fn choose_by_controller(view: &View, facts: &impl Facts) -> Option<Place> {
    let own = view.own("memory")?;
    let everywhere = ["pids", "cpu"].iter().all(|controller| view.own(controller).as_ref() == Some(&own));
    let marked = view.own("name=systemd").as_ref() == Some(&own) && facts.delegated("name=systemd", &own);
    let given = if facts.root() { marked } else { ["memory", "pids"].iter().all(|name| facts.writable(name, &own)) };
    match (everywhere && given, facts.root()) {
        (true, _) => Some(Place { base: own, leaf: None }),
        (false, true) => Some(Place { base: PathBuf::from(TOP), leaf: None }),
        (false, false) => None,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::view::tests::{HYBRID, ONE, TWO};
    use super::*;

    #[derive(Default)]
    struct Given {
        root: bool,
        delegated: &'static [&'static str],
        writable: &'static [&'static str],
        contained: bool,
    }

    impl Facts for Given {
        fn root(&self) -> bool {
            self.root
        }
        fn delegated(&self, _controller: &str, group: &Path) -> bool {
            self.delegated.iter().any(|path| Path::new(path) == group)
        }
        fn writable(&self, _controller: &str, group: &Path) -> bool {
            self.writable.iter().any(|path| Path::new(path) == group)
        }
        fn topmost(&self, _group: &Path) -> bool {
            !self.contained
        }
    }

    fn place((mountinfo, cgroup): (&str, &str), given: &Given) -> Option<(String, Option<String>)> {
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        choose(&View::parse(mountinfo, cgroup), given).map(|place| (text(place.base), place.leaf.map(text)))
    }

    const SERVICE: &str = "/system.slice/landfall.service";

    #[test]
    fn root_divides_what_was_delegated_and_else_makes_a_group_of_its_own() {
        let root = Given { root: true, ..Given::default() };
        let delegated = Given { delegated: &[SERVICE], ..Given { root: true, ..Given::default() } };
        for (machine, given, base) in [
            (HYBRID, &root, TOP),
            (ONE, &root, TOP),
            (ONE, &delegated, SERVICE),
            (TWO, &root, TOP),
            (TWO, &delegated, SERVICE),
            // The server is in the delegated group itself: a restart could not put it there again.
            ((TWO.0, "0::/system.slice/landfall.service\n"), &delegated, TOP),
        ] {
            assert_eq!(place(machine, given).unwrap(), (base.to_owned(), None), "{machine:?}");
        }
    }

    #[test]
    fn in_a_container_the_server_steps_aside() {
        let given = Given { root: true, contained: true, ..Given::default() };
        let own = (TWO.0, "0::/\n");
        assert_eq!(place(own, &given).unwrap(), (TOP.to_owned(), Some("/server".to_owned())));
        let topmost = Given { contained: false, ..given };
        assert_eq!(place(own, &topmost).unwrap(), (TOP.to_owned(), None));
    }

    #[test]
    fn a_user_divides_the_group_that_is_theirs() {
        const SCOPE: &str = "/user.slice/user-1000.slice/user@1000.service/app.slice/run-1.scope";
        let own = (TWO.0, "0::/user.slice/user-1000.slice/user@1000.service/app.slice/run-1.scope\n");
        let given = Given { writable: &[SCOPE], ..Given::default() };
        assert_eq!(place(own, &given).unwrap(), (SCOPE.to_owned(), Some(format!("{SCOPE}/server"))));
        assert_eq!(place(own, &Given::default()), None);
        assert_eq!(place(HYBRID, &Given::default()), None);
        assert_eq!(place(ONE, &Given { writable: &[SERVICE], ..Given::default() }).unwrap().0, SERVICE);
    }

    #[test]
    fn without_hierarchies_there_is_no_place() {
        assert_eq!(place(("", ""), &Given { root: true, ..Given::default() }), None);
    }
}
