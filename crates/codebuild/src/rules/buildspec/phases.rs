//! The `phases` section.

use crate::rules::yaml::{Located, Node, YamlError};

/// The phases that a buildspec may define, in the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "AWS's own names say it")]
pub enum PhaseName {
    Install,
    PreBuild,
    Build,
    PostBuild,
}

impl PhaseName {
    /// All of them, in order.
    pub const ALL: [Self; 4] = [Self::Install, Self::PreBuild, Self::Build, Self::PostBuild];

    /// The key in a buildspec.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::PreBuild => "pre_build",
            Self::Build => "build",
            Self::PostBuild => "post_build",
        }
    }
}

/// One phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhaseSpec {
    /// Which.
    pub name: PhaseName,
    /// User of its commands.
    pub run_as: Option<String>,
    /// What follows from its failure.
    pub on_failure: Option<OnFailure>,
    /// Language → version, as written (`3.10` stays `3.10`); of install alone.
    pub runtime_versions: Vec<(String, String)>,
    /// Commands, until one fails.
    pub commands: Vec<String>,
    /// Commands that run afterwards in any case.
    pub finally: Vec<String>,
}

/// `on-failure` of a phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnFailure {
    /// No later phase runs.
    Abort,
    /// The next phase runs.
    Continue,
    /// The whole build is tried again, up to `times`, where the error matches `pattern`.
    Retry {
        /// Further tries, 0 to 100.
        times: u8,
        /// Regular expression on the error's message; `.*` where none is given.
        pattern: String,
    },
}

pub(super) fn parse(node: &Located) -> Result<Vec<PhaseSpec>, YamlError> {
    let mut phases =
        node.map("phases")?.iter().map(|(name, phase)| parse_phase(name, phase)).collect::<Result<Vec<_>, _>>()?;
    phases.sort_by_key(|phase| phase.name);
    Ok(phases)
}

fn parse_phase(name: &str, node: &Located) -> Result<PhaseSpec, YamlError> {
    let name = PhaseName::ALL.into_iter().find(|phase| phase.key() == name).ok_or_else(|| {
        node.error(format!("Invalid buildspec phase name: {name}. Expecting: BUILD,INSTALL,POST_BUILD,PRE_BUILD"))
    })?;
    let entries = node.map(name.key())?;
    let has = |key: &str| entries.iter().any(|(entry, _)| entry == key);
    if !entries.is_empty() && !has("commands") && !has("finally") && name != PhaseName::Install {
        return Err(node.error(format!("Missing required key: commands of phase {}", name.key())));
    }
    Ok(PhaseSpec {
        name,
        run_as: node.get("run-as").map(|user| user.text("run-as")).transpose()?,
        on_failure: node.get("on-failure").map(on_failure).transpose()?,
        runtime_versions: runtime_versions(node)?,
        commands: commands(node, "commands", "Commands")?,
        finally: commands(node, "finally", "Finally")?,
    })
}

/// Commands that are not empty: an item that is commented out leaves a null behind.
fn commands(node: &Located, key: &str, what: &str) -> Result<Vec<String>, YamlError> {
    let commands = node.get(key).map_or(Ok(vec![]), |list| list.texts(what))?;
    Ok(commands.into_iter().filter(|command| !command.trim().is_empty()).collect())
}

fn runtime_versions(node: &Located) -> Result<Vec<(String, String)>, YamlError> {
    let Some(versions) = node.get("runtime-versions") else { return Ok(vec![]) };
    if let Node::List(items) = &versions.node {
        return items.iter().flat_map(Located::entries).map(runtime_version).collect();
    }
    versions.map("runtime-versions")?.iter().map(runtime_version).collect()
}

fn runtime_version((language, version): &(String, Located)) -> Result<(String, String), YamlError> {
    Ok((language.clone(), version.text(&format!("runtime-versions.{language}"))?))
}

