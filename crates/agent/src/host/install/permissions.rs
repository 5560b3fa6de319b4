//! The appspec's `permissions`: which owners and modes which files get.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use fast_glob::glob_match;

use super::plan::Step;
use crate::host::appspec::{Kind, Permission};

const EVERYTHING: &str = "**";

/// Steps for all permissions, given the steps that make the files.
///
/// # Errors
/// A file with a pattern, or one object twice.
pub(super) fn steps(permissions: &[Permission], copies: &[Step]) -> Result<Vec<Step>, String> {
    let mut steps = vec![];
    let mut set = BTreeSet::new();
    for permission in permissions {
        for path in matches(permission, copies)? {
            if !set.insert(path.clone()) {
                return Err(format!(
                    "The deployment failed because the permissions setting for {} is specified more than once in the application specification file.",
                    path.display()
                ));
            }
            steps.extend(owner(permission, &path));
            steps.extend(mode(permission, &path));
        }
    }
    Ok(steps)
}

fn owner(permission: &Permission, file: &Path) -> Option<Step> {
    let (owner, group) = (permission.owner.clone(), permission.group.clone());
    (owner.is_some() || group.is_some()).then(|| Step::Chown { owner, group, file: file.to_owned() })
}

fn mode(permission: &Permission, file: &Path) -> Option<Step> {
    permission.mode.clone().map(|mode| Step::Chmod { mode, file: file.to_owned() })
}

/// The files and folders that a permission means: those being installed and those that are there.
fn matches(permission: &Permission, copies: &[Step]) -> Result<Vec<PathBuf>, String> {
    let object = Path::new(&permission.object);
    let installed: Vec<(&Path, Kind)> = copies.iter().filter_map(destination).collect();
    if installed.contains(&(object, Kind::File)) {
        if permission.pattern != EVERYTHING || !permission.except.is_empty() {
            return Err(format!(
                "Attempt to use pattern {} when assigning permissions to file {}",
                permission.pattern, permission.object
            ));
        }
        let wanted = permission.kinds.contains(&Kind::File);
        return Ok(if wanted { vec![object.to_owned()] } else { vec![] });
    }
    let mut found: BTreeSet<(PathBuf, Kind)> =
        installed.iter().map(|(path, kind)| ((*path).to_owned(), *kind)).collect();
    walk(object, permission.pattern == EVERYTHING, &mut found);
    let wanted =
        found.into_iter().filter(|(path, kind)| permission.kinds.contains(kind) && means(permission, object, path));
    Ok(wanted.map(|(path, _)| path).collect())
}

fn destination(step: &Step) -> Option<(&Path, Kind)> {
    match step {
        Step::Copy { destination, .. } => Some((destination, Kind::File)),
        Step::Mkdir { directory } => Some((directory, Kind::Directory)),
        Step::Chown { .. } | Step::Chmod { .. } => None,
    }
}

/// `**` is the object and all below it; another pattern means names directly in it.
fn means(permission: &Permission, object: &Path, path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let excepted = permission.except.iter().any(|pattern| glob_match(pattern, name.as_ref()));
    let meant = match permission.pattern.as_str() {
        EVERYTHING => path.starts_with(object),
        pattern => path.parent() == Some(object) && glob_match(pattern, name.as_ref()),
    };
    meant && !excepted
}

/// What is on the host below `folder`. Links are left alone: they may lead anywhere.
fn walk(folder: &Path, deep: bool, found: &mut BTreeSet<(PathBuf, Kind)>) {
    if !fs::symlink_metadata(folder).is_ok_and(|metadata| metadata.is_dir()) {
        return;
    }
    found.insert((folder.to_owned(), Kind::Directory));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && deep => walk(&entry.path(), deep, found),
            Ok(kind) if kind.is_dir() => drop(found.insert((entry.path(), Kind::Directory))),
            Ok(kind) if kind.is_file() => drop(found.insert((entry.path(), Kind::File))),
            _ => {}
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    fn permission(object: &str, pattern: &str) -> Permission {
        Permission {
            object: object.into(),
            pattern: pattern.into(),
            except: vec![],
            owner: None,
            group: None,
            mode: Some("600".into()),
            acls: None,
            context: None,
            kinds: vec![Kind::File, Kind::Directory],
        }
    }

    fn copies() -> Vec<Step> {
        let mkdir = |path: &str| Step::Mkdir { directory: path.into() };
        let copy = |path: &str| Step::Copy { source: "/x".into(), destination: path.into() };
        vec![mkdir("/no/app"), copy("/no/app/a.sh"), copy("/no/app/b.txt"), mkdir("/no/app/d"), copy("/no/app/d/c.sh")]
    }

    fn paths(permissions: &[Permission]) -> Result<Vec<String>, String> {
        let steps = steps(permissions, &copies())?;
        Ok(steps
            .into_iter()
            .map(|step| match step {
                Step::Chmod { file, .. } => file.display().to_string(),
                other => panic!("{other:?}"),
            })
            .collect())
    }

    #[test]
    fn which_files_are_meant() {
        let all = ["/no/app", "/no/app/a.sh", "/no/app/b.txt", "/no/app/d", "/no/app/d/c.sh"];
        assert_eq!(paths(&[permission("/no/app", "**")]).unwrap(), all);
        assert_eq!(paths(&[permission("/no/app", "*.sh")]).unwrap(), ["/no/app/a.sh"]);
        assert_eq!(paths(&[permission("/no/app/a.sh", "**")]).unwrap(), ["/no/app/a.sh"]);
        let mut files = permission("/no/app", "**");
        (files.kinds, files.except) = (vec![Kind::File], vec!["*.txt".into()]);
        assert_eq!(paths(&[files]).unwrap(), ["/no/app/a.sh", "/no/app/d/c.sh"]);
        assert_eq!(paths(&[permission("/elsewhere-not-there", "**")]).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn contradictions_are_refused() {
        let error = paths(&[permission("/no/app/a.sh", "*.sh")]).unwrap_err();
        assert!(error.contains("pattern *.sh"), "{error}");
        let error = paths(&[permission("/no/app/d", "**"), permission("/no/app", "**")]).unwrap_err();
        assert!(error.contains("more than once"), "{error}");
    }

    #[test]
    fn files_that_are_there_already_are_meant_too() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("old"), "").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("link")).unwrap();
        let found = paths(&[permission(&folder.path().display().to_string(), "*")]).unwrap();
        assert_eq!(found, [folder.path().join("old").display().to_string()]);
    }
}
