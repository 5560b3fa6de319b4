//! How far long work is: a line that moves where stderr is a terminal, else calm lines.

use images::{Progress, PullProgress};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

/// Until it is known how much there is.
const WAITING: &str = "{spinner} {msg}";
/// When it is.
const COUNTING: &str = "{msg} {bar:30} {decimal_bytes} of {decimal_total_bytes} {decimal_bytes_per_sec}";

/// The line.
#[derive(Clone)]
pub(super) struct Line(Option<ProgressBar>);

impl Line {
    /// Says what is begun.
    pub(super) fn begin(what: &str) -> Self {
        if !std::io::stderr().is_terminal() {
            eprintln!("{what}");
            return Self(None);
        }
        let bar = ProgressBar::new_spinner();
        style(&bar, WAITING);
        bar.set_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(200));
        Self(Some(bar))
    }

    /// Says what is done now.
    pub(super) fn step(&self, what: &str) {
        match &self.0 {
            Some(bar) => bar.set_message(what.to_owned()),
            None => eprintln!("{what}"),
        }
    }

    /// Shows how far a pull is; without a terminal nothing, for its beginning and end are said.
    pub(super) fn pull(&self) -> Option<Progress> {
        let bar = self.0.clone()?;
        Some(Arc::new(move |PullProgress { done, total }: PullProgress| {
            if total > 0 && bar.length() != Some(total) {
                style(&bar, COUNTING);
                bar.set_length(total);
            }
            bar.set_position(done);
        }))
    }

    /// Takes the line away.
    pub(super) fn end(self) {
        if let Some(bar) = self.0 {
            bar.finish_and_clear();
        }
    }
}

fn style(bar: &ProgressBar, template: &str) {
    // The templates are constants that a test covers; without them the line would only look plainer.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_some() {
        for template in [WAITING, COUNTING] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }

    #[test]
    fn a_pull_is_counted_once_its_size_is_known() {
        let line = Line(Some(ProgressBar::hidden()));
        let hear = line.pull();
        if let (Some(hear), Some(bar)) = (hear, &line.0) {
            hear(PullProgress { done: 0, total: 0 });
            hear(PullProgress { done: 5, total: 10 });
            assert_eq!((bar.length(), bar.position()), (Some(10), 5));
        }
        assert!(Line(None).pull().is_none());
    }
}