/// `ABORT`, `CONTINUE`, `RETRY`, `RETRY-<n>`, `RETRY-<regex>` or `RETRY-<n>-<regex>`, in any case.
fn on_failure(node: &Located) -> Result<OnFailure, YamlError> {
    let text = node.text("on-failure")?;
    match text.to_ascii_uppercase().as_str() {
        "ABORT" => Ok(OnFailure::Abort),
        "CONTINUE" => Ok(OnFailure::Continue),
        "RETRY" => Ok(retry(None, "")),
        upper if upper.starts_with("RETRY-") => parse_retry(node, &text["RETRY-".len()..]),
        _ => Err(node.error(format!("Invalid on-failure: {text}. Expecting: ABORT,CONTINUE,RETRY"))),
    }
}

fn parse_retry(node: &Located, rest: &str) -> Result<OnFailure, YamlError> {
    let (head, pattern) = rest.split_once('-').unwrap_or((rest, ""));
    match head.parse::<u32>() {
        Ok(times @ 0..=100) => Ok(retry(u8::try_from(times).ok(), pattern)),
        Ok(times) => Err(node.error(format!("Invalid on-failure: {times} retries. Expecting: 0 to 100"))),
        Err(_) => Ok(retry(None, rest)),
    }
}

fn retry(times: Option<u8>, pattern: &str) -> OnFailure {
    let pattern = if pattern.is_empty() { ".*" } else { pattern };
    OnFailure::Retry { times: times.unwrap_or(3), pattern: pattern.to_owned() }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::rules::yaml;

    fn phases(text: &str) -> Result<Vec<PhaseSpec>, YamlError> {
        parse(&yaml::parse(text).unwrap())
    }

    #[test]
    fn phases_come_in_the_order_in_which_they_run() {
        let phases = phases("post_build: {commands: [c]}\nbuild: {commands: [b]}\ninstall: {commands: [a]}\n").unwrap();
        assert_eq!(phases.iter().map(|phase| phase.commands[0].as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
    }

    #[test]
    fn commands_may_be_text_list_or_nothing() {
        for (text, expected) in [
            ("build:\n  commands: make all\n", vec!["make all"]),
            ("build:\n  commands:\n    # - make\n", vec![]),
            ("build:\n  commands:\n    - a\n    -\n    - 12\n", vec!["a", "12"]),
            ("build:\n  commands: []\n", vec![]),
            ("build:\n", vec![]),
        ] {
            assert_eq!(phases(text).unwrap()[0].commands, expected, "{text:?}");
        }
    }

    #[test]
    fn runtime_versions_keep_their_digits() {
        for text in
            ["install:\n  runtime-versions:\n    python: 3.10\n", "install:\n  runtime-versions:\n    - python: 3.10\n"]
        {
            assert_eq!(phases(text).unwrap()[0].runtime_versions, [("python".to_owned(), "3.10".to_owned())]);
        }
    }

    #[test]
    fn on_failure_forms() {
        for (text, expected) in [
            ("ABORT", OnFailure::Abort),
            ("continue", OnFailure::Continue),
            ("RETRY", retry(Some(3), ".*")),
            ("Retry-7", retry(Some(7), ".*")),
            ("RETRY-timed out", retry(Some(3), "timed out")),
            ("Retry-2-a-b", retry(Some(2), "a-b")),
        ] {
            let parsed = phases(&format!("build: {{on-failure: {text}, commands: [x]}}")).unwrap();
            assert_eq!(parsed[0].on_failure, Some(expected), "{text}");
        }
    }

    #[test]
    fn errors() {
        for (text, message) in [
            ("build: {finale: [x]}", "Missing required key: commands of phase build at line 1, column 8"),
            (
                "build: {on-failure: STOP, commands: x}",
                "Invalid on-failure: STOP. Expecting: ABORT,CONTINUE,RETRY at line 1, column 21",
            ),
            (
                "build: {on-failure: RETRY-101, commands: x}",
                "Invalid on-failure: 101 retries. Expecting: 0 to 100 at line 1, column 21",
            ),
            (
                "build: {commands: [x], finally: [{a: b}]}",
                "Expected Finally[0] to be of string type: found subkeys instead at line 1, column 34",
            ),
            ("build: make", "Expected build to be a mapping at line 1, column 8"),
        ] {
            assert_eq!(phases(text).unwrap_err().to_string(), message);
        }
    }
}
