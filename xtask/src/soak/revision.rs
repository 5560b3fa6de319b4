//! The revisions that users push: a text that no other has, and the build and release that go with it.

use std::io::{Cursor, Read as _, Write as _};

use anyhow::Context as _;
use serde_json::json;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

/// The events whose hooks write into a host's diary.
pub(super) const HOOKS: [&str; 5] =
    ["ApplicationStop", "BeforeInstall", "AfterInstall", "ApplicationStart", "ValidateService"];

/// The file with the revision's text.
pub(super) const TEXT: &str = "revision.txt";

/// A revision of a pipeline's source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Revision {
    pub(super) pipeline: &'static str,
    pub(super) number: u32,
    pub(super) seed: u64,
}

impl Revision {
    /// What `revision.txt` says: of all revisions of all seeds only this one.
    pub(super) fn text(&self) -> String {
        format!("{} {} of seed {}\n", self.pipeline, self.number, self.seed)
    }

    /// How many numbered lines its builds log.
    pub(super) fn lines(&self) -> u32 {
        100 + self.number * 37 % 300
    }

    /// Its files.
    pub(super) fn files(&self) -> Vec<(String, String)> {
        let mut files = vec![
            (TEXT.to_owned(), self.text()),
            ("index.html".to_owned(), format!("<p>{}</p>\n", self.text().trim())),
            ("buildspec.yml".to_owned(), buildspec()),
            ("build.sh".to_owned(), self.script()),
            ("appspec.yml".to_owned(), self.appspec()),
        ];
        files.extend(HOOKS.iter().map(|event| (format!("hooks/{event}.sh"), self.hook(event))));
        files
    }

    /// Begins with a number that no other run has, and says it in every line, and in what it leaves.
    fn script(&self) -> String {
        format!(
            "set -e\nnonce=$(cat /proc/sys/kernel/random/uuid)\nmkdir -p out\necho \"ran $nonce $CODEBUILD_BUILD_ID\"\n\
             i=0\nwhile [ $i -lt {lines} ]; do i=$((i+1)); echo \"line $nonce $i\"; \
             if [ $((i % 40)) = 0 ]; then sleep 0.05; fi; done\n\
             printf %s \"$nonce\" > out/nonce\nsha256sum < {TEXT} | cut -c -64 > out/proof\necho \"done $nonce $i\"\n",
            lines = self.lines()
        )
    }

    fn appspec(&self) -> String {
        let hooks =
            HOOKS.iter().map(|event| format!("  {event}:\n    - location: hooks/{event}.sh\n      timeout: 60\n"));
        format!(
            "version: 0.0\nos: linux\nfiles:\n  - source: {TEXT}\n    destination: /srv/{}\nhooks:\n{}",
            self.pipeline,
            hooks.collect::<String>()
        )
    }

    /// What an Install that was killed left would stop the next one, so it is cleared away first, as real ones do.
    fn hook(&self, event: &str) -> String {
        let clear = if event == "BeforeInstall" { format!("rm -rf /srv/{}\n", self.pipeline) } else { String::new() };
        format!("#!/bin/sh\n{clear}echo \"$DEPLOYMENT_ID $LIFECYCLE_EVENT\" >> /srv/diary\nsleep 0.02\n")
    }

    /// All files as a zip.
    pub(super) fn zip(&self) -> anyhow::Result<Vec<u8>> {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        for (path, text) in self.files() {
            archive.start_file(path, SimpleFileOptions::default().unix_permissions(0o755))?;
            archive.write_all(text.as_bytes())?;
        }
        Ok(archive.finish()?.into_inner())
    }
}

fn buildspec() -> String {
    json!({
        "version": 0.2,
        "phases": {"build": {"commands": ["sh build.sh"]}},
        "artifacts": {"files": ["**/*"]},
    })
    .to_string()
}

/// A file of a zip, as text.
pub(super) fn unzip(content: &[u8], path: &str) -> anyhow::Result<String> {
    let mut archive = ZipArchive::new(Cursor::new(content))?;
    let mut text = String::new();
    archive.by_name(path).with_context(|| path.to_owned())?.read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_found_again_in_its_zip() {
        let revision = Revision { pipeline: "line", number: 3, seed: 9 };
        let zip = revision.zip().unwrap();
        assert_eq!(unzip(&zip, TEXT).unwrap(), "line 3 of seed 9\n");
        assert!(unzip(&zip, "appspec.yml").unwrap().contains("destination: /srv/line"));
        assert!(unzip(&zip, "missing").is_err());
    }

    #[test]
    fn its_build_says_a_number_in_every_line() {
        let folder = tempfile::tempdir().unwrap();
        let revision = Revision { pipeline: "line", number: 0, seed: 1 };
        for (path, text) in revision.files() {
            let file = folder.path().join(path);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        let ran = std::process::Command::new("sh").arg("build.sh").current_dir(folder.path()).output().unwrap();
        let nonce = std::fs::read_to_string(folder.path().join("out/nonce")).unwrap();
        let log = String::from_utf8(ran.stdout).unwrap();
        assert!(ran.status.success() && log.contains(&format!("line {nonce} 100\ndone {nonce} 100\n")), "{log}");
        assert_eq!(std::fs::read_to_string(folder.path().join("out/proof")).unwrap().len(), 65);
    }
}
