//! What the user sees: the log as it comes, the summary at the end, talk beside both.

use super::lines::{Shown, shown};
use crate::exit::tell;
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, IsTerminal as _, Write};
use std::time::Duration;

/// How many lines of the log a quiet run keeps for the case that it fails.
const KEPT: usize = 40;
/// How often the moving line moves.
const TICK: Duration = Duration::from_millis(100);

/// How the log is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// CodeBuild's own lines as headings.
    Pleasant,
    /// Every line as it is.
    Verbatim,
    /// Not at all, but the last lines where the build fails.
    Quiet,
}

/// The screen.
pub(crate) struct Screen {
    style: Style,
    /// Data is for a program: what people read goes to stderr.
    json: bool,
    colour: bool,
    kept: VecDeque<String>,
    /// Who wrote a line that has no end yet.
    unfinished: Option<String>,
    /// Headings of phases that have shown nothing yet, by who has them.
    phases: BTreeMap<String, String>,
    /// A line that moves while there is nothing else to show.
    moving: ProgressBar,
}

/// A colour of the terminal's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    Bold,
    Dim,
    Command,
    Good,
    Bad,
}

impl Screen {
    /// The screen of this process.
    pub(crate) fn new(style: Style, json: bool) -> Self {
        let terminal = if json { io::stderr().is_terminal() } else { io::stdout().is_terminal() };
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        Self {
            style,
            json,
            colour: terminal && !plain,
            kept: VecDeque::new(),
            unfinished: None,
            phases: BTreeMap::new(),
            moving: ProgressBar::hidden(),
        }
    }

    /// Says what goes on, by a line that moves until there is something to show; on terminals alone.
    pub(crate) fn busy(&mut self, text: &str) {
        if self.moving.is_finished() || self.moving.is_hidden() {
            self.moving = moving(self.style != Style::Quiet && io::stderr().is_terminal());
        }
        if self.moving.message() != text {
            self.moving.set_message(text.to_owned());
        }
    }

    /// A line that others move while there is nothing else to show.
    pub(crate) fn moving(&mut self) -> ProgressBar {
        self.busy("");
        self.moving.clone()
    }

    /// Takes the moving line away.
    pub(crate) fn idle(&self) {
        self.moving.finish_and_clear();
    }

    /// Talk: a line on stderr, unless the user wants quiet.
    pub(crate) fn say(&self, text: &str) {
        if self.style != Style::Quiet {
            self.idle();
            tell(text);
        }
    }

    /// One event of a log; `who` names the action that it is of, where there are several.
    ///
    /// # Errors
    /// Nobody reads our output any more.
    pub(crate) fn log(&mut self, who: Option<&str>, event: &str) -> io::Result<()> {
        let Some(text) = self.dress(who, event) else { return Ok(()) };
        if self.style == Style::Quiet {
            self.kept.push_back(text);
            self.kept.drain(..self.kept.len().saturating_sub(KEPT));
            return Ok(());
        }
        self.write(&text)
    }

    /// A line of the summary.
    ///
    /// # Errors
    /// Nobody reads our output any more.
    pub(crate) fn line(&mut self, text: &str) -> io::Result<()> {
        let end = if self.unfinished.take().is_some() { "\n" } else { "" };
        self.write(&format!("{end}{text}\n"))
    }

    /// What a quiet run has kept of the log, now that it matters.
    ///
    /// # Errors
    /// Nobody reads our output any more.
    pub(crate) fn show_kept(&mut self) -> io::Result<()> {
        let kept: String = std::mem::take(&mut self.kept).into_iter().collect();
        self.write(&kept)
    }

    /// The text in a colour, on a terminal.
    pub(crate) fn paint(&self, paint: Paint, text: &str) -> String {
        painted(self.colour, paint, text)
    }

    fn write(&self, text: &str) -> io::Result<()> {
        fn all(mut out: impl Write, text: &str) -> io::Result<()> {
            out.write_all(text.as_bytes())?;
            out.flush()
        }
        self.idle();
        if self.json { all(io::stderr().lock(), text) } else { all(io::stdout().lock(), text) }
    }

