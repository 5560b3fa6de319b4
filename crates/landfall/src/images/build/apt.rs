//! Where the machine's own apt gets its packages, for an image of the same suite: sources.list(5), in both forms.

use std::fs;
use std::path::Path;

/// What follows a suite's name in the names of its updates.
const UPDATES: [&str; 4] = ["", "-updates", "-security", "/updates"];

/// A file of sources.
#[derive(Debug)]
pub(super) struct SourceFile {
    /// It is in paragraphs (`.sources`), not in lines (`.list`).
    pub(super) paragraphs: bool,
    pub(super) text: String,
}

/// One archive with one suite.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Source {
    options: String,
    uri: String,
    suite: String,
    components: String,
}

/// The machine's files of sources; none where it has no apt.
pub(super) fn files(folder: &Path) -> Vec<SourceFile> {
    let parts = fs::read_dir(folder.join("sources.list.d")).into_iter().flatten().filter_map(Result::ok);
    let mut paths: Vec<_> = parts.map(|entry| entry.path()).collect();
    paths.sort();
    paths.insert(0, folder.join("sources.list"));
    let read = |path: &std::path::PathBuf| {
        let extension = path.extension()?.to_str()?;
        let paragraphs = extension == "sources";
        (paragraphs || extension == "list")
            .then(|| Some(SourceFile { paragraphs, text: fs::read_to_string(path).ok()? }))?
    };
    paths.iter().filter_map(read).collect()
}

