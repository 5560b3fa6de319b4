//! What image `host` hides of the machine, besides the data folder, /home, /root, /run and /tmp.
//!
//! Two rules. What the machine keeps from its ordinary users (nothing for "others" in its mode) is kept from builds: in /etc,
//! in the state of services below /var, and in folders that the machine's owner has made. And a table of usual places,
//! whatever their modes. As an ordinary user Landfall cannot read such files anyway. /etc/shadow and /etc/gshadow stay, since
//! programs that add users want them, but without any password. Sockets need no rule: through an overlay nobody can be
//! reached by one, as the kernel knows them by the inode below.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::host_watch::Watch;

/// Usual places of secrets, and whose they are. A star stands for any characters in the last part.
const PLACES: &[(&str, &str)] = &[
    ("etc/apt/auth.conf", "passwords of package archives"),
    ("etc/apt/auth.conf.d", "passwords of package archives"),
    ("etc/containers/auth.json", "passwords of container registries"),
    ("etc/docker", "keys of the Docker daemon and of registries' clients"),
    ("etc/gshadow-", "hashes of groups' former passwords"),
    ("etc/ipsec.d", "keys of private networks"),
    ("etc/ipsec.secrets", "keys of private networks"),
    ("etc/krb5.keytab", "this machine's Kerberos keys"),
    ("etc/kubernetes", "keys and administrators' credentials of a cluster"),
    ("etc/landfall", "another Landfall's configuration"),
    ("etc/letsencrypt", "keys of certificates and of accounts at authorities"),
    ("etc/NetworkManager/system-connections", "passwords of networks"),
    ("etc/netplan", "passwords of networks"),
    ("etc/openvpn", "keys of private networks"),
    ("etc/pki/tls/private", "keys of certificates"),
    ("etc/ppp", "passwords of networks"),
    ("etc/rancher", "keys and administrators' credentials of a cluster"),
    ("etc/shadow-", "hashes of former passwords"),
    ("etc/ssh/ssh_host_*_key", "this machine's identity"),
    ("etc/ssl/private", "keys of certificates"),
    ("etc/wireguard", "keys of private networks"),
    ("etc/wpa_supplicant", "passwords of networks"),
    ("var/backups", "copies of the files of passwords"),
    ("var/lib/amazon", "credentials of agents of AWS"),
    ("var/lib/cloud", "what the machine was told when it was made"),
    ("var/lib/containerd", "other containers' files"),
    ("var/lib/containers", "other containers' files"),
    ("var/lib/docker", "other containers' files"),
    ("var/lib/etcd", "a cluster's secrets"),
    ("var/lib/gitlab-runner", "tokens of runners"),
    ("var/lib/jenkins", "credentials of jobs"),
    ("var/lib/kubelet", "a cluster's secrets"),
    ("var/lib/landfall", "another Landfall's data"),
    ("var/lib/mysql", "a database"),
    ("var/lib/postgresql", "a database"),
    ("var/lib/rancher", "a cluster's secrets"),
    ("var/lib/systemd/coredump", "what was in the memory of programs"),
    ("var/mail", "letters"),
    ("var/spool/cron", "users' commands"),
    ("var/spool/mail", "letters"),
];

/// Where the machine's modes decide, and how deep.
const STRICT: [(&str, usize); 2] = [("etc", 4), ("var", 2)];
/// As deep in folders of the machine's owner.
const ELSEWHERE: usize = 2;
/// Programs alone, with modes of their own kind.
const PROGRAMS: [&str; 8] = ["usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "nix"];

/// Closed to ordinary users, but no secrets, or shown otherwise.
const SHOWN: [&str; 5] = ["etc/gshadow", "etc/shadow", "etc/sudoers", "etc/sudoers.d", "var/cache/ldconfig"];

/// The files of passwords' hashes.
const PASSWORDS: [&str; 2] = ["shadow", "gshadow"];

/// What is hidden of the machine: looked for once, and again after a change. Some thousand files are looked at, which takes
/// a third of the time that a container's start may take.
pub(super) struct Secrets {
    root: PathBuf,
    known: Mutex<Option<Known>>,
}

/// What was found, and what tells of changes since.
struct Known {
    tops: Vec<String>,
    hidden: BTreeSet<PathBuf>,
    watch: Watch,
}

impl Secrets {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root, known: Mutex::new(None) }
    }

    /// What is hidden below these top-level folders: relative paths of what is there, none below another.
    pub(super) fn hidden(&self, tops: &[String]) -> BTreeSet<PathBuf> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.as_ref().filter(|known| known.tops == tops && known.watch.is_silent()) {
            return known.hidden.clone();
        }
        let mut watch = Watch::new();
        let hidden = hidden(&self.root, tops, &mut |folder| watch.add(&self.root.join(folder)));
        *known = Some(Known { tops: tops.to_vec(), hidden: hidden.clone(), watch });
        hidden
    }
}

