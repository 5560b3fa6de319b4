//! Errors come in two kinds: the user's, with the next step named (exit 1), and ours,
//! with a report asked for (exit 70).

use crate::client::CallError;
use std::fmt;
use std::io::{self, Write as _};
use std::process::ExitCode;

/// Something that the user can put right.
#[derive(Debug)]
struct UserError(String);

/// An error whose sentence says what to do.
pub(crate) fn user_error(sentence: impl Into<String>) -> anyhow::Error {
    UserError(sentence.into()).into()
}

impl fmt::Display for UserError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for UserError {}

/// What was asked about has failed, and that has been said already: exit 1 without another word.
#[derive(Debug)]
pub(crate) struct Failed;

impl fmt::Display for Failed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("it has failed")
    }
}

impl std::error::Error for Failed {}

/// The user has ended it with Ctrl-C: exit 130, as shells do.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("it was interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// Writes a line to stderr. That nobody reads it any more, as after `2>&1 | head`, is no reason to die in the middle of
/// something.
pub(crate) fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// The exit code, after telling the user on stderr.
pub(crate) fn code(done: anyhow::Result<()>) -> ExitCode {
    let Err(error) = done else { return ExitCode::SUCCESS };
    if error.downcast_ref::<UserError>().is_some() {
        tell(&format!("landfall: {error}"));
        return ExitCode::from(1);
    }
    if let Some(call) = error.downcast_ref::<CallError>().filter(|call| call.is_the_users()) {
        tell(&format!("landfall: {call}"));
        if let Some(step) = call.next_step() {
            tell(step);
        }
        return ExitCode::from(1);
    }
    if error.is::<Failed>() {
        return ExitCode::from(1);
    }
    if error.is::<Interrupted>() {
        return ExitCode::from(130);
    }
    // Whoever reads our output has enough, as `head` does.
    if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
        return ExitCode::SUCCESS;
    }
    tell(&format!(
        "landfall: {error:#}\nThis is a fault of Landfall. Please report it with the lines above and the log."
    ));
    ExitCode::from(70)
}