    /// The event as text for the screen; none where it is not shown.
    fn dress(&mut self, who: Option<&str>, event: &str) -> Option<String> {
        let (line, ended) = match event.strip_suffix('\n') {
            Some(line) => (line, true),
            None => (event, false),
        };
        let name = who.unwrap_or_default();
        let end = if ended { "\n" } else { "" };
        if self.unfinished.as_deref() == Some(name) {
            self.unfinished = self.unfinished.take().filter(|_| !ended);
            return Some(format!("{line}{end}"));
        }
        let lines = if self.style == Style::Verbatim { vec![line.to_owned()] } else { self.pleasant(name, line) };
        if lines.is_empty() {
            return None;
        }
        let cut = if self.unfinished.is_some() { "\n" } else { "" };
        let prefix = who.map(|who| self.paint(Paint::Dim, &format!("{who} │ "))).unwrap_or_default();
        let lines: Vec<_> = lines.into_iter().map(|line| format!("{prefix}{line}")).collect();
        self.unfinished = (!ended).then(|| name.to_owned());
        Some(format!("{cut}{}{end}", lines.join("\n")))
    }

    /// A line with what goes before it; nothing for what is not shown. A phase is headed once it has something to show.
    fn pleasant(&mut self, name: &str, line: &str) -> Vec<String> {
        let line = match shown(line) {
            Shown::Hidden => return Vec::new(),
            Shown::Phase(phase) => {
                self.phases.insert(name.to_owned(), self.paint(Paint::Bold, &format!("▸ {phase}")));
                return Vec::new();
            }
            Shown::Output(text) => text.to_owned(),
            Shown::Command(command) => self.paint(Paint::Command, &format!("$ {command}")),
            Shown::Failed(status) => self.paint(Paint::Bad, &format!("✗ exit status {status}")),
            Shown::Remark(text) => self.paint(Paint::Dim, text),
        };
        self.phases.remove(name).into_iter().chain([line]).collect()
    }
}

/// A line that moves, or one that nobody sees.
fn moving(seen: bool) -> ProgressBar {
    if !seen {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(TICK);
    bar
}

fn painted(colour: bool, paint: Paint, text: &str) -> String {
    let code = match paint {
        Paint::Bold => "1",
        Paint::Dim => "2",
        Paint::Command => "36",
        Paint::Good => "32",
        Paint::Bad => "31",
    };
    if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen(style: Style) -> Screen {
        Screen {
            style,
            json: false,
            colour: false,
            kept: VecDeque::new(),
            unfinished: None,
            phases: BTreeMap::new(),
            moving: ProgressBar::hidden(),
        }
    }

    const HEAD: &str = "[Container] 2026/11/22 21:05:03.042000 ";

    #[test]
    fn a_log_is_pleasant_or_as_it_is() {
        let command = format!("{HEAD}Running command make\n");
        assert_eq!(screen(Style::Pleasant).dress(None, &command).as_deref(), Some("$ make\n"));
        assert_eq!(screen(Style::Verbatim).dress(None, &command), Some(command.clone()));
        let mut pleasant = screen(Style::Pleasant);
        assert_eq!(pleasant.dress(None, &format!("{HEAD}Entering phase INSTALL\n")), None);
        assert_eq!(pleasant.dress(None, &format!("{HEAD}Entering phase BUILD\n")), None);
        assert_eq!(pleasant.dress(None, &command).as_deref(), Some("▸ BUILD\n$ make\n"), "INSTALL had nothing to show");
        let hidden = format!("{HEAD}Waiting for agent ping\n");
        assert_eq!(screen(Style::Pleasant).dress(None, &hidden), None);
        assert_eq!(painted(true, Paint::Bad, "x"), "\x1b[31mx\x1b[0m");
    }

    #[test]
    fn lines_that_come_in_pieces_stay_one_line() {
        let mut screen = screen(Style::Pleasant);
        assert_eq!(screen.dress(Some("A"), "one").as_deref(), Some("A │ one"));
        assert_eq!(screen.dress(Some("A"), " two\n").as_deref(), Some(" two\n"));
        assert_eq!(screen.dress(Some("A"), "three").as_deref(), Some("A │ three"));
        assert_eq!(screen.dress(Some("B"), "other\n").as_deref(), Some("\nB │ other\n"));
    }

    #[test]
    fn a_quiet_screen_keeps_the_last_lines() {
        let mut screen = screen(Style::Quiet);
        for number in 0..KEPT + 3 {
            assert!(screen.log(None, &format!("{number}\n")).is_ok());
        }
        assert_eq!(screen.kept.len(), KEPT);
        assert_eq!(screen.kept.front().map(String::as_str), Some("3\n"));
    }
}
