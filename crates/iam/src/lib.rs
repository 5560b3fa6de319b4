//! IAM and STS: who calls, and what they may do.
//!
//! - [`Authenticator`] (the door): from a request's bytes to its [`kernel::Caller`], or AWS's error.
//! - [`Policy`]: the gates' [`aws::Authorizer`]; what a caller may do is one pure function,
//!   `rules::decision::decide`, over what the caller's policies say, `rules::evaluate`.
//! - [`AuditFile`]: who did what, appended to `DIR/audit/`.
//! - [`Service`]: the IAM and STS operations and [`kernel::Principals`], roles for services.
//!
//! Users, roles and access keys are documents; secrets are sealed. Session tokens are sealed and self-contained, so that
//! assuming a role writes nothing.
#![forbid(unsafe_code)]

mod api;
mod assumption;
mod audit;
pub mod authorization;
mod authorizer;
mod door;
#[doc(hidden)]
pub mod fuzz;
mod keyring;
mod model;
mod principals;
mod root;
mod rules;
mod service;
mod session;
mod standing;

pub use audit::AuditFile;
pub use authorization::{IAM_AUTHORIZATION, STS_AUTHORIZATION};
pub use authorizer::Policy;
pub use door::{Authenticator, GitDenied, RepositoryRegions, Seed};
pub use root::RootKeyError;
pub use rules::decision::Mode;
pub use service::{Dependencies, Service};
