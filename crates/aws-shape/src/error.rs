//! AWS's errors: a code that clients switch on, a sentence, a status.

use std::fmt;

/// An error answer of an AWS API.
#[derive(Clone, PartialEq)]
pub struct Error {
    /// The code that SDKs turn into an exception class, e.g. `ResourceNotFoundException`.
    pub code: String,
    /// What was wrong, where, and what would be right.
    pub message: String,
    /// The HTTP status.
    pub status: u16,
    /// Further members of the error's shape, in wire form.
    pub members: serde_json::Map<String, serde_json::Value>,
}

impl Error {
    /// The caller's error (status 400) with a code of the service's model.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self::modelled(code, 400, message)
    }

    /// An error with the code and status that the service's model gives it.
    pub fn modelled(code: &str, status: u16, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), status, members: serde_json::Map::new() }
    }

    /// Our fault: the cause goes to the log, the caller learns only that it was ours.
    pub fn internal(cause: impl fmt::Display) -> Self {
        tracing::error!(%cause, "internal failure");
        Self::modelled(
            "InternalFailure",
            500,
            "The request could not be completed because of an error of the server. Its log has the cause, under this request id.",
        )
    }

    /// With a further member of the error's shape.
    #[must_use]
    pub fn with(mut self, member: &str, value: impl Into<serde_json::Value>) -> Self {
        self.members.insert(member.to_owned(), value.into());
        self
    }

    /// Whether the code is `code`.
    pub fn is(&self, code: &str) -> bool {
        self.code == code
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.code, self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self} ({})", self.status)
    }
}

impl std::error::Error for Error {}

impl From<kernel::StoreError> for Error {
    fn from(cause: kernel::StoreError) -> Self {
        Self::internal(cause)
    }
}