/// What is hidden; `looking` is called with each folder before it is looked at.
fn hidden(root: &Path, tops: &[String], looking: &mut impl FnMut(&Path)) -> BTreeSet<PathBuf> {
    let mut hidden = BTreeSet::new();
    let seen = |place: &str| tops.iter().any(|top| place.starts_with(&format!("{top}/")));
    for (place, _) in PLACES.iter().filter(|(place, _)| seen(place)) {
        hidden.extend(matching(root, place, looking));
    }
    for top in tops.iter().filter(|top| !PROGRAMS.contains(&top.as_str())) {
        let depth = STRICT.iter().find(|(strict, _)| strict == top).map_or(ELSEWHERE, |(_, depth)| *depth);
        closed(root, Path::new(top), depth, looking, &mut hidden);
    }
    let covered = |path: &PathBuf| path.ancestors().skip(1).any(|above| hidden.contains(above));
    hidden.iter().filter(|path| !covered(path)).cloned().collect()
}

/// The texts of /etc/shadow and /etc/gshadow with nobody's password, as far as they can be read.
pub(super) fn without_passwords(root: &Path) -> Vec<(&'static str, String)> {
    let read = |name: &'static str| Some((name, locked(&fs::read_to_string(root.join("etc").join(name)).ok()?)));
    PASSWORDS.into_iter().filter_map(read).collect()
}

/// Each line with `*` for its second field: no password is that.
fn locked(text: &str) -> String {
    let lock = |line: &str| {
        let mut fields: Vec<&str> = line.split(':').collect();
        if let Some(password) = fields.get_mut(1) {
            *password = "*";
        }
        fields.join(":") + "\n"
    };
    text.lines().map(lock).collect()
}

/// What is at a place, which may have a star in its last part. A path through a link is somewhere else.
fn matching(root: &Path, place: &str, looking: &mut impl FnMut(&Path)) -> Vec<PathBuf> {
    let path = Path::new(place);
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Vec::new();
    };
    for above in folder.ancestors() {
        looking(above);
    }
    if !is_plain(root, folder) {
        return Vec::new();
    }
    let Some((before, after)) = name.split_once('*') else {
        return if root.join(path).symlink_metadata().is_ok() { vec![path.to_path_buf()] } else { Vec::new() };
    };
    let names = fs::read_dir(root.join(folder)).into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let fits =
        |name: &String| name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after);
    names.filter(fits).map(|name| folder.join(name)).collect()
}

/// No part of the path is a link.
fn is_plain(root: &Path, path: &Path) -> bool {
    path.ancestors().all(|above| root.join(above).symlink_metadata().is_ok_and(|metadata| metadata.is_dir()))
}

/// What is closed to ordinary users in `folder`, down to a depth.
fn closed(root: &Path, folder: &Path, depth: usize, looking: &mut impl FnMut(&Path), hidden: &mut BTreeSet<PathBuf>) {
    looking(folder);
    for entry in fs::read_dir(root.join(folder)).into_iter().flatten().flatten() {
        let path = folder.join(entry.file_name());
        let Ok(metadata) = entry.metadata() else { continue };
        if SHOWN.iter().any(|shown| Path::new(shown) == path) {
            continue;
        }
        if is_closed(&metadata) {
            hidden.insert(path);
        } else if metadata.is_dir() && depth > 1 {
            closed(root, &path, depth - 1, looking, hidden);
        }
    }
}

