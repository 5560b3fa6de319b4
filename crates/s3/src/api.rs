//! The operations, a file for each resource.

mod bucket;
mod change;
mod copy;
mod delete;
mod expire;
mod get;
mod list;
mod list_versions;
mod multipart;
mod parts;
mod put;
mod settings;
mod tagging;
mod uploads;

pub(crate) use expire::{Expire, Judged};
