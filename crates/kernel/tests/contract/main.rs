//! What the kernel promises to services, on the real store in temporary folders.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub, reason = "tests")]

mod blobs;
mod bus;
mod crash;
mod documents;
mod fixture;
mod formats;
mod paging;
mod store;
mod unused_blobs;
mod work;
