//! Lets the programs of a container trust one more authority.
//!
//! It goes to where each family of systems keeps what it trusts: the [`bundles`] that curl, git, Python and Go read; the
//! folders in which OpenSSL looks by hash; the anchors from which `update-ca-certificates` and its kind make bundles
//! anew; and Java's [`key_store`]s. What brings authorities of its own is told by [`Trust::variables`].

mod bundles;
mod key_store;
mod pkcs12;
mod subject_hash;

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use bundles::Bundle;

/// Our own folder: the first that can be written. Rootless, what belongs to the machine's root cannot.
const OWN: [&str; 3] = ["/usr/local/share/landfall", "/run/landfall", "/tmp/.landfall"];
/// The authority's file there.
const AUTHORITY: &str = "authority.pem";
/// Folders of authorities that the administrator adds: Debian and Alpine, Red Hat, SUSE, Arch.
const ANCHORS: [&str; 4] = [
    "/usr/local/share/ca-certificates",
    "/etc/pki/ca-trust/source/anchors",
    "/etc/pki/trust/anchors",
    "/etc/ca-certificates/trust-source/anchors",
];
/// Folders in which OpenSSL looks by hash.
const HASHED: [&str; 2] = ["/etc/ssl/certs", "/etc/pki/tls/certs"];
/// The file's name among the others'.
const NAME: &str = "landfall-build";

/// What programs are to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trust {
    /// The authority's own file.
    file: String,
    bundle: Bundle,
}

impl Trust {
    /// Adds the authority to the container at `root`, and to the bundles that its image names in variables.
    ///
    /// # Errors
    /// Where nothing at all can be written: a read-only root.
    pub(super) fn install(root: &Path, pem: &str, named: &[PathBuf]) -> io::Result<Self> {
        let (folder, file) = own(root, pem)?;
        anchors(root, pem);
        let hash = subject_hash::subject_hash(pem);
        for folder in HASHED.iter().map(|folder| within(root, folder)).filter(|folder| folder.is_dir()) {
            // Whoever reads bundles does not need it.
            let _ = hashed(&folder, pem, hash.as_deref());
        }
        if let Some(certificate) = subject_hash::der(pem) {
            key_store::add(root, NAME, &certificate);
        }
        let bundle = bundles::add(root, &folder, pem, named)?;
        Ok(Self { file: outside(root, &file), bundle })
    }

    /// Variables for programs that ask nobody else, or bring authorities of their own. A bundle is named only to those
    /// that it leaves with all that they trusted before.
    pub(super) fn variables(&self) -> Vec<(&'static str, &str)> {
        let bundle = self.bundle.path.as_str();
        let mut variables = vec![("NODE_EXTRA_CA_CERTS", self.file.as_str()), ("AWS_CA_BUNDLE", bundle)];
        if self.bundle.has_others {
            variables.extend([("REQUESTS_CA_BUNDLE", bundle), ("SSL_CERT_FILE", bundle)]);
        }
        if !self.bundle.is_systems {
            variables.extend([("CURL_CA_BUNDLE", bundle), ("GIT_SSL_CAINFO", bundle)]);
        }
        variables
    }
}

/// Lets Docker, Podman and their kin trust the registry of this host by the authority (`certs.d`).
pub(super) fn of_registry(root: &Path, host: &str, pem: &str) -> io::Result<()> {
    write(&within(root, "/etc/docker/certs.d").join(host), "ca.crt", pem).map(drop)
}

/// Our own folder, and the authority in it.
fn own(root: &Path, pem: &str) -> io::Result<(PathBuf, PathBuf)> {
    let mut written = Err(io::ErrorKind::ReadOnlyFilesystem.into());
    for folder in OWN.iter().map(|folder| within(root, folder)) {
        written = write(&folder, AUTHORITY, pem).map(|file| (folder, file));
        if written.is_ok() {
            break;
        }
    }
    written
}

/// Debian's folder is made, for an image that gets its certificates by a later `apt-get install ca-certificates`.
fn anchors(root: &Path, pem: &str) {
    let debian = ["/etc/debian_version", "/etc/alpine-release"].iter().any(|file| within(root, file).exists());
    for (index, folder) in ANCHORS.iter().enumerate() {
        let folder = within(root, folder);
        if folder.is_dir() || (index == 0 && debian) {
            // Bundles have it for now in any case.
            let _ = write(&folder, &format!("{NAME}.crt"), pem);
        }
    }
}

/// The file, and a link by the hash under the first free number.
fn hashed(folder: &Path, pem: &str, hash: Option<&str>) -> io::Result<()> {
    let name = format!("{NAME}.pem");
    write(folder, &name, pem)?;
    let Some(hash) = hash else { return Ok(()) };
    for number in 0..10 {
        let link = folder.join(format!("{hash}.{number}"));
        match symlink(&name, &link) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if fs::read_link(&link).is_ok_and(|target| target.as_os_str() == name.as_str()) {
                    break;
                }
            }
            linked => return linked,
        }
    }
    Ok(())
}

