//! Where a machine keeps the authorities that it trusts, and how one more gets there.

use crate::exit::user_error;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One family of systems.
#[derive(Debug, PartialEq, Eq)]
struct Store {
    /// The folder for authorities that the administrator adds.
    folder: &'static str,
    /// The file's name; Debian takes only `.crt`.
    file: &'static str,
    /// What makes the bundle anew.
    update: &'static [&'static str],
    /// The bundle of all trusted authorities.
    bundle: &'static str,
}

/// Debian, Ubuntu, Alpine; Fedora, RHEL; SUSE; Arch. The first whose folder and program are there is the machine's.
static STORES: [Store; 4] = [
    Store {
        folder: "/usr/local/share/ca-certificates",
        file: "landfall.crt",
        update: &["update-ca-certificates"],
        bundle: "/etc/ssl/certs/ca-certificates.crt",
    },
    Store {
        folder: "/etc/pki/ca-trust/source/anchors",
        file: "landfall.pem",
        update: &["update-ca-trust", "extract"],
        bundle: "/etc/pki/tls/certs/ca-bundle.crt",
    },
    Store {
        folder: "/etc/pki/trust/anchors",
        file: "landfall.pem",
        update: &["update-ca-certificates"],
        bundle: "/etc/ssl/ca-bundle.pem",
    },
    Store {
        folder: "/etc/ca-certificates/trust-source/anchors",
        file: "landfall.crt",
        update: &["trust", "extract-compat"],
        bundle: "/etc/ssl/certs/ca-certificates.crt",
    },
];

/// What installing does, step by step.
#[derive(Debug)]
pub(crate) struct Installation {
    store: &'static Store,
}

impl Installation {
    /// The one for this machine.
    ///
    /// # Errors
    /// A user's error where the machine keeps its authorities in none of the known ways.
    pub(crate) fn of_this_machine() -> anyhow::Result<Self> {
        let known = find(&|path| Path::new(path).is_dir(), &|program| on_path(program));
        known.map(|store| Self { store }).ok_or_else(|| {
            user_error(
                "this machine keeps its trusted authorities in no way that Landfall knows (Debian's, Red Hat's, SUSE's or \
                 Arch's; Debian's and Alpine's package is ca-certificates); `landfall tls ca` prints the certificate for \
                 your own way",
            )
        })
    }

    /// Where the certificate goes.
    fn file(&self) -> PathBuf {
        Path::new(self.store.folder).join(self.store.file)
    }

    /// The same as commands of a shell.
    pub(crate) fn as_commands(&self, certificate: &Path) -> String {
        format!("cp {} {}\n{}\n", certificate.display(), self.file().display(), self.store.update.join(" "))
    }

    /// Installs the certificate. Doing it again replaces it.
    ///
    /// # Errors
    /// A user's error without the rights, or where the system's own program fails.
    pub(crate) fn install(&self, pem: &str) -> anyhow::Result<()> {
        let file = self.file();
        std::fs::write(&file, pem).map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => user_error(format!(
                "{}: only root may add to what this machine trusts; run the same with sudo, or see --dry-run",
                file.display()
            )),
            _ => user_error(format!("{}: {error}", file.display())),
        })?;
        let command = self.store.update.join(" ");
        let (program, arguments) = (self.store.update[0], &self.store.update[1..]);
        let done = Command::new(program).args(arguments).output();
        let done = done.map_err(|error| user_error(format!("{command}: {error}")))?;
        if !done.status.success() {
            let said = String::from_utf8_lossy(&done.stderr);
            return Err(user_error(format!("{command} failed ({}): {}", done.status, said.trim())));
        }
        Ok(())
    }

    /// What the user should know of programs that do not ask the system.
    pub(crate) fn advice(&self) -> String {
        let (file, bundle) = (self.file(), self.store.bundle);
        let file = file.display();
        format!(
            "{file} is trusted by what asks the system: curl, git, openssl, Go.\n\
             What brings authorities of its own must be told:\n  \
             aws CLI, boto3:   export AWS_CA_BUNDLE={bundle}\n  \
             requests, pip:    export REQUESTS_CA_BUNDLE={bundle}\n  \
             Node.js, CDK:     export NODE_EXTRA_CA_CERTS={file}\n  \
             git of your own:  export GIT_SSL_CAINFO={bundle}\n  \
             Firefox, Chrome:  import {file} in their settings\n"
        )
    }
}

fn find(is_folder: &dyn Fn(&str) -> bool, has_program: &dyn Fn(&str) -> bool) -> Option<&'static Store> {
    STORES.iter().find(|store| is_folder(store.folder) && has_program(store.update[0]))
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Without a login shell, root's folders may be missing.
    let system = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(system).any(|folder| folder.join(program).is_file())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn each_family_is_known_by_its_folder_and_program() {
        for (folders, programs, found) in [
            (&["/usr/local/share/ca-certificates"][..], &["update-ca-certificates"][..], Some("landfall.crt")),
            (&["/usr/local/share/ca-certificates"][..], &[][..], None),
            (&["/etc/pki/ca-trust/source/anchors"][..], &["update-ca-trust"][..], Some("landfall.pem")),
            (&["/etc/pki/trust/anchors"][..], &["update-ca-certificates"][..], Some("landfall.pem")),
            (&["/etc/ca-certificates/trust-source/anchors"][..], &["trust"][..], Some("landfall.crt")),
            (&[][..], &["update-ca-certificates"][..], None),
        ] {
            let store = find(&|folder| folders.contains(&folder), &|program| programs.contains(&program));
            assert_eq!(store.map(|store| store.file), found, "{folders:?}");
            assert!(store.is_none_or(|store| folders.contains(&store.folder)));
        }
    }

    #[test]
    fn the_commands_are_those_of_the_family() {
        let debian = Installation { store: &STORES[0] };
        let commands = debian.as_commands(Path::new("/data/tls/ca.pem"));
        assert_eq!(
            commands,
            "cp /data/tls/ca.pem /usr/local/share/ca-certificates/landfall.crt\nupdate-ca-certificates\n"
        );
        let advice = debian.advice();
        for variable in ["AWS_CA_BUNDLE", "GIT_SSL_CAINFO", "NODE_EXTRA_CA_CERTS"] {
            assert!(advice.contains(variable), "{variable}");
        }
    }

    #[test]
    fn without_the_rights_the_next_step_is_named() {
        let nowhere = Store { folder: "/proc/sys", file: "landfall.crt", update: &["true"], bundle: "" };
        let refused = Installation { store: Box::leak(Box::new(nowhere)) }.install("pem").err().unwrap();
        assert!(refused.to_string().contains("/proc/sys/landfall.crt"), "{refused}");
    }
}
