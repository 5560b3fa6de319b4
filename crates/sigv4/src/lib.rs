//! AWS Signature Version 4, both directions: the door verifies with it, the agent and the demo client sign with it.
//!
//! Pure functions over borrowed data: no clock, no I/O, no HTTP library. A [`Request`] borrows what was (or will be) on
//! the wire, byte for byte; [`Signer`] adds headers or a presigned query to it; [`Presented::parse`] reads what a client
//! sent and [`Presented::verify`] checks it against a secret in constant time. [`git`] holds CodeCommit's own form of
//! canonical request, which Git sends as a Basic password; [`v2`] reads the presigned URLs of S3's first signature.
//!
//! Source of the rules: "Create a signed AWS API request" in the IAM User Guide, and the published vectors under
//! `tests/vectors`.
#![forbid(unsafe_code)]

mod amz_date;
mod canonical;
mod encoding;
pub mod git;
mod key;
mod payload;
mod presented;
mod sign;
pub mod v2;

pub use amz_date::AmzDate;
pub use canonical::{Request, canonical_request};
pub use encoding::{canonical_path, canonical_query, uri_encode};
pub use key::{ALGORITHM, CredentialScope, SigningKey, string_to_sign};
pub use payload::{EMPTY_SHA256, Payload, sha256_hex};
pub use presented::{MAX_PRESIGNED_SECONDS, ParseError, Place, Presented};
pub use sign::{Credentials, Signer};
