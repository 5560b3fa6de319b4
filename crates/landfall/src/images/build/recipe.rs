//! What is in the standard image: `packaging/images/standard/recipe.toml`, and which of its parts were asked for.

use serde::Deserialize;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

const STANDARD: &str = include_str!("../../../../../packaging/images/standard/recipe.toml");

/// The recipe of an image.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipe {
    base: Base,
    part: Vec<Part>,
}

/// What is in the image in any case.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Base {
    pub(super) about: String,
    pub(super) packages: Vec<String>,
    #[serde(default)]
    pub(super) setup: String,
}

/// Something that one may want in an image or not.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    pub(super) name: String,
    #[serde(default)]
    pub(super) aliases: Vec<String>,
    pub(super) about: String,
    #[serde(default)]
    pub(super) optional: bool,
    #[serde(default)]
    pub(super) needs: Vec<String>,
    pub(super) packages: Vec<String>,
    #[serde(default)]
    pub(super) environment: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) setup: String,
    pub(super) runtime: Option<Runtime>,
}

/// What a buildspec's `runtime-versions` can ask for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Runtime {
    pub(super) title: String,
    /// A shell command that prints the version.
    pub(super) version: String,
    #[serde(default = "as_printed")]
    pub(super) names: Vec<String>,
    #[serde(default)]
    pub(super) commands: Vec<String>,
}

fn as_printed() -> Vec<String> {
    vec!["{}".to_owned()]
}

/// An image as it was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Order<'r> {
    pub(super) base: &'r Base,
    pub(super) parts: Vec<&'r Part>,
}

impl Recipe {
    /// The one that this program has with it.
    pub(super) fn standard() -> anyhow::Result<Self> {
        Ok(toml::from_str(STANDARD)?)
    }

    /// The parts that are wanted, with what they need, in the recipe's order: those of `with` (`all`, `none` or names), else
    /// all that are not optional; less those of `without`.
    ///
    /// # Errors
    /// A sentence, where there is no such part or one that is left out is needed.
    pub(super) fn order(&self, with: &[String], without: &[String]) -> Result<Order<'_>, String> {
        let without =
            without.iter().map(|name| Ok(self.part(name)?.name.as_str())).collect::<Result<BTreeSet<_>, String>>()?;
        let mut wanted: BTreeSet<&str> = match with {
            [] => self.part.iter().filter(|part| !part.optional).map(|part| part.name.as_str()).collect(),
            [all] if all == "all" => self.part.iter().map(|part| part.name.as_str()).collect(),
            [none] if none == "none" => BTreeSet::new(),
            names => names.iter().map(|name| Ok(self.part(name)?.name.as_str())).collect::<Result<_, String>>()?,
        };
        wanted.retain(|name| !without.contains(name));
        for part in self.part.iter().filter(|part| wanted.contains(part.name.as_str())) {
            if let Some(needed) = part.needs.iter().find(|needed| without.contains(needed.as_str())) {
                return Err(format!("{} needs {needed}: leave out both (--without {needed},{})", part.name, part.name));
            }
        }
        let needed: Vec<_> =
            self.part.iter().filter(|part| wanted.contains(part.name.as_str())).flat_map(|part| &part.needs).collect();
        wanted.extend(needed.into_iter().map(String::as_str));
        let parts = self.part.iter().filter(|part| wanted.contains(part.name.as_str())).collect();
        Ok(Order { base: &self.base, parts })
    }

    fn part(&self, name: &str) -> Result<&Part, String> {
        let called = |part: &&Part| part.name == name || part.aliases.iter().any(|alias| alias == name);
        self.part.iter().find(called).ok_or_else(|| {
            let names: Vec<_> = self.part.iter().map(|part| part.name.as_str()).collect();
            format!("there is no part {name:?}; there are {}", names.join(", "))
        })
    }

    /// The parts with what they are, for people.
    pub(super) fn lines(&self) -> Vec<String> {
        let width = self.part.iter().map(|part| part.name.len()).max().unwrap_or_default();
        let mut lines = vec![format!("  {:width$}  {} (always)", "", self.base.about)];
        lines.extend(self.part.iter().map(|part| {
            let optional = if part.optional { " (only when asked for)" } else { "" };
            format!("  {:width$}  {}{optional}", part.name, part.about)
        }));
        lines
    }

    /// The parts with what they are, for programs.
    pub(super) fn json(&self) -> serde_json::Result<String> {
        let part = |part: &Part| json!({"name": part.name, "about": part.about, "usual": !part.optional});
        serde_json::to_string_pretty(&self.part.iter().map(part).collect::<Vec<_>>())
    }
}

