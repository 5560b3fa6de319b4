//! The operations, a file for each resource.

mod bucket;
mod change;
mod copy;
mod delete;
mod get;
mod list;
mod list_versions;
mod multipart;
mod parts;
mod put;
mod uploads;
