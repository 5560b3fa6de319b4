//! Cutting a build's output into what PutLogEvents takes: events in the order of time, at most 10,000 and 1 MiB a batch,
//! each with at most 256 KiB (CloudWatch Logs API Reference, `PutLogEvents`; every event counts 26 bytes more).

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

/// The lines of a piece of output, what is no UTF-8 replaced. Bytes behind the last newline are a line, too.
#[must_use]
pub fn lines(data: &[u8], time: Timestamp) -> Vec<Line> {
    let pieces = data.split_inclusive(|byte| *byte == b'\n');
    pieces.map(|piece| Line { time, text: String::from_utf8_lossy(piece).into_owned() }).collect()
}

/// Batches of lines whose times lie between `last` and `now` and never run backwards; too long a line is cut in two.
#[must_use]
pub fn batches(lines: Vec<Line>, mut last: Timestamp, now: Timestamp) -> Vec<Vec<Line>> {
    let (mut batches, mut batch, mut size) = (vec![], vec![], 0);
    for line in lines {
        last = line.time.min(now).max(last);
        for text in cut(line.text) {
            let cost = text.len() + OVERHEAD;
            if batch.len() == MOST_EVENTS || size + cost > MOST_BYTES {
                batches.push(std::mem::take(&mut batch));
                size = 0;
            }
            size += cost;
            batch.push(Line { time: last, text });
        }
    }
    if !batch.is_empty() {
        batches.push(batch);
    }
    batches
}

fn cut(mut text: String) -> Vec<String> {
    let mut pieces = vec![];
    while text.len() > LONGEST_EVENT {
        let at = text.floor_char_boundary(LONGEST_EVENT);
        let rest = text.split_off(at);
        pieces.push(std::mem::replace(&mut text, rest));
    }
    if !text.is_empty() {
        pieces.push(text);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    #[test]
    fn output_is_cut_at_its_newlines() {
        let texts = |data: &[u8]| lines(data, at(1)).into_iter().map(|line| line.text).collect::<Vec<_>>();
        assert_eq!(texts(b"a\n\nb"), ["a\n", "\n", "b"]);
        assert_eq!(texts(b"\xff\n"), ["\u{fffd}\n"]);
        assert!(texts(b"").is_empty());
    }

    #[test]
    fn times_only_go_forward() {
        let line = |seconds| Line { time: at(seconds), text: "x".into() };
        let batches = batches(vec![line(5), line(3), line(99)], at(4), at(10));
        assert_eq!(batches[0].iter().map(|line| line.time).collect::<Vec<_>>(), [at(5), at(5), at(10)]);
    }

    #[test]
    fn batches_keep_their_bounds() {
        let line = |length: usize| Line { time: at(1), text: "ü".repeat(length / 2) };
        assert_eq!(batches(vec![line(2); MOST_EVENTS + 1], at(0), at(2)).len(), 2);
        let long = batches(vec![line(3 * MOST_BYTES)], at(0), at(2));
        assert!(long.iter().flatten().all(|line| line.text.len() <= LONGEST_EVENT));
        assert_eq!(long.iter().flatten().map(|line| line.text.len()).sum::<usize>(), 3 * MOST_BYTES);
    }

    proptest! {
        #[test]
        fn nothing_is_lost(data in any::<Vec<u8>>()) {
            let text: String = batches(lines(&data, at(1)), at(0), at(2)).into_iter().flatten().map(|line| line.text).collect();
            let pieces: String = data.split_inclusive(|byte| *byte == b'\n').map(String::from_utf8_lossy).collect();
            prop_assert_eq!(text, pieces);
        }
    }
}
