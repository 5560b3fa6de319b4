//! Why an action did not go on.

use aws::Error;

use crate::error::Failed;
use crate::model::ActionFailure;

/// The longest message that `errorDetails` holds, in characters.
const LONGEST_MESSAGE: usize = 5_000;

/// Why an action did not go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// The action has failed.
    #[error("{}: {}", .0.code, .0.message)]
    Fails(ActionFailure),
    /// A fault of ours; it is tried again.
    #[error(transparent)]
    Ours(Failed),
}

impl Trouble {
    /// A failure of the work itself.
    pub(crate) fn job_failed(message: impl Into<String>) -> Self {
        Self::fails("JobFailed", message)
    }

    /// A failure that another setting would avoid.
    pub(crate) fn configuration(message: impl Into<String>) -> Self {
        Self::fails("ConfigurationError", message)
    }

    /// A failure for want of a permission.
    pub(crate) fn permission(message: impl Into<String>) -> Self {
        Self::fails("PermissionError", message)
    }

    /// A failure of the work itself that is also told in a line.
    pub(crate) fn job_failed_in_short(summary: String, message: impl Into<String>) -> Self {
        match Self::job_failed(message) {
            Self::Fails(failure) => Self::Fails(ActionFailure { summary: Some(summary), ..failure }),
            ours => ours,
        }
    }

    fn fails(code: &str, message: impl Into<String>) -> Self {
        let message: String = message.into();
        let message = message.chars().take(LONGEST_MESSAGE).collect();
        Self::Fails(ActionFailure { code: code.to_owned(), message, summary: None })
    }
}

impl From<Failed> for Trouble {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Aws(error) => error.into(),
            ours => Self::Ours(ours),
        }
    }
}

/// A refusal by a sister service fails the action; a fault of the server is tried again.
impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        let code = error.code.clone();
        if error.status >= 500 && code != "NotImplementedException" {
            return Self::Ours(Failed::Aws(error));
        }
        let message = format!("{} ({code})", error.message);
        if code.starts_with("AccessDenied") {
            Self::permission(message)
        } else if ["NotFound", "DoesNotExist", "NoSuch", "Invalid"].iter().any(|word| code.contains(word)) {
            Self::configuration(message)
        } else {
            Self::job_failed(message)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(error: Error) -> Option<String> {
        match Trouble::from(error) {
            Trouble::Fails(failure) => Some(failure.code),
            Trouble::Ours(_) => None,
        }
    }

    #[test]
    fn refusals_fail_the_action_and_faults_are_tried_again() {
        for (error, expected) in [
            (Error::new("AccessDeniedException", "no"), Some("PermissionError")),
            (Error::modelled("AccessDenied", 403, "no"), Some("PermissionError")),
            (Error::new("BranchDoesNotExistException", "no"), Some("ConfigurationError")),
            (Error::modelled("NoSuchBucket", 404, "no"), Some("ConfigurationError")),
            (Error::new("AccountLimitExceededException", "no"), Some("JobFailed")),
            (Error::modelled("NotImplementedException", 501, "no"), Some("JobFailed")),
            (Error::modelled("InternalFailure", 500, "oops"), None),
        ] {
            assert_eq!(code(error.clone()).as_deref(), expected, "{error}");
        }
    }

    #[test]
    fn a_long_message_is_cut() {
        let Trouble::Fails(failure) = Trouble::job_failed("é".repeat(6_000)) else { panic!() };
        assert_eq!(failure.message.chars().count(), LONGEST_MESSAGE);
    }
}
