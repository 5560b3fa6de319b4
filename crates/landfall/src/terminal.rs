//! The terminal: pictures that are drawn over, and marks of states.

use std::io::{self, IsTerminal as _, Write as _};

/// The width of lines where no terminal tells.
const USUAL_WIDTH: usize = 100;

/// Draws pictures of several lines, each over the one before. Only for terminals.
#[derive(Default)]
pub(crate) struct Canvas {
    drawn: usize,
}

impl Canvas {
    /// A canvas if stdout is a terminal.
    pub(crate) fn of_stdout() -> Option<Self> {
        io::stdout().is_terminal().then(Self::default)
    }

    /// Draws `lines` over those drawn before, each cut to the terminal's width.
    pub(crate) fn draw(&mut self, lines: &[String]) -> io::Result<()> {
        let width = terminal_size::terminal_size().map_or(USUAL_WIDTH, |(width, _)| usize::from(width.0));
        let mut out = io::stdout().lock();
        out.write_all(frame(self.drawn, lines, width).as_bytes())?;
        self.drawn = lines.len();
        out.flush()
    }
}

/// The bytes that replace `before` lines by `lines`.
fn frame(before: usize, lines: &[String], width: usize) -> String {
    let up = if before == 0 { String::new() } else { format!("\x1b[{before}A\r\x1b[J") };
    let cut = |line: &String| line.chars().take(width.saturating_sub(1)).collect::<String>();
    lines.iter().fold(up, |text, line| text + &cut(line) + "\n")
}

/// What stands before a thing in this state of AWS's.
pub(crate) fn mark(status: Option<&str>) -> char {
    match status {
        None => '·',
        Some("Succeeded" | "SUCCEEDED") => '✓',
        Some("InProgress" | "IN_PROGRESS" | "Stopping" | "Created" | "Queued" | "Ready" | "Baking") => '▸',
        Some("Stopped" | "STOPPED" | "Abandoned" | "Superseded" | "Cancelled") => '■',
        Some(_) => '✗',
    }
}

/// Text from elsewhere, without what would move a terminal's cursor.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

/// A number of bytes as people say it: `512 B`, `3.5 MB`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [(&str, u64); 4] =
        [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
    match UNITS.iter().find(|(_, size)| count >= *size) {
        Some((unit, size)) => format!("{:.1} {unit}", count as f64 / *size as f64),
        None => format!("{count} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_replaces_the_one_before_and_no_line_wraps() {
        let lines = ["first".to_owned(), "sécond".to_owned()];
        assert_eq!(frame(0, &lines, 80), "first\nsécond\n");
        assert_eq!(frame(3, &lines, 4), "\x1b[3A\r\x1b[Jfir\nséc\n");
    }

    #[test]
    fn bytes_are_said_as_people_say_them() {
        for (count, said) in [(0, "0 B"), (999, "999 B"), (3_500_000, "3.5 MB"), (2_000_000_000_000, "2.0 TB")] {
            assert_eq!(bytes(count), said);
        }
    }

    #[test]
    fn every_state_has_its_mark() {
        for (status, expected) in [
            (None, '·'),
            (Some("Succeeded"), '✓'),
            (Some("IN_PROGRESS"), '▸'),
            (Some("Superseded"), '■'),
            (Some("Failed"), '✗'),
            (Some("TIMED_OUT"), '✗'),
        ] {
            assert_eq!(mark(status), expected);
        }
        assert_eq!(printable("a\x1b[2Jb\n"), "a [2Jb ");
    }
}