/// Its mode gives others nothing. A link's own mode says nothing.
fn is_closed(metadata: &Metadata) -> bool {
    !metadata.is_symlink() && metadata.mode() & 0o007 == 0
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn machine(files: &[(&str, u32)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, mode) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "x").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).unwrap();
        }
        root
    }

    fn hidden_of(root: &Path) -> Vec<String> {
        let tops: Vec<String> = ["etc", "srv", "usr", "var"].map(str::to_owned).to_vec();
        hidden(root, &tops, &mut |_| ()).into_iter().map(|path| path.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn hides_usual_places_whatever_their_modes() {
        let root = machine(&[
            ("etc/ssh/ssh_host_rsa_key", 0o644),
            ("etc/ssh/ssh_host_rsa_key.pub", 0o644),
            ("etc/ssl/private/key.pem", 0o644),
            ("etc/kubernetes/admin.conf", 0o644),
            ("var/lib/docker/x", 0o644),
            ("etc/passwd", 0o644),
        ]);
        let expected = ["etc/kubernetes", "etc/ssh/ssh_host_rsa_key", "etc/ssl/private", "var/lib/docker"];
        assert_eq!(hidden_of(root.path()), expected);
    }

    #[test]
    fn hides_what_is_closed_to_ordinary_users() {
        let root = machine(&[
            ("etc/app/credentials", 0o640),
            ("etc/app/settings", 0o644),
            ("etc/shadow", 0o640),
            ("etc/sudoers", 0o440),
            ("srv/team/key", 0o600),
            ("srv/team/deep/key", 0o600),
            ("usr/lib/tool", 0o700),
            ("var/lib/app/x", 0o644),
        ]);
        fs::set_permissions(root.path().join("var/lib/app"), fs::Permissions::from_mode(0o750)).unwrap();
        assert_eq!(hidden_of(root.path()), ["etc/app/credentials", "srv/team/key", "var/lib/app"]);
    }

    #[test]
    fn a_change_of_any_kind_is_seen() {
        let root = machine(&[("etc/app/credentials", 0o644), ("var/lib/systemd/x", 0o644)]);
        let secrets = Secrets::new(root.path().to_path_buf());
        let at = |path: &str| root.path().join(path);
        let hidden = || -> Vec<String> {
            let tops: Vec<String> = ["etc", "var"].map(str::to_owned).to_vec();
            secrets.hidden(&tops).into_iter().map(|path| path.to_string_lossy().into_owned()).collect()
        };
        assert_eq!((hidden(), hidden()), (vec![], vec![]));
        fs::set_permissions(at("etc/app/credentials"), fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(hidden(), ["etc/app/credentials"]);
        fs::create_dir_all(at("etc/ssl/private")).unwrap();
        assert_eq!(hidden(), ["etc/app/credentials", "etc/ssl/private"]);
        fs::rename(at("etc/app"), at("etc/other")).unwrap();
        assert_eq!(hidden(), ["etc/other/credentials", "etc/ssl/private"]);
        fs::remove_file(at("etc/other/credentials")).unwrap();
        fs::create_dir_all(at("var/lib/systemd/coredump")).unwrap();
        assert_eq!(hidden(), ["etc/ssl/private", "var/lib/systemd/coredump"]);
        assert_eq!(hidden(), ["etc/ssl/private", "var/lib/systemd/coredump"]);
    }

    #[test]
    fn nothing_is_looked_for_through_links() {
        let root = machine(&[("srv/real/private/key", 0o644)]);
        fs::create_dir_all(root.path().join("etc")).unwrap();
        symlink("../srv/real", root.path().join("etc/ssl")).unwrap();
        assert_eq!(hidden_of(root.path()), [""; 0]);
    }

    #[test]
    fn nobody_has_a_password() {
        let text = "root:$6$salt$hash:19000:0:99999:7:::\nann:!:1::::::\nbroken\n";
        assert_eq!(locked(text), "root:*:19000:0:99999:7:::\nann:*:1::::::\nbroken\n");
        assert!(without_passwords(Path::new("/nowhere")).is_empty());
    }

    #[test]
    fn every_place_is_named_once_and_says_why() {
        let names: BTreeSet<_> = PLACES.iter().map(|(place, _)| place).collect();
        assert_eq!(names.len(), PLACES.len());
        assert!(PLACES.iter().all(|(place, why)| !place.starts_with('/') && !why.is_empty()));
    }
}
