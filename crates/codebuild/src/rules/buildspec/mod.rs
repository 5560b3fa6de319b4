//! The buildspec: what a build runs and keeps. Grammar 0.2 and the legacy 0.1 of the CodeBuild user guide.

mod artifacts;
mod env;
mod phases;
#[cfg(test)]
mod round_trip;

use super::yaml::{self, Located, YamlError};

pub use artifacts::{ArtifactSet, Artifacts};
pub use env::Env;
pub use phases::{OnFailure, PhaseName, PhaseSpec};

/// A parsed buildspec.
#[derive(Debug, Clone, PartialEq)]
pub struct Buildspec {
    /// Grammar that it is written in.
    pub version: Version,
    /// User of all commands, where a phase names no other.
    pub run_as: Option<String>,
    /// Variables and shell.
    pub env: Env,
    /// The phases that are there, in the order in which they run.
    pub phases: Vec<PhaseSpec>,
    /// What is kept, where anything is.
    pub artifacts: Option<Artifacts>,
    /// What was tolerated, for the build's log.
    pub warnings: Vec<String>,
}

/// The two grammars. They differ in the shell: 0.1 runs each command in one of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// Legacy.
    V0_1,
    /// Current.
    V0_2,
}

/// Keys that CodeBuild knows at the top level. Others occur in real files (documentation blocks) and are tolerated.
const KEYS: [&str; 10] =
    ["version", "run-as", "env", "proxy", "batch", "phases", "reports", "artifacts", "cache", "environment_variables"];

impl Buildspec {
    /// Parses a buildspec's text.
    ///
    /// # Errors
    /// What is wrong and where: the message of phase context `YAML_FILE_ERROR`.
    pub fn parse(text: &str) -> Result<Self, YamlError> {
        let root = yaml::parse(text.strip_prefix('\u{feff}').unwrap_or(text))?;
        let entries = root.map("buildspec")?;
        let version = version(&root)?;
        let phases = root.get("phases").ok_or_else(|| YamlError::general("Missing required key: phases"))?;
        Ok(Self {
            version,
            run_as: root.get("run-as").map(|node| node.text("run-as")).transpose()?,
            env: Env::parse(&root)?,
            phases: phases::parse(phases)?,
            artifacts: root.get("artifacts").map(Artifacts::parse).transpose()?,
            warnings: unknown_keys(entries),
        })
    }
}

fn version(root: &Located) -> Result<Version, YamlError> {
    let node = root.get("version").ok_or_else(|| YamlError::general("Missing required key: version"))?;
    match node.text("version")?.as_str() {
        "0.1" => Ok(Version::V0_1),
        "0.2" => Ok(Version::V0_2),
        other => Err(node.error(format!("Invalid buildspec version: {other}. Expecting: 0.1,0.2"))),
    }
}

fn unknown_keys(entries: &[(String, Located)]) -> Vec<String> {
    let unknown = entries.iter().filter(|(key, _)| !KEYS.contains(&key.as_str()));
    unknown.map(|(key, node)| format!("Ignoring unknown key {key} of the buildspec (line {})", node.line)).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_whole_buildspec() {
        let text = "version: 0.2\nrun-as: builder\nenv:\n  shell: bash\n  variables:\n    A: 1\nphases:\n  build:\n    commands: make\nartifacts:\n  files: out.txt\ndocs: {}\n";
        let buildspec = Buildspec::parse(text).unwrap();
        assert_eq!(buildspec.version, Version::V0_2);
        assert_eq!(buildspec.run_as.as_deref(), Some("builder"));
        assert_eq!(buildspec.phases.len(), 1);
        assert_eq!(buildspec.artifacts.unwrap().primary.files, ["out.txt"]);
        assert_eq!(buildspec.warnings, ["Ignoring unknown key docs of the buildspec (line 12)"]);
    }

    #[test]
    fn versions_may_be_number_or_text() {
        for (version, expected) in
            [("0.1", Version::V0_1), ("'0.1'", Version::V0_1), ("0.2", Version::V0_2), ("\"0.2\"", Version::V0_2)]
        {
            let text = format!("version: {version}\nphases: {{build: {{commands: [x]}}}}\n");
            assert_eq!(Buildspec::parse(&text).unwrap().version, expected, "{version}");
        }
    }

    #[test]
    fn a_json_buildspec_parses() {
        let text = r#"{"version": "0.2", "phases": {"build": {"commands": ["npx cdk synth", "echo \"a: b\""]}},
            "artifacts": {"base-directory": "cdk.out", "files": "**/*"}}"#;
        let buildspec = Buildspec::parse(text).unwrap();
        assert_eq!(buildspec.phases[0].commands, ["npx cdk synth", "echo \"a: b\""]);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, message) in [
            ("phases: {}", "Missing required key: version"),
            ("version: 0.2\n", "Missing required key: phases"),
            ("version: 0.3\nphases: {}\n", "Invalid buildspec version: 0.3. Expecting: 0.1,0.2 at line 1, column 10"),
            ("- a\n", "Expected buildspec to be a mapping at line 1, column 1"),
            (
                "version: 0.2\nphases:\n  deploy:\n    commands: [x]\n",
                "Invalid buildspec phase name: deploy. Expecting: BUILD,INSTALL,POST_BUILD,PRE_BUILD at line 4, column 5",
            ),
            (
                "version: 0.2\nphases:\n  build:\n    commands:\n      - ok\n      - echo a: b\n",
                "Expected Commands[1] to be of string type: found subkeys instead at line 6, column 9",
            ),
        ] {
            assert_eq!(Buildspec::parse(text).unwrap_err().to_string(), message);
        }
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in "[ -~\n\t]{0,200}") {
            let _ = Buildspec::parse(&text);
        }
    }
}
