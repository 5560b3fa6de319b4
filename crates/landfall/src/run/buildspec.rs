//! The buildspec, found and read before anything is started: what is wrong with it is said at once, by line.

use super::source::Source;
use crate::exit::user_error;
use codebuild::rules::buildspec::Buildspec as Parsed;
use std::path::{Path, PathBuf};

/// The name that CodeBuild looks for.
pub(crate) const USUAL: &str = "buildspec.yml";
/// The largest that is read, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// A buildspec that parses.
#[derive(Debug)]
pub(crate) struct Buildspec {
    /// The file, as the user finds it.
    pub(crate) place: String,
    /// The project's `source.buildspec`: the path in the source, or where it is not in there the text itself.
    pub(crate) member: String,
    pub(crate) text: String,
    pub(crate) parsed: Parsed,
}

impl Buildspec {
    /// Finds and reads the buildspec of a source; `named` is seen from the source, then from here.
    ///
    /// # Errors
    /// The user's: there is none, or it is wrong, with its line.
    pub(crate) fn find(source: &Source, named: Option<&Path>) -> anyhow::Result<Self> {
        let (path, inside) = locate(source, named)?;
        let place = match &inside {
            Some(inside) => source.named.join(inside).display().to_string(),
            None => path.display().to_string(),
        };
        let place = place.strip_prefix("./").unwrap_or(&place).to_owned();
        let text = read(&path, &place)?;
        let parsed = Parsed::parse(&text).map_err(|error| user_error(explain(&place, &text, &error)))?;
        Ok(Self { member: inside.unwrap_or_else(|| text.clone()), place, text, parsed })
    }

    /// The line of a command, counted from 1, where it is plain to see.
    pub(crate) fn line_of(&self, command: &str) -> Option<usize> {
        line_of(&self.text, command)
    }
}

/// The file, and its path in the source where builds find it there.
fn locate(source: &Source, named: Option<&Path>) -> anyhow::Result<(PathBuf, Option<String>)> {
    let root = &source.tree.root;
    let wanted = named.unwrap_or(Path::new(USUAL));
    let candidates = [root.join(wanted), wanted.to_owned()];
    let found = candidates.iter().take(if named.is_some() { 2 } else { 1 }).find(|path| path.is_file());
    let Some(found) = found else { return Err(missing(source, wanted)) };
    let found = found.canonicalize()?;
    let inside = found.strip_prefix(root).ok().and_then(Path::to_str).map(str::to_owned);
    let inside = inside.filter(|inside| source.tree.entries.iter().any(|entry| entry.name == Path::new(inside)));
    Ok((found, inside))
}

fn read(path: &Path, place: &str) -> anyhow::Result<String> {
    let size = path.metadata()?.len();
    if size > LARGEST {
        return Err(user_error(format!("{place}: {size} bytes are more than a buildspec may have, {LARGEST}")));
    }
    let bytes = std::fs::read(path).map_err(|error| user_error(format!("{place}: {error}")))?;
    String::from_utf8(bytes).map_err(|_| user_error(format!("{place} is not UTF-8 text")))
}

fn missing(source: &Source, wanted: &Path) -> anyhow::Error {
    let others = source.tree.entries.iter().map(|entry| &entry.name).filter(|name| looks_like_one(name));
    let others: Vec<_> = others.take(3).map(|name| name.display().to_string()).collect();
    let next = if others.is_empty() {
        "It says what a build runs, for example\n\n  version: 0.2\n  phases:\n    build:\n      commands:\n        - \
         make test\n\nWrite one, or name another file with --buildspec."
            .to_owned()
    } else {
        format!("Name the one to use: --buildspec {}", others.join(" or --buildspec "))
    };
    let place = if source.named == Path::new(".") { "here".into() } else { format!("in {}", source.named.display()) };
    user_error(format!("there is no {} {place}. {next}", wanted.display()))
}

fn looks_like_one(name: &Path) -> bool {
    let file = name.file_name().and_then(|file| file.to_str()).unwrap_or_default();
    file.contains("buildspec") && [".yml", ".yaml", ".json"].iter().any(|end| file.ends_with(end))
}

/// `buildspec.yml:7:5: what`, and the line.
fn explain(place: &str, text: &str, error: &codebuild::rules::yaml::YamlError) -> String {
    let (line, column, message) = (error.line, error.column, &error.message);
    if line == 0 {
        return format!("{place}: {message}");
    }
    let at = usize::try_from(line).unwrap_or_default();
    let shown = text.lines().nth(at.saturating_sub(1)).unwrap_or_default();
    format!("{place}:{line}:{column}: {message}\n  {line:>4} | {}", crate::terminal::printable(shown))
}

/// The one line that holds the command's first line.
fn line_of(text: &str, command: &str) -> Option<usize> {
    let first = command.lines().map(str::trim).find(|line| !line.is_empty())?;
    let mut lines = (1..).zip(text.lines()).filter(|(_, line)| line.contains(first)).map(|(number, _)| number);
    let number = lines.next()?;
    lines.next().is_none().then_some(number)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::tree::Choice;
    use super::*;

    const GOOD: &str =
        "version: 0.2\nphases:\n  build:\n    commands:\n      - make test\n      - |\n        echo a\n        false\n";

    fn source(files: &[(&str, &str)]) -> (tempfile::TempDir, Source) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let source = Source::as_it_is(folder.path(), &Choice::default()).unwrap();
        (folder, source)
    }

    #[test]
    fn one_in_the_source_is_a_path_and_one_outside_is_its_text() {
        let (_folder, here) = source(&[("buildspec.yml", GOOD), ("ci/other.yml", GOOD)]);
        assert_eq!(Buildspec::find(&here, None).unwrap().member, USUAL);
        let (_elsewhere, there) = source(&[("buildspec.yml", GOOD)]);
        let named = Buildspec::find(&here, Some(Path::new("ci/other.yml"))).unwrap();
        assert_eq!(named.member, "ci/other.yml");
        let outside = there.tree.root.join(USUAL);
        assert_eq!(Buildspec::find(&here, Some(&outside)).unwrap().member, GOOD);
    }

    #[test]
    fn none_says_what_to_do() {
        let (_folder, none) = source(&[]);
        let error = Buildspec::find(&none, None).unwrap_err().to_string();
        assert!(error.contains("version: 0.2") && error.contains("--buildspec"), "{error}");
        let (_folder, other) = source(&[("ci/buildspec-test.yaml", GOOD)]);
        let error = Buildspec::find(&other, None).unwrap_err().to_string();
        assert!(error.contains("--buildspec ci/buildspec-test.yaml"), "{error}");
    }

    #[test]
    fn what_is_wrong_is_said_by_line() {
        let wrong = "version: 0.2\nphases:\n  biuld:\n    commands: [make]\n";
        let (_folder, source) = source(&[("buildspec.yml", wrong)]);
        let error = Buildspec::find(&source, None).unwrap_err().to_string();
        assert!(error.contains("buildspec.yml:4:"), "{error}");
        assert!(error.contains("biuld") && error.contains("   4 |     commands: [make]"), "{error}");
    }

    #[test]
    fn commands_are_found_where_they_are_plain_to_see() {
        for (command, line) in
            [("make test", Some(5)), ("echo a\nfalse\n", Some(7)), ("make", Some(5)), ("nothing", None), ("", None)]
        {
            assert_eq!(line_of(GOOD, command), line, "{command:?}");
        }
        assert_eq!(line_of("a\na\n", "a"), None);
    }
}
