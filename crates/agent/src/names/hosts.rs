//! `/etc/hosts`, for containers in which no resolver of ours can be: it knows no patterns, so only the usual names lead here.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::path::Path;

/// Lets the file's names lead to `address`, in place: in Docker it is mounted.
///
/// # Errors
/// Where it cannot be written.
pub(super) fn add(file: &Path, address: Ipv4Addr, names: &[String]) -> io::Result<()> {
    OpenOptions::new().append(true).create(true).open(file)?.write_all(lines(address, names).as_bytes())
}

/// One name a line: some libraries read only so many of a line.
fn lines(address: Ipv4Addr, names: &[String]) -> String {
    let lines: String = names.iter().map(|name| format!("{address}\t{name}\n")).collect();
    format!("\n{lines}")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hosts");
        std::fs::write(&file, "127.0.0.1\tlocalhost").unwrap();
        add(&file, Ipv4Addr::new(127, 0, 45, 66), &["sts.amazonaws.com".into(), "iam.amazonaws.com".into()]).unwrap();
        let text = std::fs::read_to_string(file).unwrap();
        assert_eq!(text, "127.0.0.1\tlocalhost\n127.0.45.66\tsts.amazonaws.com\n127.0.45.66\tiam.amazonaws.com\n");
    }
}
