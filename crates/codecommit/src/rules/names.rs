//! Names of repositories and branches.

use kernel::names::Rule;

/// The longest repository name and the letters besides digits and ASCII letters.
const REPOSITORY: Rule = Rule { length: 1..=100, besides: "_.-" };

/// What is wrong with a repository's name, if anything.
pub(crate) fn repository(name: &str) -> Result<(), String> {
    REPOSITORY.check(name).map_err(|error| format!("The repository name {error}."))?;
    match name {
        "." | ".." => Err("The repository name must hold more than dots.".to_owned()),
        _ if name.ends_with(".git") => Err("The repository name must not end with .git.".to_owned()),
        _ => Ok(()),
    }
}

/// What is wrong with a branch's name, if anything: the rules of `git check-ref-format --branch`.
pub(crate) fn branch(name: &str) -> Result<(), String> {
    let parts_are_good =
        name.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock"));
    let bad_letter = |letter: char| letter.is_control() || " ~^:?*[\\".contains(letter);
    let good = (1..=256).contains(&name.len())
        && parts_are_good
        && !name.contains(bad_letter)
        && !["..", "@{"].iter().any(|bad| name.contains(bad))
        && !name.ends_with('.')
        && !name.starts_with('-')
        && name != "@"
        && name != "HEAD";
    if good { Ok(()) } else { Err("The branch name is not a valid Git reference name of 1 to 256 bytes.".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repository_names() {
        let long = "x".repeat(101);
        let table =
            [("hello-service", true), ("a.b_c", true), ("", false), ("x.git", false), ("a b", false), (&long, false)];
        for (name, good) in table.into_iter().chain([("..", false), ("a/b", false)]) {
            assert_eq!(repository(name).is_ok(), good, "{name}");
        }
    }

    #[test]
    fn branch_names() {
        for good in ["main", "feature/x", "größe", "v1.0", "a@b"] {
            assert_eq!(branch(good), Ok(()), "{good}");
        }
        for bad in
            ["", "-x", "a..b", "a b", "/a", "a/", "a//b", ".a", "a.lock", "a.", "@", "a@{1}", "HEAD", "a\nb", "a:b"]
        {
            assert!(branch(bad).is_err(), "{bad}");
        }
    }
}
