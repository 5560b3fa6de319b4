//! Files that hold all authorities a system trusts, one PEM certificate after the other.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{AUTHORITY, outside, within, write};

/// Where the families of systems have theirs: Debian, Alpine and Arch; Red Hat and Amazon; SUSE; Alpine and the BSDs.
const BUNDLES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/etc/pki/tls/cert.pem",
];
/// A larger file is no bundle.
const LARGEST: u64 = 16 * 1024 * 1024;

/// A file with all authorities of the container, ours among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bundle {
    pub(super) path: String,
    /// Whether it is where the system's programs look by themselves.
    pub(super) is_systems: bool,
    /// Whether there are others in it than ours.
    pub(super) has_others: bool,
}

/// Adds the authority to each bundle of the container at `root`, in place: others may have them open, or mounted. Where
/// none may be changed a copy with it is made in our `own` folder, and where there is none a new one.
pub(super) fn add(root: &Path, own: &Path, pem: &str, named: &[PathBuf]) -> io::Result<Bundle> {
    let usual = BUNDLES.iter().map(|path| within(root, path));
    let mut seen = vec![];
    let (mut changed, mut refused) = (None, None);
    for path in usual.chain(named.iter().cloned()) {
        // Some are links to others.
        let Ok(real) = path.canonicalize() else { continue };
        if seen.contains(&real) {
            continue;
        }
        if let Some(text) = read(&real) {
            match append(&real, &text, pem) {
                Ok(()) => changed = changed.or(Some((path, text))),
                Err(_) => refused = refused.or(Some(text)),
            }
        }
        seen.push(real);
    }
    let has_others = |text: &str| text.replace(pem.trim(), "").contains("-----BEGIN ");
    Ok(match (changed, refused) {
        (Some((path, text)), _) => {
            Bundle { path: outside(root, &path), is_systems: true, has_others: has_others(&text) }
        }
        (None, Some(text)) => {
            let path = write(own, "authorities.pem", &joined(&text, pem))?;
            Bundle { path: outside(root, &path), is_systems: false, has_others: has_others(&text) }
        }
        (None, None) => {
            let made = write(&within(root, "/etc/ssl/certs"), "ca-certificates.crt", pem).is_ok();
            let path = if made { within(root, BUNDLES[0]) } else { own.join(AUTHORITY) };
            Bundle { path: outside(root, &path), is_systems: made, has_others: false }
        }
    })
}

fn read(path: &Path) -> Option<String> {
    let is_bundle = path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() <= LARGEST);
    // Comments may be in any encoding.
    is_bundle.then(|| fs::read(path).ok()).flatten().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn append(path: &Path, text: &str, pem: &str) -> io::Result<()> {
    if text.contains(pem.trim()) {
        return Ok(());
    }
    OpenOptions::new().append(true).open(path)?.write_all(&joined(text, pem).as_bytes()[text.len()..])
}

/// The authority on lines of its own.
fn joined(text: &str, pem: &str) -> String {
    let between = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    format!("{text}{between}{pem}")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::symlink;

    use super::super::subject_hash::tests::PEM;
    use super::*;

    const OTHER: &str = "# R\u{e9}union\n-----BEGIN CERTIFICATE-----\nother\n-----END CERTIFICATE-----";

    fn own(root: &Path) -> PathBuf {
        within(root, "/own")
    }

    fn at(root: &Path, path: &str, text: &[u8]) -> PathBuf {
        let file = within(root, path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        file
    }

    #[test]
    fn every_bundle_has_it_once_and_links_are_followed() {
        let root = tempfile::tempdir().unwrap();
        let real = at(root.path(), "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", OTHER.as_bytes());
        let named = at(root.path(), "/opt/own.pem", b"\xff\n-----BEGIN CERTIFICATE-----\n");
        let link = within(root.path(), BUNDLES[1]);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(&real, &link).unwrap();
        for _ in 0..2 {
            let bundle =
                add(root.path(), &own(root.path()), PEM, &[named.clone(), within(root.path(), "/none")]).unwrap();
            assert_eq!(bundle, Bundle { path: BUNDLES[1].into(), is_systems: true, has_others: true });
            assert_eq!(fs::read_to_string(&real).unwrap(), format!("{OTHER}\n{PEM}"));
            assert!(fs::read(&named).unwrap().ends_with(PEM.as_bytes()));
        }
    }

    #[test]
    fn an_empty_bundle_has_no_others() {
        let root = tempfile::tempdir().unwrap();
        at(root.path(), BUNDLES[4], b"");
        for _ in 0..2 {
            let bundle = add(root.path(), &own(root.path()), PEM, &[]).unwrap();
            assert_eq!(bundle, Bundle { path: BUNDLES[4].into(), is_systems: true, has_others: false });
        }
    }

    #[test]
    fn a_bundle_that_may_not_be_changed_is_copied() {
        let root = tempfile::tempdir().unwrap();
        // Not even root writes there.
        let link = within(root.path(), BUNDLES[0]);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink("/proc/version", &link).unwrap();
        let bundle = add(root.path(), &own(root.path()), PEM, &[]).unwrap();
        assert_eq!((bundle.path.as_str(), bundle.is_systems), ("/own/authorities.pem", false));
        assert!(fs::read_to_string(within(root.path(), &bundle.path)).unwrap().ends_with(PEM));
    }

    #[test]
    fn what_is_no_file_is_no_bundle() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(within(root.path(), BUNDLES[1])).unwrap();
        assert_eq!(add(root.path(), &own(root.path()), PEM, &[]).unwrap().path, BUNDLES[0]);
    }
}
