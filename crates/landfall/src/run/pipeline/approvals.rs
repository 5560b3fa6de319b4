//! Manual approvals: given beforehand by a flag, or asked for on the terminal.

use super::definition::means;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use tokio::sync::oneshot;

/// Every approval.
const ALL: &str = "all";
/// The longest answer that is read.
const LONGEST: usize = 512;

/// Who approves.
pub(super) struct Approvals<'a> {
    /// `all`, `Action` or `Stage/Action`.
    given: &'a [String],
}

/// An answer to an approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) approved: bool,
    pub(super) summary: String,
}

/// What there is to approve.
#[derive(Debug, Clone, Default)]
pub(super) struct Question {
    pub(super) stage: String,
    pub(super) action: String,
    /// The action's own words.
    pub(super) text: Option<String>,
    pub(super) link: Option<String>,
}

impl<'a> Approvals<'a> {
    /// Approvals that the flags give; the others are asked for.
    ///
    /// # Errors
    /// A sentence: there is one to be asked for, and nobody to ask.
    pub(super) fn new(given: &'a [String], wanted: &[String]) -> Result<Self, String> {
        let approvals = Self { given };
        let known: Vec<_> = wanted.iter().filter_map(|wanted| wanted.split_once('/')).collect();
        for word in given.iter().filter(|word| *word != ALL) {
            if !known.iter().any(|(stage, action)| means(word, stage, action)) {
                return Err(format!("--approve {word}: the pipeline has no such approval"));
            }
        }
        let open = known.iter().find(|(stage, action)| !approvals.gives(stage, action));
        match open {
            Some((stage, action)) if !io::stdin().is_terminal() => Err(format!(
                "{stage}/{action} waits for an approval and there is no terminal to ask on: give it with --approve \
                 {action}, or all of them with --approve all"
            )),
            _ => Ok(approvals),
        }
    }

    /// Whether the flags give it.
    pub(super) fn gives(&self, stage: &str, action: &str) -> bool {
        self.given.iter().any(|word| word == ALL || means(word, stage, action))
    }

    /// The answer, or where it will come from.
    pub(super) fn answer(&self, question: &Question) -> oneshot::Receiver<Answer> {
        let (sender, receiver) = oneshot::channel();
        if self.gives(&question.stage, &question.action) {
            let summary = "Approved by --approve".to_owned();
            // The receiver is right here.
            let _ = sender.send(Answer { approved: true, summary });
            return receiver;
        }
        let prompt = prompt(question);
        // A thread of its own: nothing waits for it at the end, as a runtime does for its blocking tasks.
        std::thread::spawn(move || {
            let _ = sender.send(ask(&prompt));
        });
        receiver
    }
}

fn prompt(question: &Question) -> String {
    let Question { stage, action, text, link } = question;
    let more = [text, link].into_iter().flatten().map(|line| format!("  {}\n", crate::terminal::printable(line)));
    format!("\n{}approve {stage}/{action}? [y/N] ", more.collect::<String>())
}

fn ask(prompt: &str) -> Answer {
    let mut line = String::new();
    let mut out = io::stderr().lock();
    let asked = out.write_all(prompt.as_bytes()).and_then(|()| out.flush());
    drop(out);
    let read = asked.and_then(|()| io::Read::take(io::stdin().lock(), LONGEST as u64).read_line(&mut line));
    if read.is_ok() { judge(&line) } else { judge("") }
}

/// `y` or `yes` approves; what stands behind it, or instead, is the reason.
fn judge(line: &str) -> Answer {
    let line = line.trim();
    let (first, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let word = first.to_ascii_lowercase();
    let approved = matches!(word.as_str(), "y" | "yes");
    let reason = if approved || matches!(word.as_str(), "n" | "no") { rest.trim() } else { line };
    let usual = if approved { "Approved on the terminal" } else { "Rejected on the terminal" };
    Answer { approved, summary: if reason.is_empty() { usual.to_owned() } else { reason.to_owned() } }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_yes() {
        for (line, approved, summary) in [
            ("y\n", true, "Approved on the terminal"),
            ("YES  looks good\n", true, "looks good"),
            ("n not today\n", false, "not today"),
            ("yellow is wrong\n", false, "yellow is wrong"),
            ("", false, "Rejected on the terminal"),
        ] {
            assert_eq!(judge(line), Answer { approved, summary: summary.to_owned() }, "{line:?}");
        }
    }

    #[test]
    fn flags_name_approvals_that_are_there() {
        let wanted = ["Release/Go".to_owned()];
        let given = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        for words in [&["all"][..], &["Go"], &["Release/Go"]] {
            assert!(Approvals::new(&given(words), &wanted).unwrap().gives("Release", "Go"), "{words:?}");
        }
        assert!(Approvals::new(&given(&["Stop"]), &wanted).err().unwrap().contains("no such approval"));
    }

    #[test]
    fn the_question_shows_what_the_action_says() {
        let question =
            Question { stage: "S".into(), action: "A".into(), text: Some("Sure?\u{1b}[2J".into()), link: None };
        assert_eq!(prompt(&question), "\n  Sure? [2J\napprove S/A? [y/N] ");
    }
}