impl Order<'_> {
    /// All packages, in order, each once.
    pub(super) fn packages(&self) -> BTreeSet<&str> {
        self.parts.iter().flat_map(|part| &part.packages).chain(&self.base.packages).map(String::as_str).collect()
    }

    /// The image's environment.
    pub(super) fn environment(&self) -> Vec<(String, String)> {
        const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        let always = [("PATH", PATH), ("LANG", "C.UTF-8")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        always.into_iter().chain(self.parts.iter().flat_map(|part| part.environment.clone())).collect()
    }

    /// The names of its parts.
    pub(super) fn names(&self) -> Vec<&str> {
        self.parts.iter().map(|part| part.name.as_str()).collect()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn names(with: &[&str], without: &[&str]) -> Result<Vec<String>, String> {
        let recipe = Recipe::standard().unwrap();
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let order = recipe.order(&owned(with), &owned(without))?;
        Ok(order.names().into_iter().map(str::to_owned).collect())
    }

    #[test]
    fn one_gets_the_parts_that_one_asks_for() {
        for (with, without, expected) in [
            (&[][..], &[][..], &["tools", "gcc", "python", "nodejs", "java", "aws", "docker"][..]),
            (&["none"], &[], &[]),
            (&["java", "node"], &[], &["nodejs", "java"]),
            (&["aws"], &[], &["python", "aws"]),
            (&[], &["java", "docker", "node"], &["tools", "gcc", "python", "aws"]),
            (&["go"], &["java"], &["golang"]),
        ] {
            assert_eq!(names(with, without).unwrap(), expected, "{with:?} {without:?}");
        }
        assert!(names(&["all"], &[]).unwrap().len() > names(&[], &[]).unwrap().len());
    }

    #[test]
    fn what_cannot_be_is_said_with_what_can() {
        assert!(names(&["cobol"], &[]).unwrap_err().contains("there are tools, gcc, python"));
        assert!(names(&[], &["cobol"]).unwrap_err().contains("\"cobol\""));
        assert!(names(&[], &["python"]).unwrap_err().contains("--without python,aws"));
    }

    #[test]
    fn the_recipe_is_whole() {
        let recipe = Recipe::standard().unwrap();
        for part in &recipe.part {
            assert!(part.needs.iter().all(|needed| recipe.part(needed).is_ok()), "{}", part.name);
            assert!(
                part.runtime.iter().flat_map(|runtime| &runtime.names).all(|name| name.contains("{}")),
                "{}",
                part.name
            );
            assert!(part.packages.is_sorted(), "{}", part.name);
        }
        let order = recipe.order(&[], &[]).unwrap();
        assert!(order.packages().contains("git") && order.packages().contains("python3-venv"));
        assert!(order.environment().iter().any(|(name, _)| name == "JAVA_HOME"));
        assert_eq!(recipe.lines().len(), recipe.part.len() + 1);
    }

    #[test]
    fn the_aws_command_line_is_the_one_that_the_tests_use() {
        let pinned = include_str!("../../../../../tests/requirements.txt");
        let version = pinned.lines().find(|line| line.starts_with("awscli==")).unwrap();
        let recipe = Recipe::standard().unwrap();
        assert!(recipe.part("aws").unwrap().setup.contains(version), "{version}");
    }
}
