use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, Mode, OFlags, open, openat, unlinkat};
use rustix::io::Errno;

const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Removes a folder with all that a container has left in it, links not followed. However deep that is: there is one folder open
/// at a time, and no recursion. A build makes thousands of folders in each other within a second, at which
/// [`std::fs::remove_dir_all`] runs out of descriptors, or its thread out of stack, which ends the whole process.
///
/// # Errors
/// The system's.
pub fn remove_tree(folder: &Path) -> io::Result<()> {
    let (Some(above), Some(name)) = (folder.parent(), folder.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let mut within = open(above, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    // The folders in which this is, each with the names of those in it that are left.
    let mut path: Vec<(CString, Vec<CString>)> = Vec::new();
    let mut next = CString::new(name.as_bytes())?;
    loop {
        within = openat(&within, &next, FOLDER, Mode::empty())?;
        let folders = remove_files(&within)?;
        path.push((next, folders));
        next = loop {
            // Up, as long as nothing is left.
            let Some((name, folders)) = path.last_mut() else { return Ok(()) };
            if let Some(deeper) = folders.pop() {
                break deeper;
            }
            within = openat(&within, c"..", OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
            unlinkat(&within, name.as_c_str(), AtFlags::REMOVEDIR)?;
            path.pop();
        }
    }
}

/// Removes what is in a folder but the folders, whose names it answers.
fn remove_files(folder: &OwnedFd) -> io::Result<Vec<CString>> {
    let mut folders = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        match unlinkat(folder, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(Errno::ISDIR | Errno::PERM) => folders.push(name.to_owned()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(folders)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn all_goes_but_what_links_lead_to() {
        let machine = tempfile::tempdir().unwrap();
        fs::create_dir_all(machine.path().join("kept/inner")).unwrap();
        let tree = machine.path().join("tree");
        for folder in ["a/b", "a/c/d", "e"] {
            fs::create_dir_all(tree.join(folder)).unwrap();
            fs::write(tree.join(folder).join("file"), "").unwrap();
        }
        std::os::unix::fs::symlink("../../kept", tree.join("a/link")).unwrap();
        remove_tree(&tree).unwrap();
        assert!(!tree.exists() && machine.path().join("kept/inner").exists());
        assert_eq!(remove_tree(&tree).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn depth_does_not_matter() {
        let machine = tempfile::tempdir().unwrap();
        let tree = machine.path().join("tree");
        fs::create_dir(&tree).unwrap();
        let mut within = open(&tree, FOLDER, Mode::empty()).unwrap();
        for _ in 0..5_000 {
            rustix::fs::mkdirat(&within, "d", Mode::RWXU).unwrap();
            within = openat(&within, "d", FOLDER, Mode::empty()).unwrap();
        }
        remove_tree(&tree).unwrap();
        assert!(!tree.exists());
    }
}
