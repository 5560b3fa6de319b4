//! `runtime-versions`: which of an image's runtimes a build gets (CodeBuild user guide, "Runtime versions in buildspec").
//!
//! An image lists its runtimes in a file of AWS's own form, which AWS's images and those of `landfall images build` have:
//! runtime → version → the commands that select it, and which versions of other runtimes it requires. The words of the
//! log and of the errors are those of AWS's builds.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::yaml::{self, Located, YamlError};

/// Where an image has its table.
pub const TABLE: &str = "/codebuild/image/config/runtimes.yml";
/// The largest table, in bytes; AWS's have 3,000.
pub const LARGEST_TABLE: u64 = 64 * 1024;
/// How many bytes of commands a build's document takes; AWS's images stay below a thousand for each runtime.
const MOST_COMMANDS: usize = 16 * 1024;

/// What is said where an image has no table.
pub const UNSUPPORTED: &str =
    "Skipping install of runtimes. Runtime version selection is not supported by this build image";

/// An image's runtimes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runtimes(Vec<Runtime>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Runtime {
    name: String,
    versions: Vec<Version>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Version {
    name: String,
    /// Other runtimes, and which of their versions will do.
    requires: Vec<(String, Vec<String>)>,
    /// What selects it, in the build's shell.
    commands: Vec<String>,
}

/// The runtimes that a build gets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// For the build's log.
    pub lines: Vec<String>,
    /// What runs before the first command of INSTALL.
    pub commands: Vec<String>,
}

/// Why the runtimes that a buildspec names cannot be had: what was said before, and the message of `YAML_FILE_ERROR`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unselectable {
    /// For the build's log, before the phase ends.
    pub lines: Vec<String>,
    /// AWS's words.
    pub message: String,
}

impl Runtimes {
    /// Reads an image's table.
    ///
    /// # Errors
    /// It is not of AWS's form.
    pub fn parse(text: &str) -> Result<Self, YamlError> {
        let root = yaml::parse(text)?;
        let runtimes = root.get("runtimes").ok_or_else(|| YamlError::general("Missing required key: runtimes"))?;
        runtimes.map("runtimes")?.iter().map(runtime).collect::<Result<_, _>>().map(Self)
    }

    /// Chooses by a buildspec's `runtime-versions`; `variables` stand for what is written as `$NAME` there.
    ///
    /// # Errors
    /// A runtime or version that the image does not have.
    pub fn select(
        &self,
        wanted: &[(String, String)],
        variables: &BTreeMap<String, String>,
    ) -> Result<Selection, Unselectable> {
        let mut chosen = Chosen { lines: vec![], versions: vec![] };
        let selected = self.choose(&mut chosen, wanted, variables);
        let selected = selected.and_then(|()| self.depend(&mut chosen)).and_then(|()| chosen.commands());
        match selected {
            Ok(commands) => Ok(Selection { lines: chosen.lines, commands }),
            Err(message) => Err(Unselectable { lines: chosen.lines, message }),
        }
    }

