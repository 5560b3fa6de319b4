//! Who is who in a container where Landfall runs as an ordinary user.

use std::fs;
use std::path::PathBuf;

use agent::shim::{IdRange, Identities};
use nix::unistd::{User, getegid, geteuid};

use super::runtime::find_program;

/// None for root; else a user namespace in which root is this user, with the ranges of /etc/subuid and /etc/subgid for all
/// others, if there are any and the programs that map them.
pub(super) fn of_this_user() -> Option<Identities> {
    let (uid, gid) = (geteuid(), getegid());
    if uid.is_root() {
        return None;
    }
    let name = User::from_uid(uid).ok().flatten().map(|user| user.name).unwrap_or_default();
    let ranges = |file: &str| ranges(&fs::read_to_string(file).unwrap_or_default(), &name, uid.as_raw());
    let programs = find_program("newuidmap").zip(find_program("newgidmap"));
    Some(identities((uid.as_raw(), gid.as_raw()), &ranges("/etc/subuid"), &ranges("/etc/subgid"), programs))
}

fn identities(
    (uid, gid): (u32, u32),
    users: &[(u32, u32)],
    groups: &[(u32, u32)],
    programs: Option<(PathBuf, PathBuf)>,
) -> Identities {
    // Users without groups, or groups without users, would be half a machine.
    let programs = programs.filter(|_| !users.is_empty() && !groups.is_empty());
    let mapped = |own: u32, ranges: &[(u32, u32)]| {
        let ranges = if programs.is_some() { ranges } else { &[] };
        let mut all = vec![IdRange { inside: 0, outside: own, count: 1 }];
        let mut next = 1;
        for &(outside, count) in ranges {
            all.push(IdRange { inside: next, outside, count });
            next += count;
        }
        all
    };
    Identities { users: mapped(uid, users), groups: mapped(gid, groups), programs }
}

/// The ranges (first, count) that a file like /etc/subuid gives a user, by name or number (subuid(5)). At most as many as
/// the kernel takes, and together no more ids than it has.
fn ranges(file: &str, name: &str, uid: u32) -> Vec<(u32, u32)> {
    const MOST: usize = 300;
    let number = uid.to_string();
    let of = |line: &str| {
        let (who, range) = line.split_once(':')?;
        let (first, count) = range.split_once(':')?;
        let (first, count): (u32, u32) = (first.parse().ok()?, count.trim().parse().ok()?);
        ((who == name && !name.is_empty() || who == number) && count > 0 && first.checked_add(count).is_some())
            .then_some((first, count))
    };
    let mut total = 1_u32;
    let fits = |range: &(u32, u32)| match total.checked_add(range.1) {
        Some(sum) => {
            total = sum;
            true
        }
        None => false,
    };
    file.lines().filter_map(of).take(MOST).take_while(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_users_ranges() {
        let file = "ann:100000:65536\nbob:165536:65536\n1000:300000:10\n# x\nann:1:2:3\nann:x:1\nann:5:0\n";
        assert_eq!(ranges(file, "ann", 1000), [(100_000, 65_536), (300_000, 10)]);
        assert_eq!(ranges(file, "bob", 1001), [(165_536, 65_536)]);
        assert_eq!(ranges(file, "", 7), []);
        assert_eq!(ranges("a:4294967295:1\na:0:4294967295\na:0:1", "a", 1), []);
    }

    #[test]
    fn root_inside_is_the_user_and_the_ranges_follow() {
        let programs = || Some((PathBuf::from("/u"), PathBuf::from("/g")));
        let range = |inside, outside, count| IdRange { inside, outside, count };
        let whole = identities((1000, 100), &[(100_000, 10), (200_000, 5)], &[(7, 3)], programs());
        assert_eq!(whole.users, [range(0, 1000, 1), range(1, 100_000, 10), range(11, 200_000, 5)]);
        assert_eq!(whole.groups, [range(0, 100, 1), range(1, 7, 3)]);
        assert!(whole.programs.is_some());
        for (users, groups, programs) in [(&[][..], &[(7, 3)][..], programs()), (&[(9, 9)], &[(7, 3)], None)] {
            let single = identities((1000, 100), users, groups, programs);
            assert_eq!((single.users, single.programs), (vec![range(0, 1000, 1)], None));
        }
    }
}
