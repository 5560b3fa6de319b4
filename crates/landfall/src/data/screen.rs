//! What the commands tell on stderr while they work.

use super::contents::Counted;
use crate::terminal::bytes;
use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// A line that moves, where stderr is a terminal; else nothing.
pub(super) struct Screen(ProgressBar);

impl Screen {
    pub(super) fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        // The template is a constant that a test covers; without it the bar would only look plainer.
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(bar)
    }

    /// What is being done.
    pub(super) fn doing(&self, what: &str) {
        self.0.set_message(what.to_owned());
    }

    /// How far a copy has come.
    pub(super) fn progress(&self, total: Counted, copied: Counted) {
        let (seen, new) = (bytes(total.bytes), bytes(copied.bytes));
        self.0.set_message(format!("{} files, {seen}; new: {} files, {new}", total.files, copied.files));
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_one() {
        assert!(ProgressStyle::with_template("{spinner} {msg}").is_ok());
    }
}
