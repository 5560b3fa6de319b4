//! The wire protocols: bytes to input values, output values and errors to bytes.
//!
//! All work from member tables alone, so that no service has wire code of its own.

pub mod event_stream;
pub mod json;
pub mod query;
mod xml;

use bytes::Bytes;

/// A reply before it becomes HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The header `Content-Type`.
    pub content_type: String,
    /// The error code, for the header `x-amzn-ErrorType`.
    pub error_type: Option<String>,
    /// The body.
    pub body: Bytes,
}