/// The lines of a sources.list for `suite`: those of the machine's sources that are of it, in their order. Empty where the
/// suite itself is not among them.
pub(super) fn lines(files: &[SourceFile], suite: &str) -> Vec<String> {
    let sources =
        files.iter().flat_map(|file| if file.paragraphs { paragraphs(&file.text) } else { one_line(&file.text) });
    let ours = |source: &Source| {
        let web = source.uri.starts_with("http://") || source.uri.starts_with("https://");
        web && source.suite.strip_prefix(suite).is_some_and(|rest| UPDATES.contains(&rest))
    };
    let found: Vec<_> = sources.filter(ours).collect();
    if !found.iter().any(|source| source.suite == suite) {
        return vec![];
    }
    let mut lines: Vec<String> = Vec::new();
    for source in found {
        let line = format!("deb {}{} {} {}", source.options, source.uri, source.suite, source.components);
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

/// The machine's own suite, where it is a Debian: what /etc/os-release names.
pub(super) fn own_suite(os_release: &str) -> Option<&str> {
    let value = |key: &str| {
        let line = os_release.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.map(|value| value.trim_matches('"'))
    };
    (value("ID") == Some("debian")).then(|| value("VERSION_CODENAME"))?.filter(|name| !name.is_empty())
}

fn one_line(text: &str) -> Vec<Source> {
    text.lines().filter_map(|line| source(line.split('#').next().unwrap_or_default())).collect()
}

fn source(line: &str) -> Option<Source> {
    let rest = line.trim().strip_prefix("deb")?.strip_prefix([' ', '\t'])?.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(inner) => inner.split_once(']').map(|(options, rest)| (format!("[{}] ", options.trim()), rest))?,
        None => (String::new(), rest),
    };
    let mut words = rest.split_whitespace().map(str::to_owned);
    let (uri, suite) = (words.next()?, words.next()?);
    Some(Source { options, uri, suite, components: words.collect::<Vec<_>>().join(" ") })
}

fn paragraphs(text: &str) -> Vec<Source> {
    let without_comments: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    without_comments.split(|line| line.trim().is_empty()).flat_map(paragraph).collect()
}

fn paragraph(lines: &[&str]) -> Vec<Source> {
    let field = |name: &str| {
        let at = lines.iter().position(|line| {
            line.split_once(':')
                .is_some_and(|(key, _)| key.eq_ignore_ascii_case(name) && !line.starts_with([' ', '\t']))
        })?;
        let more = lines[at + 1..].iter().take_while(|line| line.starts_with([' ', '\t']));
        let first = lines[at].split_once(':').map(|(_, value)| value)?;
        Some(std::iter::once(first).chain(more.copied()).collect::<Vec<_>>().join(" ").trim().to_owned())
    };
    let words = |name: &str| field(name).unwrap_or_default().split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let enabled = !field("Enabled").is_some_and(|value| value.eq_ignore_ascii_case("no"));
    if !enabled || !words("Types").iter().any(|kind| kind == "deb") {
        return vec![];
    }
    let mut options = vec![];
    // A key that stands in the file itself cannot be written in one line.
    options.extend(field("Signed-By").filter(|file| file.starts_with('/')).map(|file| format!("signed-by={file}")));
    options.extend(field("Trusted").map(|value| format!("trusted={value}")));
    let options = if options.is_empty() { String::new() } else { format!("[{}] ", options.join(" ")) };
    let (suites, components) = (words("Suites"), words("Components").join(" "));
    let of_uri = |uri: String| {
        let source = Source { options: options.clone(), uri, suite: String::new(), components: components.clone() };
        suites.clone().into_iter().map(move |suite| Source { suite, ..source.clone() })
    };
    words("URIs").into_iter().flat_map(of_uri).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PARAGRAPHS: &str = "\
Types: deb deb-src
# A comment within.
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
 contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://mirror.example/debian
Suites: bookworm
Components: non-free

Types: deb-src
URIs: http://mirror.example/sources
Suites: bookworm
Components: main

Types: deb
URIs: https://vendor.example/node
Suites: nodistro
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
";
    const LINES: &str = "\
deb http://mirror.example/debian bookworm main # with a comment
deb-src http://mirror.example/debian bookworm main
deb [ signed-by=/k.gpg arch=amd64 ] https://mirror.example/debian bookworm main contrib
deb http://mirror.example/debian bookworm-backports main
deb cdrom:[Debian]/ bookworm main
deb https://vendor.example/ cloud-bookworm main
deb http://mirror.example/debian bookworm main
nonsense
";

    fn of(paragraphs: bool, text: &str, suite: &str) -> Vec<String> {
        lines(&[SourceFile { paragraphs, text: text.to_owned() }], suite)
    }

    #[test]
    fn both_forms_are_read_and_only_the_suites_own_archives_are_taken() {
        let key = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ";
        assert_eq!(
            of(true, PARAGRAPHS, "bookworm"),
            [
                format!("deb {key}http://mirror.example/debian bookworm main contrib"),
                format!("deb {key}http://mirror.example/debian bookworm-updates main contrib"),
                "deb http://mirror.example/debian-security bookworm-security main".to_owned(),
            ]
        );
        assert_eq!(
            of(false, LINES, "bookworm"),
            [
                "deb http://mirror.example/debian bookworm main",
                "deb [signed-by=/k.gpg arch=amd64] https://mirror.example/debian bookworm main contrib",
            ]
        );
        assert_eq!(of(true, PARAGRAPHS, "trixie"), Vec::<String>::new());
        assert_eq!(of(false, "deb http://a.example/ trixie-updates main", "trixie"), Vec::<String>::new());
    }

    #[test]
    fn a_machines_files_are_found() {
        let folder = tempfile::tempdir().unwrap();
        assert!(files(folder.path()).is_empty());
        std::fs::create_dir(folder.path().join("sources.list.d")).unwrap();
        for (name, text) in [
            ("sources.list", LINES),
            ("sources.list.d/debian.sources", PARAGRAPHS),
            ("sources.list.d/old.list.save", LINES),
        ] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let found = files(folder.path());
        assert_eq!(found.iter().map(|file| file.paragraphs).collect::<Vec<_>>(), [false, true]);
    }

    #[test]
    fn the_own_suite_is_debians_alone() {
        assert_eq!(own_suite("ID=debian\nVERSION_CODENAME=bookworm\n"), Some("bookworm"));
        assert_eq!(own_suite("ID=\"debian\"\nVERSION_CODENAME=\"trixie\"\n"), Some("trixie"));
        assert_eq!(own_suite("ID=ubuntu\nVERSION_CODENAME=noble\n"), None);
        assert_eq!(own_suite("ID=debian\n"), None);
    }

    proptest! {
        #[test]
        fn no_file_makes_trouble(text in "(deb|URIs:|Suites:| |\\[|\\]|http://a|b|\n|#|:){0,40}") {
            let _ = (of(true, &text, "b"), of(false, &text, "b"));
        }
    }
}
