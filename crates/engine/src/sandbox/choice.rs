//! Which OCI runtime is taken: `crun`, which is twice as fast, where a container really runs with it, else `runc`.
//!
//! The test is a container like any other, which runs `true`, at the first start or prepared image rather than when the
//! server starts. Its outcome is kept in the data folder for this program, as it is now, and this boot of the machine.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::runtime::find_program;
use crate::{EngineError, RuntimeChoice};

/// The programs to take the first working one of, best first.
///
/// # Errors
/// There is none; the text says what to install.
pub(super) fn candidates(choice: &RuntimeChoice) -> Result<Vec<PathBuf>, EngineError> {
    let found: Vec<PathBuf> = match choice {
        RuntimeChoice::Auto => ["crun", "runc"].into_iter().filter_map(find_program).collect(),
        RuntimeChoice::Runc => find_program("runc").into_iter().collect(),
        RuntimeChoice::Crun => find_program("crun").into_iter().collect(),
        RuntimeChoice::Program(path) => vec![path.clone()].into_iter().filter(|path| path.is_file()).collect(),
    };
    if found.is_empty() { Err(EngineError::Unusable(nothing(choice))) } else { Ok(found) }
}

fn nothing(choice: &RuntimeChoice) -> String {
    match choice {
        RuntimeChoice::Auto | RuntimeChoice::Runc => {
            "the sandbox needs the program runc, which is not installed: `apt-get install runc`".to_owned()
        }
        RuntimeChoice::Crun => {
            "--oci-runtime crun: the program is not installed: `apt-get install crun`, or take --oci-runtime runc"
                .to_owned()
        }
        RuntimeChoice::Program(path) => format!("--oci-runtime {}: there is no such program", path.display()),
    }
}

/// What a test of a runtime found, and of which program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Verdict {
    program: PathBuf,
    modified: (i64, i64),
    size: u64,
    boot: String,
    /// A container ran with it.
    pub(super) works: bool,
}

impl Verdict {
    /// `works` for the program as it is now.
    pub(super) fn new(program: &Path, works: bool) -> std::io::Result<Self> {
        let metadata = program.metadata()?;
        // Some machines have no boot id; then the program alone tells.
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned();
        let modified = (metadata.mtime(), metadata.mtime_nsec());
        Ok(Self { program: program.to_path_buf(), modified, size: metadata.size(), boot, works })
    }

    /// The verdict kept in `file`, if it is on this program as it is now.
    pub(super) fn read(file: &Path, program: &Path) -> Option<Self> {
        let kept: Self = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
        let now = Self::new(program, kept.works).ok()?;
        (kept == now).then_some(kept)
    }

    /// Keeps it. If it cannot be kept, the test is made again another time.
    pub(super) fn write(&self, file: &Path) {
        let written = serde_json::to_vec(self).map_err(std::io::Error::from).and_then(|text| fs::write(file, text));
        if let Err(error) = written {
            tracing::debug!(%error, file = %file.display(), "the verdict on the OCI runtime is not kept");
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_on_one_program_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let (file, program) = (folder.path().join("verdict"), folder.path().join("crun"));
        fs::write(&program, "one").unwrap();
        assert_eq!(Verdict::read(&file, &program), None);
        let verdict = Verdict::new(&program, true).unwrap();
        verdict.write(&file);
        assert_eq!(Verdict::read(&file, &program), Some(verdict));
        assert_eq!(Verdict::read(&file, Path::new("/bin/sh")), None);
        fs::write(&program, "another").unwrap();
        assert_eq!(Verdict::read(&file, &program), None);
        fs::write(&file, "{").unwrap();
        assert_eq!(Verdict::read(&file, &program), None);
    }

    #[test]
    fn says_what_to_install() {
        let none = candidates(&RuntimeChoice::Program("/nowhere/runc".into()));
        assert!(none.is_err_and(|error| error.to_string().contains("--oci-runtime /nowhere/runc")));
        assert!(nothing(&RuntimeChoice::Auto).contains("apt-get install runc"));
        assert!(nothing(&RuntimeChoice::Crun).contains("apt-get install crun"));
        assert_eq!(candidates(&RuntimeChoice::Program("/bin/sh".into())).unwrap(), [PathBuf::from("/bin/sh")]);
    }
}
