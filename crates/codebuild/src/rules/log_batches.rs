//! Cutting a build's output into what PutLogEvents takes: events in the order of time, at most 10,000 and 1 MiB a batch,
//! each with at most 256 KiB (CloudWatch Logs API Reference, `PutLogEvents`; every event counts 26 bytes more).

use std::collections::VecDeque;

use bytes::Bytes;
use kernel::Timestamp;

const MOST_EVENTS: usize = 10_000;
const MOST_BYTES: usize = 1_048_576;
const OVERHEAD: usize = 26;
const LONGEST_EVENT: usize = 256 * 1024 - OVERHEAD;

/// One line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When it was written.
    pub time: Timestamp,
    /// The text, with its newline, as CodeBuild has it.
    pub text: String,
}

/// A piece of a build's output: when it was read, and the bytes.
pub type Piece = (Timestamp, Bytes);

/// Batches of the lines of a build's output, made one at a time: output of nothing but newlines must not fill the memory
/// with them.
///
/// Times lie between the last event's and now, and never run backwards. What is no UTF-8 is replaced; bytes behind the
/// last newline of a piece are a line, too; too long a line is cut.
#[derive(Debug)]
pub struct Batches {
    lines: VecDeque<Line>,
    pieces: VecDeque<Piece>,
    last: Timestamp,
    now: Timestamp,
}

impl Batches {
    /// Batches of `lines`, then of the lines of `pieces`. `last` is the time of the stream's last event.
    #[must_use]
    pub fn new(lines: Vec<Line>, pieces: Vec<Piece>, last: Timestamp, now: Timestamp) -> Self {
        Self { lines: lines.into(), pieces: pieces.into(), last, now }
    }

    fn next_line(&mut self) -> Option<Line> {
        let mut line = match self.lines.pop_front() {
            Some(line) => line,
            None => self.split_piece()?,
        };
        if line.text.len() > LONGEST_EVENT {
            let rest = line.text.split_off(line.text.floor_char_boundary(LONGEST_EVENT));
            self.lines.push_front(Line { time: line.time, text: rest });
        }
        Some(line)
    }

    fn split_piece(&mut self) -> Option<Line> {
        loop {
            let (time, data) = self.pieces.front_mut()?;
            if data.is_empty() {
                self.pieces.pop_front();
                continue;
            }
            let end = data.iter().position(|byte| *byte == b'\n').map_or(data.len(), |newline| newline + 1);
            let text = String::from_utf8_lossy(&data.split_to(end)).into_owned();
            return Some(Line { time: *time, text });
        }
    }
}

impl Iterator for Batches {
    type Item = Vec<Line>;

    fn next(&mut self) -> Option<Vec<Line>> {
        let (mut batch, mut size) = (vec![], 0);
        while let Some(line) = self.next_line() {
            let cost = line.text.len() + OVERHEAD;
            if batch.len() == MOST_EVENTS || size + cost > MOST_BYTES {
                self.lines.push_front(line);
                break;
            }
            size += cost;
            self.last = line.time.min(self.now).max(self.last);
            batch.push(Line { time: self.last, ..line });
        }
        (!batch.is_empty()).then_some(batch)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn of_lines(lines: Vec<Line>) -> Vec<Vec<Line>> {
        Batches::new(lines, vec![], at(4), at(10)).collect()
    }

    fn texts(data: &[u8]) -> Vec<String> {
        let pieces = vec![(at(5), Bytes::copy_from_slice(data))];
        Batches::new(vec![], pieces, at(4), at(10)).flatten().map(|line| line.text).collect()
    }

    #[test]
    fn output_is_cut_at_its_newlines() {
        assert_eq!(texts(b"a\n\nb"), ["a\n", "\n", "b"]);
        assert_eq!(texts(b"\xff\n"), ["\u{fffd}\n"]);
        assert!(texts(b"").is_empty());
    }

    #[test]
    fn times_only_go_forward() {
        let line = |seconds| Line { time: at(seconds), text: "x".into() };
        let batches = of_lines(vec![line(5), line(3), line(99)]);
        assert_eq!(batches[0].iter().map(|line| line.time).collect::<Vec<_>>(), [at(5), at(5), at(10)]);
    }

    #[test]
    fn batches_keep_their_bounds() {
        let line = |length: usize| Line { time: at(1), text: "ü".repeat(length / 2) };
        assert_eq!(of_lines(vec![line(2); MOST_EVENTS + 1]).len(), 2);
        let long = of_lines(vec![line(3 * MOST_BYTES)]);
        assert!(long.iter().flatten().all(|line| line.text.len() <= LONGEST_EVENT));
        assert_eq!(long.iter().flatten().map(|line| line.text.len()).sum::<usize>(), 3 * MOST_BYTES);
        assert_eq!(texts(&[b'\n'; 3 * MOST_EVENTS]).len(), 3 * MOST_EVENTS);
    }

    proptest! {
        #[test]
        fn nothing_is_lost(data in any::<Vec<u8>>()) {
            let pieces: String = data.split_inclusive(|byte| *byte == b'\n').map(String::from_utf8_lossy).collect();
            prop_assert_eq!(texts(&data).concat(), pieces);
        }
    }
}
