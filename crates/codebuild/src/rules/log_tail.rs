//! The end of a build's log that its document does not know of: a server wrote lines and died before it recorded the agent's
//! reports that they came by. The agent sends these again, and what is there is not written twice.

use std::collections::VecDeque;

/// Lines of the log that may come again, in their order. Lines of the server's own lie between them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tail(VecDeque<String>);

impl Tail {
    /// What stands behind the last line that is known of.
    pub fn new(lines: impl IntoIterator<Item = String>) -> Self {
        Self(lines.into_iter().collect())
    }

    /// Whether the next line is there already; asked for each line once, in their order. What is passed over is not looked for
    /// again.
    pub fn has(&mut self, line: &str) -> bool {
        let found = self.0.iter().position(|there| there == line);
        found.is_some_and(|index| self.0.drain(..=index).count() > 0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a log has at the end, when `written` lines were written and not recorded, with lines of the server's own between.
    fn resumed(lines: &[String], written: usize) -> Vec<String> {
        let mut log: Vec<String> =
            lines[..written].iter().flat_map(|line| [format!("own {line}"), line.clone()]).collect();
        let mut tail = Tail::new(log.clone());
        log.extend(lines.iter().filter(|line| !tail.has(line)).cloned());
        log.into_iter().filter(|line| !line.starts_with("own ")).collect()
    }

    #[test]
    fn equal_lines_are_told_apart_by_their_number() {
        let lines = ["a", "a", "b", "a"].map(str::to_owned);
        for written in 0..=lines.len() {
            assert_eq!(resumed(&lines, written), lines, "{written}");
        }
        assert!(!Tail::default().has("a"));
    }

    proptest! {
        #[test]
        fn no_line_is_lost_or_repeated_wherever_a_server_died(lines in prop::collection::vec("[ab]{0,2}", 0..20), at in 0_usize..20) {
            prop_assert_eq!(resumed(&lines, at.min(lines.len())), lines);
        }
    }
}
