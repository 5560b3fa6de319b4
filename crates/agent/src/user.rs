//! Users and groups as this root's own `/etc/passwd` and `/etc/group` know them.
//!
//! A static binary cannot ask the C library: its name services are shared objects.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::unistd::{Gid, Uid, getuid, setgid, setgroups, setuid};

/// A user to run commands as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Name.
    pub name: String,
    /// Numeric id.
    pub uid: u32,
    /// Its own group.
    pub gid: u32,
    /// All groups it is in.
    pub groups: Vec<u32>,
    /// Home folder.
    pub home: String,
}

/// Finds a user by name or number below `root` (`/` for this one).
///
/// # Errors
/// A sentence that names the user where it is not there.
pub fn find(root: &Path, name: &str) -> Result<User, String> {
    let passwd = read(root, "etc/passwd")?;
    let mut user =
        user_in(&passwd, name).ok_or_else(|| format!("user {name} does not exist in this image's /etc/passwd"))?;
    // An image may have no /etc/group: the user's own group is enough then.
    user.groups = groups_of(&read(root, "etc/group").unwrap_or_default(), &user);
    Ok(user)
}

/// Finds a group's id by name or number below `root`.
///
/// # Errors
/// A sentence that names the group where it is not there.
pub fn find_group(root: &Path, name: &str) -> Result<u32, String> {
    if let Ok(gid) = name.parse() {
        return Ok(gid);
    }
    group_in(&read(root, "etc/group")?, name).ok_or_else(|| format!("group {name} does not exist in /etc/group"))
}

fn read(root: &Path, file: &str) -> Result<String, String> {
    std::fs::read_to_string(root.join(file)).map_err(|error| format!("/{file}: {error}"))
}

fn user_in(passwd: &str, name: &str) -> Option<User> {
    passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [login, _, uid, gid, _, home, ..] = fields[..] else {
            return None;
        };
        (login == name || uid == name).then_some(())?;
        Some(User {
            name: login.into(),
            uid: uid.parse().ok()?,
            gid: gid.parse().ok()?,
            groups: vec![],
            home: home.into(),
        })
    })
}

fn groups_of(group: &str, user: &User) -> Vec<u32> {
    let named = group.lines().filter_map(|line| {
        let [_, _, gid, members] = line.splitn(4, ':').collect::<Vec<_>>()[..] else {
            return None;
        };
        members.split(',').any(|member| member == user.name).then(|| gid.parse().ok()).flatten()
    });
    std::iter::once(user.gid).chain(named).collect()
}

fn group_in(group: &str, name: &str) -> Option<u32> {
    group.lines().find_map(|line| {
        let [group, _, gid] = line.split(':').take(3).collect::<Vec<_>>()[..] else {
            return None;
        };
        (group == name).then(|| gid.parse().ok()).flatten()
    })
}

/// Makes `command` run as this user. Only root can become another one: without it the child does not start.
pub fn run_as(command: &mut Command, user: &User) {
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    if getuid() == uid {
        return;
    }
    let groups: Vec<Gid> = user.groups.iter().copied().map(Gid::from_raw).collect();
    let become_user = move || {
        setgroups(&groups)?;
        setgid(gid)?;
        setuid(uid)?;
        io::Result::Ok(())
    };
    // SAFETY: between fork and exec it makes three system calls and allocates nothing.
    unsafe {
        command.pre_exec(become_user);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nbroken\napp:x:1000:1001::/home/app:/bin/sh\n";
    const GROUP: &str = "root:x:0:\napp:x:1001:\ndocker:x:999:bob,app\nwheel:x:10:application\n";

    #[test]
    fn users_by_name_and_number() {
        assert_eq!(user_in(PASSWD, "app"), user_in(PASSWD, "1000"));
        assert_eq!(user_in(PASSWD, "0").map(|user| user.home), Some("/root".into()));
        assert_eq!(user_in(PASSWD, "broken"), None);
    }

    #[test]
    fn groups_of_a_user_are_its_own_and_those_that_list_it() {
        let user = user_in(PASSWD, "app").map(|user| groups_of(GROUP, &user));
        assert_eq!(user, Some(vec![1001, 999]));
        assert_eq!((group_in(GROUP, "docker"), group_in(GROUP, "none")), (Some(999), None));
    }

    #[test]
    fn a_missing_user_is_named() {
        let message = find(Path::new("/"), "nobody-of-this-name").err().unwrap_or_default();
        assert!(message.contains("nobody-of-this-name"), "{message}");
    }
}
