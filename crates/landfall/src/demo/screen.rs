//! What the demo shows: done things stay as lines, running ones move. Talk goes to
//! stderr, the closing table to stdout.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;

/// The terminal.
pub(super) struct Screen {
    live: bool,
}

impl Screen {
    pub(super) fn new() -> Self {
        Self { live: std::io::stderr().is_terminal() }
    }

    /// A line.
    pub(super) fn say(&self, text: &str) {
        eprintln!("{text}");
    }

    /// A thing that is done.
    pub(super) fn done(&self, text: &str) {
        eprintln!("  ✓ {text}");
    }

    /// A thing that runs: moves on a terminal, is silent elsewhere.
    pub(super) fn running(&self) -> Running {
        let bar = ProgressBar::new_spinner();
        if self.live {
            if let Ok(style) = ProgressStyle::with_template("  {spinner} {msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(100));
        } else {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        Running(bar)
    }
}

/// A moving line.
pub(super) struct Running(ProgressBar);

impl Running {
    pub(super) fn show(&self, text: &str) {
        self.0.set_message(text.to_owned());
    }

    /// Replaces the moving line by one that stays.
    pub(super) fn end(self, mark: char, text: &str) {
        self.0.finish_and_clear();
        eprintln!("  {mark} {text}");
    }
}