    fn choose<'t>(
        &'t self,
        chosen: &mut Chosen<'t>,
        wanted: &[(String, String)],
        variables: &BTreeMap<String, String>,
    ) -> Result<(), String> {
        for (name, written) in wanted {
            let asked = expand(written, variables);
            let version = self.runtime(name).map(|runtime| runtime.find(&asked));
            if let Ok(Some(found)) = version
                && found.name != asked
            {
                chosen.say(format!("Resolved '{name}' runtime alias '{asked}' to '{}'.", found.name));
            }
            let resolved = version.clone().ok().flatten().map_or(asked.as_str(), |found| &found.name);
            chosen.say(format!("Selecting '{name}' runtime version '{resolved}' based on manual selections..."));
            chosen.take(name, version?.ok_or_else(|| self.unknown_version(name, &asked))?);
        }
        Ok(())
    }

    /// Chooses what the chosen ones require.
    fn depend<'t>(&'t self, chosen: &mut Chosen<'t>) -> Result<(), String> {
        let mut at = 0;
        while let Some((name, version)) = chosen.versions.get(at).cloned() {
            for (other, accepted) in &version.requires {
                if let Some(taken) = chosen.version(other).map(|taken| taken.name.clone()) {
                    if !accepted.contains(&taken) {
                        chosen.say(format!(
                            "Runtime '{name}' version '{}' has a dependency on runtime '{other}', but '{other}' version \
                             '{taken}' has already been manually selected. Not attempting to override.",
                            version.name
                        ));
                        return Err(conflict(&name, version, other, &taken, accepted));
                    }
                    continue;
                }
                let runtime = self.runtime(other)?;
                let first = accepted.iter().find_map(|accepted| runtime.find(accepted));
                let found = first.ok_or_else(|| self.unknown_version(other, &accepted.join(", ")))?;
                chosen.say(format!(
                    "Selecting '{other}' runtime version '{}' based on runtime dependency of '{name}'...",
                    found.name
                ));
                chosen.take(other, found);
            }
            at += 1;
        }
        Ok(())
    }

    fn runtime(&self, name: &str) -> Result<&Runtime, String> {
        self.0.iter().find(|runtime| runtime.name == name).ok_or_else(|| {
            let mut names: Vec<_> = self.0.iter().map(|runtime| runtime.name.as_str()).collect();
            names.sort_unstable();
            format!("Unknown runtime named '{name}'. This build image has the following runtimes: {}", names.join(", "))
        })
    }

    fn unknown_version(&self, name: &str, asked: &str) -> String {
        let runtime = self.0.iter().find(|runtime| runtime.name == name);
        let mut versions: Vec<_> = runtime.iter().flat_map(|runtime| &runtime.versions).collect();
        versions.sort_by(|left, right| order(&left.name, &right.name).then_with(|| left.name.cmp(&right.name)));
        let versions: Vec<_> = versions.iter().map(|version| version.name.as_str()).collect();
        format!(
            "Unknown runtime version named '{asked}' of {name}. This build image has the following versions: {}",
            versions.join(", ")
        )
    }
}

impl Runtime {
    /// The version that `asked` means: itself, `latest`, or the newest of `3.x`.
    fn find(&self, asked: &str) -> Option<&Version> {
        if let Some(exact) = self.versions.iter().find(|version| version.name == asked) {
            return Some(exact);
        }
        if asked == "latest" {
            return newest(self.versions.iter());
        }
        let major = asked.strip_suffix(".x")?;
        let within = |version: &&Version| {
            version.name.strip_prefix(major).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        newest(self.versions.iter().filter(within))
    }
}

/// The highest version; of those with the same numbers the one that the table has first.
fn newest<'t>(versions: impl Iterator<Item = &'t Version>) -> Option<&'t Version> {
    versions.reduce(|best, next| if order(&next.name, &best.name).is_gt() { next } else { best })
}

/// Compares the numbers in two versions: `corretto8` is before `corretto11`, 3.9 before 3.10.
fn order(left: &str, right: &str) -> Ordering {
    let numbers = |text: &str| -> Vec<u64> {
        let numbers = text.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty());
        numbers.map(|digits| digits.parse().unwrap_or(u64::MAX)).collect()
    };
    numbers(left).cmp(&numbers(right))
}

struct Chosen<'t> {
    lines: Vec<String>,
    versions: Vec<(String, &'t Version)>,
}

impl<'t> Chosen<'t> {
    fn say(&mut self, line: String) {
        self.lines.push(line);
    }

    fn take(&mut self, name: &str, version: &'t Version) {
        self.versions.push((name.to_owned(), version));
    }

    fn version(&self, name: &str) -> Option<&'t Version> {
        self.versions.iter().find(|(taken, _)| taken == name).map(|(_, version)| *version)
    }

    fn commands(&self) -> Result<Vec<String>, String> {
        let commands: Vec<_> = self.versions.iter().flat_map(|(_, version)| version.commands.clone()).collect();
        if commands.iter().map(String::len).sum::<usize>() > MOST_COMMANDS {
            return Err(format!("The commands of these runtimes have more than {MOST_COMMANDS} bytes"));
        }
        Ok(commands)
    }
}

fn conflict(name: &str, version: &Version, other: &str, taken: &str, accepted: &[String]) -> String {
    format!(
        "Runtime '{name}' version '{}' requires '{other}' version {}, but version '{taken}' is selected",
        version.name,
        accepted.iter().map(|version| format!("'{version}'")).collect::<Vec<_>>().join(" or ")
    )
}

