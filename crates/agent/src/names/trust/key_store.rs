//! Java's authorities: key stores of the type JKS, which every JDK before 18 has and every later one reads
//! (`sun.security.provider.JavaKeyStore`); those of later JDKs are [`pkcs12`]'s.
//!
//! A store of the first type is `FEEDFEED`, a version, a number of entries, the entries, and the SHA-1 of a password, a phrase and all of
//! that. The password of the authorities' stores is `changeit` everywhere.

use std::fs;
use std::path::{Path, PathBuf};

use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA1_OUTPUT_LEN};

use super::{pkcs12, within};

/// Debian, Red Hat, and the image `eclipse-temurin`.
const STORES: [&str; 4] = [
    "/etc/ssl/certs/java/cacerts",
    "/etc/pki/java/cacerts",
    "/etc/pki/ca-trust/extracted/java/cacerts",
    "/opt/java/openjdk/lib/security/cacerts",
];
/// Folders of JDKs, each of which may have a store of its own.
const JDKS: &str = "/usr/lib/jvm";
/// More JDKs are not looked at.
const MOST_JDKS: usize = 16;
const LARGEST: u64 = 16 * 1024 * 1024;

const MAGIC: [u8; 4] = 0xfeed_feed_u32.to_be_bytes();
const VERSION: [u8; 4] = 2_u32.to_be_bytes();
const HEADER: usize = 12;
const TRUSTED: u32 = 2;
const PASSWORD: &str = "changeit";
const PHRASE: &str = "Mighty Aphrodite";

/// Adds a certificate (DER) to every store of the container that there is. One that cannot be changed is left as it is:
/// builds in other languages must not suffer from it.
pub(super) fn add(root: &Path, alias: &str, certificate: &[u8]) {
    let mut seen = vec![];
    for path in stores(root).iter().filter_map(|path| path.canonicalize().ok()) {
        if seen.contains(&path) || path.metadata().is_ok_and(|metadata| metadata.len() > LARGEST) {
            continue;
        }
        if let Ok(store) = fs::read(&path)
            && let Some(changed) = with(&store, alias, certificate).or_else(|| pkcs12::with(&store, alias, certificate))
        {
            let _ = fs::write(&path, changed);
        }
        seen.push(path);
    }
}

fn stores(root: &Path) -> Vec<PathBuf> {
    let jdks = fs::read_dir(within(root, JDKS)).into_iter().flatten().flatten().take(MOST_JDKS).map(|jdk| jdk.path());
    let jdks = jdks.flat_map(|jdk| ["lib", "jre/lib"].map(|folder| jdk.join(folder).join("security/cacerts")));
    STORES.iter().map(|path| within(root, path)).chain(jdks).collect()
}

/// The store with one more entry; `None` where it has that already, or is none that we know.
fn with(store: &[u8], alias: &str, certificate: &[u8]) -> Option<Vec<u8>> {
    let (content, sealed) = store.split_at_checked(store.len().checked_sub(SHA1_OUTPUT_LEN)?)?;
    let header = content.get(..HEADER)?;
    let known = header[..4] == MAGIC && header[4..8] == VERSION && seal(content) == sealed;
    // Where it was added before, it is the last.
    if !known || content.ends_with(certificate) {
        return None;
    }
    let count = u32::from_be_bytes(header[8..].try_into().ok()?).checked_add(1)?;
    let mut changed = [&content[..8], &count.to_be_bytes(), &content[HEADER..], &TRUSTED.to_be_bytes()].concat();
    text(&mut changed, alias)?;
    // When it came, in milliseconds since the epoch: nobody asks.
    changed.extend([0; 8]);
    text(&mut changed, "X.509")?;
    changed.extend(u32::try_from(certificate.len()).ok()?.to_be_bytes());
    changed.extend(certificate);
    let sealed = seal(&changed);
    changed.extend(sealed);
    Some(changed)
}

/// A text with its length before it (`DataOutput.writeUTF`).
fn text(store: &mut Vec<u8>, text: &str) -> Option<()> {
    store.extend(u16::try_from(text.len()).ok()?.to_be_bytes());
    store.extend(text.as_bytes());
    Some(())
}

fn seal(content: &[u8]) -> Vec<u8> {
    let mut digest = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    for unit in PASSWORD.encode_utf16() {
        digest.update(&unit.to_be_bytes());
    }
    digest.update(PHRASE.as_bytes());
    digest.update(content);
    digest.finish().as_ref().to_vec()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::super::subject_hash::{der, tests::PEM};
    use super::*;

    fn empty() -> Vec<u8> {
        let content = [&MAGIC[..], &VERSION, &[0; 4]].concat();
        [&content[..], &seal(&content)].concat()
    }

    #[test]
    fn a_store_has_the_certificate_once() {
        let certificate = der(PEM).unwrap();
        let first = with(&empty(), "landfall", &certificate).unwrap();
        assert_eq!(first[8..HEADER], [0, 0, 0, 1]);
        assert_eq!(with(&first, "landfall", &certificate), None);
        assert_eq!(with(&first, "other", b"another").unwrap()[8..HEADER], [0, 0, 0, 2]);
    }

    #[test]
    fn a_store_of_another_kind_or_password_is_left_alone() {
        let mut other = empty();
        *other.last_mut().unwrap() ^= 1;
        let mut older = empty();
        older[7] = 1;
        for store in [&other[..], &older, b"", b"\x30\x82", &empty()[..20]] {
            assert_eq!(with(store, "a", b"c"), None);
        }
    }

    #[test]
    fn the_jdks_own_stores_are_found() {
        let root = tempfile::tempdir().unwrap();
        for path in ["/etc/ssl/certs/java/cacerts", "/usr/lib/jvm/java-8/jre/lib/security/cacerts"] {
            let path = within(root.path(), path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, empty()).unwrap();
        }
        let shared = within(root.path(), "/usr/lib/jvm/java-17/lib/security/cacerts");
        fs::create_dir_all(shared.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(within(root.path(), STORES[0]), &shared).unwrap();
        add(root.path(), "landfall", b"certificate");
        for path in [shared, within(root.path(), "/usr/lib/jvm/java-8/jre/lib/security/cacerts")] {
            assert_eq!(fs::read(path).unwrap()[8..HEADER], [0, 0, 0, 1]);
        }
    }

    /// What JDKs themselves say of it is `keytool`'s to tell.
    #[test]
    fn keytool_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("cacerts");
        fs::write(&store, with(&empty(), "landfall-build", &der(PEM).unwrap()).unwrap()).unwrap();
        let listed = std::process::Command::new("keytool")
            .args(["-list", "-storepass", PASSWORD, "-keystore"])
            .arg(&store)
            .output();
        let Ok(listed) = listed else { return };
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        assert!(listed.contains("landfall-build") && listed.contains("trustedCertEntry"), "{listed}");
    }

    proptest! {
        #[test]
        fn any_file_is_judged(store in any::<Vec<u8>>()) {
            prop_assert_eq!(with(&store, "a", b"c"), None);
        }
    }
}
