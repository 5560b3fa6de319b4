//! Errors come in two kinds: the user's, with the next step named (exit 1), and ours,
//! with a report asked for (exit 70).

use std::fmt;
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

/// The exit code, after telling the user on stderr.
pub(crate) fn code(done: anyhow::Result<()>) -> ExitCode {
    let Err(error) = done else { return ExitCode::SUCCESS };
    if error.downcast_ref::<UserError>().is_some() {
        eprintln!("landfall: {error}");
        return ExitCode::from(1);
    }
    eprintln!("landfall: {error:#}\nThis is a fault of Landfall. Please report it with the lines above and the log.");
    ExitCode::from(70)
}
