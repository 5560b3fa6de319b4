//! The variables that a build is given by the command line.

use crate::exit::user_error;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// The largest file of variables, in bytes.
const LARGEST_FILE: u64 = 1024 * 1024;

/// A variable of the command line. Its value is in no `Debug` output.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Given {
    name: String,
    /// Absent where this process's own environment has it.
    value: Option<String>,
}

impl fmt::Debug for Given {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Given").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Reads `NAME=VALUE` or `NAME`.
///
/// # Errors
/// A sentence, without the value, which may be a secret.
pub(crate) fn given(text: &str) -> Result<Given, String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    };
    let first = |character: char| character.is_ascii_alphabetic() || character == '_';
    let named = name.starts_with(first) && name.chars().all(|character| first(character) || character.is_ascii_digit());
    if !named {
        return Err("the name must be letters, digits and _, for example STAGE=test".to_owned());
    }
    if name.starts_with("CODEBUILD_") {
        return Err(format!("{name}: names that begin with CODEBUILD_ are CodeBuild's own"));
    }
    Ok(Given { name: name.to_owned(), value })
}

/// All variables: the files' in their order, then those of the command line.
///
/// # Errors
/// The user's: a file that cannot be read, a line that is none, a variable that this shell does not have.
pub(crate) fn all(
    files: &[PathBuf],
    line: &[Given],
    own: &dyn Fn(&str) -> Option<String>,
) -> anyhow::Result<BTreeMap<String, String>> {
    let mut all = Vec::new();
    for file in files {
        all.extend(read_file(file)?);
    }
    all.extend(line.iter().cloned());
    let value = |Given { name, value }: Given| match value.or_else(|| own(&name)) {
        Some(value) => Ok((name, value)),
        None => Err(user_error(format!("--env {name}: this shell has no variable {name}; give {name}=VALUE"))),
    };
    all.into_iter().map(value).collect()
}

fn read_file(path: &Path) -> anyhow::Result<Vec<Given>> {
    let wrong = |what: String| user_error(format!("--env-file {}: {what}", path.display()));
    let size = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?.len();
    if size > LARGEST_FILE {
        return Err(wrong(format!("{size} bytes are more than a file of variables has")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    lines(&text).map_err(|(number, what)| wrong(format!("line {number}: {what}")))
}

/// `NAME=VALUE` lines; empty ones and those that begin with `#` say nothing, `export` before a name and quotes around a
/// value are left away.
fn lines(text: &str) -> Result<Vec<Given>, (usize, String)> {
    let meant = |line: &str| !line.is_empty() && !line.starts_with('#');
    let numbered = (1..).zip(text.lines().map(str::trim)).filter(|(_, line)| meant(line));
    numbered.map(|(number, line)| variable(line).map_err(|what| (number, what))).collect()
}

fn variable(line: &str) -> Result<Given, String> {
    let variable = given(line.strip_prefix("export ").unwrap_or(line).trim_start())?;
    let value = variable.value.map(|value| {
        let quoted = |quote| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
        quoted('"').or_else(|| quoted('\'')).unwrap_or(&value).to_owned()
    });
    Ok(Given { value, ..variable })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn pairs(given: &[Given]) -> Vec<(&str, Option<&str>)> {
        given.iter().map(|given| (given.name.as_str(), given.value.as_deref())).collect()
    }

    #[test]
    fn a_variable_has_a_name_and_perhaps_a_value() {
        for (text, value) in [("A=1", Some("1")), ("A=", Some("")), ("A=b=c", Some("b=c")), ("A", None)] {
            assert_eq!(pairs(&[given(text).unwrap()]), [("A", value)], "{text}");
        }
        for text in ["", "=secret", "1A=secret", "A-B=secret", "CODEBUILD_SRC_DIR=secret"] {
            assert!(!given(text).unwrap_err().contains("secret"), "{text}");
        }
    }

    #[test]
    fn a_file_is_read_as_shells_and_docker_write_them() {
        let read = lines("# mine\n\nA=1\nexport B=\"two words\"\n C='3' \nD=\"\nE\n").unwrap();
        let expected = [("A", Some("1")), ("B", Some("two words")), ("C", Some("3")), ("D", Some("\"")), ("E", None)];
        assert_eq!(pairs(&read), expected);
        assert_eq!(lines("A=1\nno name=secret").unwrap_err().0, 2);
    }

    #[test]
    fn the_line_outweighs_files_and_a_lone_name_is_this_shells() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("env");
        std::fs::write(&file, "A=file\nB=file\n").unwrap();
        let own = |name: &str| (name == "TOKEN").then(|| "hunter2".to_owned());
        let line = [given("B=line").unwrap(), given("TOKEN").unwrap()];
        let all = all(&[file], &line, &own).unwrap();
        assert_eq!(all["A"], "file");
        assert_eq!((all["B"].as_str(), all["TOKEN"].as_str()), ("line", "hunter2"));
        let error = super::all(&[], &[given("NONE").unwrap()], &own).unwrap_err();
        assert!(error.to_string().contains("NONE=VALUE"), "{error}");
        assert!(!format!("{:?}", given("A=hunter2").unwrap()).contains("hunter2"));
    }
}
