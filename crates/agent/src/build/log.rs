//! The build's log: command output as it is, the agent's own lines with `[Container]`, secrets masked.

use bytes::Bytes;

use crate::protocol::client::Link;
use crate::protocol::{CHUNK, Report, Secret};
use crate::time::{log_time, now_ms, since_epoch};

/// A line that is longer is sent in pieces, in bytes.
const LONG_LINE: usize = 64 * 1024;
/// Shorter values are not masked: they would turn the log into stars.
const SHORTEST_SECRET: usize = 3;

/// Takes bytes in, sends whole lines out.
#[derive(Debug)]
pub(super) struct Log {
    link: Link,
    mask: Mask,
    line: Vec<u8>,
}

impl Log {
    pub(super) fn new(link: Link, secrets: &[Secret]) -> Self {
        Self { link, mask: Mask::new(secrets), line: vec![] }
    }

    /// Output of a command.
    pub(super) async fn output(&mut self, bytes: &[u8]) {
        self.line.extend_from_slice(bytes);
        if let Some(end) = self.line.iter().rposition(|byte| *byte == b'\n') {
            let rest = self.line.split_off(end + 1);
            let whole = std::mem::replace(&mut self.line, rest);
            self.send(&whole).await;
        }
        if self.line.len() > LONG_LINE {
            self.flush().await;
        }
    }

    /// True where the beginning of a line waits for its end.
    pub(super) fn is_waiting(&self) -> bool {
        !self.line.is_empty()
    }

    /// Sends the beginning of a line, too.
    pub(super) async fn flush(&mut self) {
        let line = std::mem::take(&mut self.line);
        self.send(&line).await;
    }

    /// A line of the agent's own.
    pub(super) async fn container(&mut self, text: &str) {
        if self.is_waiting() {
            self.line.push(b'\n');
            self.flush().await;
        }
        let line = format!("[Container] {} {text}\n", log_time(since_epoch()));
        self.send(line.as_bytes()).await;
    }

    async fn send(&self, bytes: &[u8]) {
        let masked = Bytes::from(self.mask.apply(bytes));
        for start in (0..masked.len()).step_by(CHUNK) {
            let data = masked.slice(start..masked.len().min(start + CHUNK));
            // A piece always fits a frame, which is the only thing that can be wrong with it.
            let _ = self.link.report(Report::LogLines { time: now_ms(), data }).await;
        }
    }
}

/// Replaces secret values and AWS access key ids by `***`.
#[derive(Debug)]
struct Mask {
    values: Vec<Secret>,
    /// The bytes with which a value or a key id begins: most bytes of a log are none of them.
    begins: [bool; 256],
}

impl Mask {
    /// Values of several lines are masked line by line, as they may arrive.
    fn new(secrets: &[Secret]) -> Self {
        let mut values: Vec<Secret> = secrets
            .iter()
            .flat_map(|secret| secret.0.lines())
            .filter(|value| value.len() >= SHORTEST_SECRET)
            .map(|value| Secret(value.to_owned()))
            .collect();
        // The longest first: one may be the beginning of another.
        values.sort_by_key(|value| std::cmp::Reverse(value.0.len()));
        let mut begins = [false; 256];
        begins[usize::from(b'A')] = true;
        values.iter().filter_map(|value| value.0.bytes().next()).for_each(|first| begins[usize::from(first)] = true);
        Self { values, begins }
    }

    fn apply(&self, bytes: &[u8]) -> Vec<u8> {
        let mut masked = Vec::with_capacity(bytes.len());
        let mut rest = bytes;
        while let Some(candidate) = rest.iter().position(|byte| self.begins[usize::from(*byte)]) {
            masked.extend_from_slice(&rest[..candidate]);
            rest = &rest[candidate..];
            let length = self.secret_at(rest);
            masked.extend_from_slice(if length.is_some() { b"***" } else { &rest[..1] });
            rest = &rest[length.unwrap_or(1)..];
        }
        masked.extend_from_slice(rest);
        masked
    }

    fn secret_at(&self, text: &[u8]) -> Option<usize> {
        let value = self.values.iter().find(|value| text.starts_with(value.0.as_bytes()));
        value.map(|value| value.0.len()).or_else(|| key_id(text))
    }
}

/// Length of the access key id at the beginning of `text`: `AKIA` or `ASIA` and sixteen more.
fn key_id(text: &[u8]) -> Option<usize> {
    let id = text.get(..20)?;
    let starts = id.starts_with(b"AKIA") || id.starts_with(b"ASIA");
    let ends = text.get(20).is_none_or(|next| !next.is_ascii_alphanumeric());
    (starts && ends && id.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())).then_some(20)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_key_ids_become_stars() {
        let mask = Mask::new(&["hunter2", "hunter2long", "x", "line one\nline two"].map(|value| Secret(value.into())));
        let table = [
            ("password hunter2!", "password ***!"),
            ("hunter2long hunter2", "*** ***"),
            ("x marks", "x marks"),
            ("a line two b", "a *** b"),
            ("id AKIAIOSFODNN7EXAMPLE.", "id ***."),
            ("AKIAIOSFODNN7EXAMPLEX", "AKIAIOSFODNN7EXAMPLEX"),
            ("", ""),
        ];
        for (given, masked) in table {
            assert_eq!(String::from_utf8(mask.apply(given.as_bytes())).unwrap(), masked);
        }
    }
}
