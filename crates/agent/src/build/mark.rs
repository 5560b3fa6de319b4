//! `landfall-agent mark`: what the build's shell runs after each command to say what became of it.
//!
//! The shell's variables and folder can only be told from inside, and an image need not have `env`. The
//! shell writes lines to a private descriptor: `{"value": …}` where one was asked for, the exit status, then
//! `{"directory": …, "environment": …}`, or `-` where this program could not be run.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use serde::{Deserialize, Serialize};

/// What the next shell starts with if this one ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Snapshot {
    /// The current folder; empty where it was removed.
    pub(super) directory: String,
    /// Exported variables.
    pub(super) environment: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
struct Value {
    value: String,
}

/// Everything the shell says after one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) value: Option<String>,
    pub(super) exit_code: i32,
    pub(super) snapshot: Option<Snapshot>,
}

/// The subcommand: `mark` prints a snapshot, `mark WORD` a value.
pub fn main(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let line = match arguments.next() {
        Some(word) => serde_json::to_string(&Value { value: word.to_string_lossy().into_owned() }),
        None => serde_json::to_string(&snapshot()),
    };
    let written = line.map_err(std::io::Error::from).and_then(|line| writeln!(std::io::stdout(), "{line}"));
    if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn snapshot() -> Snapshot {
    let text = |value: OsString| value.to_string_lossy().into_owned();
    Snapshot {
        directory: std::env::current_dir().map(|path| text(path.into())).unwrap_or_default(),
        environment: std::env::vars_os()
            .map(|(name, value)| (text(name), text(value)))
            .filter(|(name, _)| !["_", "SHLVL", "OLDPWD"].contains(&name.as_str()))
            .collect(),
    }
}

/// Takes the lines of one mark off the front of `buffer`, if all of them are there.
pub(super) fn take(buffer: &mut Vec<u8>) -> Option<Mark> {
    let (mut value, mut exit_code, mut at) = (None, None, 0);
    while let Some(length) = buffer[at..].iter().position(|byte| *byte == b'\n') {
        let line = buffer[at..at + length].trim_ascii();
        at += length + 1;
        match exit_code {
            // What is neither a value nor a number is not ours: the user wrote to the descriptor.
            None => match serde_json::from_slice::<Value>(line) {
                Ok(word) => value = Some(word.value),
                Err(_) => exit_code = str::from_utf8(line).ok().and_then(|line| line.parse().ok()),
            },
            Some(exit_code) => {
                let snapshot = serde_json::from_slice(line).ok();
                buffer.drain(..at);
                return Some(Mark { value, exit_code, snapshot });
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_taken_when_it_is_whole() {
        let mut buffer = b"3\n{\"directory\":\"/a\",\"environment\":{\"K\":\"V\"}}".to_vec();
        assert_eq!(take(&mut buffer), None);
        buffer.extend_from_slice(b"\n{\"value\":\"v\"}\n0\n-\n");
        let snapshot =
            Snapshot { directory: "/a".into(), environment: BTreeMap::from([("K".to_owned(), "V".to_owned())]) };
        assert_eq!(take(&mut buffer), Some(Mark { value: None, exit_code: 3, snapshot: Some(snapshot) }));
        assert_eq!(take(&mut buffer), Some(Mark { value: Some("v".into()), exit_code: 0, snapshot: None }));
        assert_eq!((take(&mut buffer), buffer.len()), (None, 0));
    }

    #[test]
    fn lines_of_others_are_passed_over() {
        let mut buffer = b"noise\n\n7\n-\n".to_vec();
        assert_eq!(take(&mut buffer), Some(Mark { value: None, exit_code: 7, snapshot: None }));
    }
}