/// Writes a file for everybody to read; its folder is made where there is none.
fn write(folder: &Path, name: &str, text: &str) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let file = folder.join(name);
    fs::write(&file, text)?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644))?;
    Ok(file)
}

/// A path of the container.
fn within(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}

/// The same as the container's programs call it.
fn outside(root: &Path, path: &Path) -> String {
    format!("/{}", path.strip_prefix(root).unwrap_or(path).display())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::subject_hash::tests::PEM;
    use super::*;

    fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = within(root.path(), path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    fn names(trust: &Trust) -> String {
        trust.variables().iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn each_family_of_systems_gets_it_where_it_looks() {
        let debian = root(&[
            ("/etc/debian_version", "12"),
            ("/etc/ssl/certs/ca-certificates.crt", "-----BEGIN CERTIFICATE-----\nother\n"),
        ]);
        let trust = Trust::install(debian.path(), PEM, &[]).unwrap();
        assert_eq!(
            names(&trust),
            "NODE_EXTRA_CA_CERTS=/usr/local/share/landfall/authority.pem \
             AWS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt \
             REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"
        );
        let hash = subject_hash::subject_hash(PEM).unwrap();
        for file in [
            "/usr/local/share/landfall/authority.pem",
            "/usr/local/share/ca-certificates/landfall-build.crt",
            "/etc/ssl/certs/landfall-build.pem",
            &format!("/etc/ssl/certs/{hash}.0"),
        ] {
            assert_eq!(fs::read_to_string(within(debian.path(), file)).unwrap(), PEM, "{file}");
        }
        let fedora = root(&[
            ("/etc/pki/tls/certs/ca-bundle.crt", "-----BEGIN CERTIFICATE-----\nother\n"),
            ("/etc/pki/ca-trust/source/anchors/README", ""),
        ]);
        let trust = Trust::install(fedora.path(), PEM, &[]).unwrap();
        assert!(names(&trust).contains("AWS_CA_BUNDLE=/etc/pki/tls/certs/ca-bundle.crt"));
        assert!(within(fedora.path(), "/etc/pki/ca-trust/source/anchors/landfall-build.crt").exists());
        assert!(!within(fedora.path(), "/usr/local/share/ca-certificates").exists());
    }

    #[test]
    fn an_image_without_any_authorities_gets_a_bundle_that_takes_nothing_from_others() {
        let root = root(&[]);
        let trust = Trust::install(root.path(), PEM, &[]).unwrap();
        let variables = names(&trust);
        assert!(variables.contains("AWS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt"), "{variables}");
        assert!(!variables.contains("SSL_CERT_FILE") && !variables.contains("REQUESTS"), "{variables}");
    }

    #[test]
    fn doing_it_again_changes_nothing() {
        let root = root(&[("/etc/ssl/certs/ca-certificates.crt", "-----BEGIN CERTIFICATE-----\nother\n")]);
        let all = |root: &Path| {
            let folder = within(root, "/etc/ssl/certs");
            let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            files
                .map(|file| (file.clone(), fs::read_to_string(file).unwrap()))
                .collect::<std::collections::BTreeMap<_, _>>()
        };
        let first = (Trust::install(root.path(), PEM, &[]).unwrap(), all(root.path()));
        assert_eq!((Trust::install(root.path(), PEM, &[]).unwrap(), all(root.path())), first);
        assert_eq!(first.1.len(), 3);
    }

    #[test]
    fn another_authority_of_the_same_hash_stays() {
        let root = root(&[("/etc/ssl/certs/x", "")]);
        let hash = subject_hash::subject_hash(PEM).unwrap();
        let first = within(root.path(), &format!("/etc/ssl/certs/{hash}.0"));
        fs::write(&first, "another").unwrap();
        Trust::install(root.path(), PEM, &[]).unwrap();
        assert_eq!(fs::read_to_string(&first).unwrap(), "another");
        assert_eq!(fs::read_to_string(first.with_extension("1")).unwrap(), PEM);
    }

    #[test]
    fn what_belongs_to_others_is_left_alone() {
        let root = root(&[("/usr/local/share", "a file, where no folder can be made"), ("/etc/ssl/certs/x", "")]);
        // Not even root writes there.
        symlink("/proc/version", within(root.path(), "/etc/ssl/certs/ca-certificates.crt")).unwrap();
        let trust = Trust::install(root.path(), PEM, &[]).unwrap();
        let variables = names(&trust);
        for part in ["NODE_EXTRA_CA_CERTS=/run/landfall/authority.pem", "CURL_CA_BUNDLE=/run/landfall/authorities.pem"]
        {
            assert!(variables.contains(part), "{variables}");
        }
    }

    #[test]
    fn a_registrys_authority_is_where_docker_looks() {
        let root = root(&[]);
        of_registry(root.path(), "1.dkr.ecr.us-east-1.amazonaws.com", PEM).unwrap();
        let file = "/etc/docker/certs.d/1.dkr.ecr.us-east-1.amazonaws.com/ca.crt";
        assert_eq!(fs::read_to_string(within(root.path(), file)).unwrap(), PEM);
    }
}
