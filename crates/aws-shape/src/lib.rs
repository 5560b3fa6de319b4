//! What the generated crates of `aws-models` stand on.
//!
//! A service's model becomes plain structs ([`structure!`]), static member tables
//! ([`Shape`]), one trait and one operation table ([`service!`]). Everything that is
//! the same for all services is here and written once: reading and writing members
//! ([`Field`]), checking constraints with AWS's text ([`validate`]), AWS's errors
//! ([`Error`]) and the gate that each call passes ([`Gate`]).

#![forbid(unsafe_code)]

mod error;
#[doc(hidden)]
pub mod field;
mod gate;
mod redact;
mod service;
mod shape;
mod structure;
mod validate;

pub use bytes::Bytes;
pub use error::Error;
#[doc(hidden)]
pub use field as fields;
pub use field::{Field, Members, Mismatch};
pub use gate::{Audit, AuditEntry, Authorization, Authorizer, Gate, Guard, PASS_ROLE, Passing, row, text};
pub use kernel::Timestamp;
pub use redact::redacted;
pub use service::{Answer, Dispatch, EventStream, Future, Operation, Output, not_implemented};
pub use shape::{Kind, Member, Model, Protocol, Shape, Structure};
pub use validate::{Constraint, Violation, mismatches, validate, validation_message};

/// What the macros name; not for use by hand.
#[doc(hidden)]
pub mod macros {
    pub use async_trait::async_trait;
    pub use kernel::Caller;
    pub use serde;
    pub use serde_json::{Map, Value};
}
