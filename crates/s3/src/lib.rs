//! Landfall's S3: buckets, objects, versions and multipart uploads.
//!
//! [`Service`] implements [`aws::s3::S3`] on kernel documents (every bucket, version, upload and part is one) and
//! kernel blobs (the content, by its SHA-256, hashed while it streams in). An object version is a list of blobs, so that
//! completing an upload and copying move no byte. Documents go first: a blob that nothing refers to any more is removed
//! afterwards by a reconciler that compares ([`Service::run`]).
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
