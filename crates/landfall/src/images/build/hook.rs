//! The shell script that finishes a new root, when all its packages are there: each part's own setup, and the table of
//! runtimes that `runtime-versions` is answered from, with the versions that the programs themselves tell.
//!
//! `mmdebstrap` runs it with the root's folder as its argument; without root that is in a user namespace, where our own
//! files may be out of reach. So it is one text on the command line and reads nothing.

use super::recipe::{Order, Part, Runtime};
use std::fmt::Write as _;

/// What a root must not keep of this machine: its name and its proxies.
const TRACES: &str = "etc/apt/apt.conf.d/99mmdebstrap tmp/landfall-ca.pem";

/// The script. `authorities`: this machine's file of trusted certificates, by which pip reaches PyPI.
pub(super) fn script(order: &Order<'_>, authorities: Option<&str>) -> String {
    let mut script = String::from(
        "set -eu\nexec >&2\nroot=$1\n\
         in_root() { env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
         http_proxy=\"${http_proxy-}\" https_proxy=\"${https_proxy-}\" no_proxy=\"${no_proxy-}\" ${PIP_INDEX_URL+PIP_INDEX_URL=\"$PIP_INDEX_URL\"} \
         ${certificates+PIP_CERT=\"$certificates\"} PIP_DISABLE_PIP_VERSION_CHECK=1 chroot \"$root\" \"$@\"; }\n",
    );
    if let Some(file) = authorities {
        let _ =
            writeln!(script, "cp {} \"$root/tmp/landfall-ca.pem\"\ncertificates=/tmp/landfall-ca.pem", quoted(file));
    }
    for setup in order.parts.iter().map(|part| &part.setup).chain([&order.base.setup]).filter(|setup| !setup.is_empty())
    {
        let _ = writeln!(script, "in_root sh -euc {}", quoted(setup.trim()));
    }
    table(&mut script, &order.parts);
    let _ = writeln!(
        script,
        "cd \"$root\"\nrm -f {TRACES}\nfor file in etc/hostname etc/resolv.conf; do : >$file; chmod 644 $file; done"
    );
    script
}

/// The lines that write `/codebuild/image/config/runtimes.yml`, in the form of AWS's images.
fn table(script: &mut String, parts: &[&Part]) {
    script.push_str(
        "mkdir -p \"$root/codebuild/image/config\"\ntable=\"$root/codebuild/image/config/runtimes.yml\"\n\
         printf 'version: 0.1\\n\\nruntimes:\\n' >\"$table\"\n",
    );
    for (name, runtime) in parts.iter().filter_map(|part| Some((&part.name, part.runtime.as_ref()?))) {
        let _ = writeln!(script, "version=$(in_root sh -euc {})", quoted(&runtime.version));
        let _ =
            writeln!(script, "test -n \"$version\" || {{ echo 'E: {name} does not tell its version' >&2; exit 1; }}");
        let _ = write!(script, "cat >>\"$table\" <<END\n  {name}:\n    versions:\n{}END\n", rows(runtime));
    }
}

fn rows(runtime: &Runtime) -> String {
    let mut rows = String::new();
    for name in &runtime.names {
        let said = format!("echo \"Installing {} version $version ...\"", runtime.title);
        let _ = writeln!(rows, "      {}:\n        commands:\n          - {said}", name.replace("{}", "$version"));
        for command in &runtime.commands {
            let _ = writeln!(rows, "          - {command}");
        }
    }
    rows
}

/// `text` as one word of the shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::recipe::Recipe;
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::Command;

    /// Runs the script on an empty root; `chroot ROOT PROGRAM…` prints 17 for every version, and notes what it was to do.
    fn finished(with: &[&str]) -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        for made in ["root/etc/apt/apt.conf.d", "root/tmp", "bin"] {
            std::fs::create_dir_all(folder.path().join(made)).unwrap();
        }
        std::fs::write(folder.path().join("root/etc/hostname"), "this-machine").unwrap();
        std::fs::write(folder.path().join("root/etc/apt/apt.conf.d/99mmdebstrap"), "proxy").unwrap();
        std::fs::write(folder.path().join("ca.pem"), "authorities").unwrap();
        let journal = folder.path().join("journal");
        let chroot = folder.path().join("bin/chroot");
        std::fs::write(&chroot, format!("#!/bin/sh\necho \"$PIP_CERT $*\" >>{}\necho 17\n", journal.display()))
            .unwrap();
        std::fs::set_permissions(&chroot, std::fs::Permissions::from_mode(0o755)).unwrap();
        let recipe = Recipe::standard().unwrap();
        let with: Vec<_> = with.iter().map(|name| (*name).to_owned()).collect();
        let script = script(&recipe.order(&with, &[]).unwrap(), folder.path().join("ca.pem").to_str());
        // The real `env -i` sets PATH; the test's goes first.
        let script =
            script.replace("PATH=/usr/local/sbin", &format!("PATH={}/bin:/usr/local/sbin", folder.path().display()));
        let done = Command::new("sh").args(["-c", &script, "sh"]).arg(folder.path().join("root")).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let journal = std::fs::read_to_string(journal).unwrap();
        (folder, journal)
    }

    #[test]
    fn the_table_has_the_versions_that_the_programs_tell() {
        let (folder, journal) = finished(&["python", "java", "docker"]);
        let table = std::fs::read_to_string(folder.path().join("root/codebuild/image/config/runtimes.yml")).unwrap();
        let java = "  java:\n    versions:\n      corretto17:\n        commands:\n          - echo \"Installing Java version 17 ...\"\n          - export JAVA_HOME=/usr/lib/jvm/default-java\n";
        assert!(table.starts_with("version: 0.1\n\nruntimes:\n  python:\n    versions:\n      17:\n"), "{table}");
        assert!(table.contains(java) && table.contains("      openjdk17:\n") && !table.contains("docker"), "{table}");
        assert!(journal.contains("EXTERNALLY-MANAGED") && journal.contains("java --version"), "{journal}");
    }

    #[test]
    fn nothing_of_this_machine_stays_in_the_root() {
        let (folder, journal) = finished(&["aws"]);
        let root = folder.path().join("root");
        assert_eq!(std::fs::read(root.join("etc/hostname")).unwrap(), b"");
        for gone in TRACES.split(' ') {
            assert!(!root.join(gone).exists(), "{gone}");
        }
        assert!(journal.lines().any(|line| line.starts_with("/tmp/landfall-ca.pem ")), "{journal}");
    }

    #[test]
    fn words_stay_words() {
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