/// A version with `$NAME` and `${NAME}` put in; names that are not there are empty, as in a shell.
fn expand(written: &str, variables: &BTreeMap<String, String>) -> String {
    let mut text = String::new();
    let mut rest = written;
    while let Some((before, after)) = rest.split_once('$') {
        text.push_str(before);
        let braced = after.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let end = after.find(|c: char| c != '_' && !c.is_ascii_alphanumeric()).unwrap_or(after.len());
        let (name, behind) = braced.unwrap_or_else(|| after.split_at(end));
        text.push_str(variables.get(name).map_or("", String::as_str));
        rest = behind;
    }
    text + rest
}

fn runtime((name, node): &(String, Located)) -> Result<Runtime, YamlError> {
    let versions = node.get("versions").map_or(Ok(&[][..]), |versions| versions.map("versions"))?;
    Ok(Runtime { name: name.clone(), versions: versions.iter().map(version).collect::<Result<_, _>>()? })
}

fn version((name, node): &(String, Located)) -> Result<Version, YamlError> {
    let requires = node.get("requires").map_or(Ok(&[][..]), |requires| requires.map("requires"))?;
    let requires = requires.iter().map(|(other, accepted)| Ok((other.clone(), accepted.texts("requires")?)));
    Ok(Version {
        name: name.clone(),
        requires: requires.collect::<Result<_, _>>()?,
        commands: node.get("commands").map_or(Ok(vec![]), |commands| commands.texts("commands"))?,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const IMAGE: &str = r#"
version: 0.1
runtimes:
  android:
    versions:
      28: {requires: {java: ["corretto8"]}, commands: [echo android 28]}
      29: {requires: {java: ["corretto8", "openjdk8"]}, commands: [echo android 29]}
  java:
    versions:
      corretto8:
        commands: [export JAVA_HOME="$JAVA_8_HOME"]
      corretto11:
        commands:
          - echo "Installing Java version 11 ..."
          - export JAVA_HOME="$JAVA_11_HOME"
      openjdk11: {commands: [echo openjdk]}
  python:
    versions:
      3.9: {commands: [pyenv 3.9]}
      3.10: {commands: [pyenv 3.10]}
      2.7: {commands: [pyenv 2.7]}
  nodejs:
    versions:
      18:
      20: {commands: [n 20]}
"#;

    fn select(wanted: &[(&str, &str)]) -> Result<Selection, Unselectable> {
        let wanted: Vec<_> = wanted.iter().map(|(name, version)| ((*name).into(), (*version).into())).collect();
        let variables = BTreeMap::from([("NODE".to_owned(), "20".to_owned()), ("MINOR".to_owned(), "9".to_owned())]);
        Runtimes::parse(IMAGE).unwrap().select(&wanted, &variables)
    }

    #[test]
    fn a_version_is_itself_the_latest_or_the_newest_of_its_major() {
        for (name, asked, found) in [
            ("python", "3.10", "pyenv 3.10"),
            ("python", "3.x", "pyenv 3.10"),
            ("python", "latest", "pyenv 3.10"),
            ("python", "2.x", "pyenv 2.7"),
            ("python", "3.$MINOR", "pyenv 3.9"),
            ("nodejs", "20.x", "n 20"),
            ("nodejs", "$NODE", "n 20"),
            ("nodejs", "${NODE}.x", "n 20"),
            ("java", "corretto8.x", "export JAVA_HOME=\"$JAVA_8_HOME\""),
            ("java", "openjdk11", "echo openjdk"),
            ("java", "latest", "echo \"Installing Java version 11 ...\""),
        ] {
            let selection = select(&[(name, asked)]).unwrap();
            assert_eq!(selection.commands.first().map(String::as_str), Some(found), "{name}: {asked}");
        }
        assert_eq!(select(&[("nodejs", "18")]).unwrap().commands, Vec::<String>::new());
    }

    #[test]
    fn the_log_says_what_was_chosen_as_aws_does() {
        assert_eq!(
            select(&[("nodejs", "20"), ("python", "3.x")]).unwrap().lines,
            [
                "Selecting 'nodejs' runtime version '20' based on manual selections...",
                "Resolved 'python' runtime alias '3.x' to '3.10'.",
                "Selecting 'python' runtime version '3.10' based on manual selections...",
            ]
        );
    }

    #[test]
    fn what_the_image_lacks_is_named_with_what_it_has() {
        for (name, asked, message) in [
            (
                "nodejs",
                "15",
                "Unknown runtime version named '15' of nodejs. This build image has the following versions: 18, 20",
            ),
            (
                "python",
                "3",
                "Unknown runtime version named '3' of python. This build image has the following versions: 2.7, 3.9, 3.10",
            ),
            (
                "python",
                "$NOTHING",
                "Unknown runtime version named '' of python. This build image has the following versions: 2.7, 3.9, 3.10",
            ),
            (
                "docker",
                "20",
                "Unknown runtime named 'docker'. This build image has the following runtimes: android, java, nodejs, python",
            ),
        ] {
            let error = select(&[(name, asked)]).unwrap_err();
            assert_eq!(error.message, message);
            assert!(error.lines[0].starts_with(&format!("Selecting '{name}'")), "{error:?}");
        }
    }

    #[test]
    fn what_a_runtime_requires_comes_with_it() {
        let both = select(&[("android", "29")]).unwrap();
        assert_eq!(both.commands, ["echo android 29", "export JAVA_HOME=\"$JAVA_8_HOME\""]);
        assert!(both.lines[1].contains("'java' runtime version 'corretto8'"), "{both:?}");
        assert!(select(&[("java", "corretto8"), ("android", "28")]).is_ok());
        let error = select(&[("android", "latest"), ("java", "corretto11")]).unwrap_err();
        assert_eq!(
            error.lines.last().unwrap(),
            "Runtime 'android' version '29' has a dependency on runtime 'java', but 'java' version 'corretto11' has already \
             been manually selected. Not attempting to override."
        );
        assert!(error.message.contains("requires 'java' version 'corretto8' or 'openjdk8'"), "{error}");
    }

    #[test]
    fn a_table_of_another_form_is_refused() {
        for (text, part) in [
            ("version: 0.1", "Missing required key: runtimes"),
            ("runtimes: [a]", "Expected runtimes to be a mapping"),
            ("runtimes: {a: {versions: 3}}", "Expected versions to be a mapping"),
            ("runtimes: {a: {versions: {1: {commands: [{b: c}]}}}}", "Expected commands[0]"),
            ("\t", ""),
        ] {
            let error = Runtimes::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        assert_eq!(
            Runtimes::parse("runtimes: {a: }").unwrap(),
            Runtimes(vec![Runtime { name: "a".into(), versions: vec![] }])
        );
    }

    #[test]
    fn commands_are_bounded() {
        let table = format!("runtimes: {{a: {{versions: {{1: {{commands: [{}]}}}}}}}}", "x".repeat(MOST_COMMANDS + 1));
        let error = Runtimes::parse(&table).unwrap().select(&[("a".into(), "1".into())], &BTreeMap::new()).unwrap_err();
        assert!(error.message.contains("more than 16384 bytes"), "{error}");
    }

    proptest! {
        #[test]
        fn latest_is_never_older_than_another(versions in prop::collection::btree_set("[0-9]{1,2}(\\.[0-9]{1,2})?", 1..6)) {
            let runtime = Runtime {
                name: "a".into(),
                versions: versions.iter().map(|name| Version { name: name.clone(), requires: vec![], commands: vec![] }).collect(),
            };
            let latest = runtime.find("latest").unwrap();
            prop_assert!(versions.iter().all(|version| order(version, &latest.name).is_le()));
            for version in &versions {
                prop_assert_eq!(&runtime.find(version).unwrap().name, version);
                let major = version.split('.').next().unwrap();
                let within = runtime.find(&format!("{major}.x")).unwrap();
                prop_assert!(order(version, &within.name).is_le());
            }
        }

        #[test]
        fn no_version_that_is_asked_for_makes_trouble(asked in ".*") {
            let _ = select(&[("python", &asked)]);
        }
    }
}
