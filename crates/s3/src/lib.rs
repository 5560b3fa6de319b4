//! Landfall's S3: buckets, objects, versions and multipart uploads.
//!
//! [`Service`] implements [`aws::s3::S3`] on kernel documents (every bucket, version, upload and part is one) and
//! kernel blobs (the content, by its SHA-256, hashed while it streams in). An object version is a list of blobs, so that
//! completing an upload and copying move no byte. Documents go first: a blob that nothing refers to any more is removed
//! afterwards by a reconciler that compares ([`Service::run`]).
//!
//! [`aws::s3::Settings`] is beside it: what buckets are set to, tags, attributes. What a setting says either happens, or is
//! refused by name, but for three that are kept and returned without an effect of their own: default encryption
//! (contents lie on disk as they came; clients such as CDK insist on an answer), the bucket policy (nobody outside of the
//! account is let in anyway; only `BlockPublicPolicy` looks at it) and notifications to queues, topics and functions
//! (refused unless the client asks to skip their validation). Lifecycle rules are carried out, cross-origin rules applied,
//! EventBridge told.
//!
//! [`Wire`] is the protocol outside of that: Amazon S3's REST API by the crate `s3s`, for requests that the listener has
//! authenticated.
#![forbid(unsafe_code)]

mod api;
mod content;
mod events;
mod locks;
mod model;
mod rules;
mod run;
mod service;
mod wire;

pub use service::{Dependencies, Service};
pub use wire::{BUILT_OPERATIONS, ChunkSigning, MODELLED_OPERATIONS, ReplyBody, Wire};
