//! What callers of `aws::s3::S3` rely on, over the real store.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod buckets;
mod events;
mod garbage;
mod gate;
mod house;
mod lifecycle;
mod listings;
mod multipart;
mod objects;
mod settings;
mod tagging;
mod versions;
