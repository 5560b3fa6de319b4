//! CloudWatch Logs as clients use it, on a real store and real files.
#![expect(clippy::unwrap_used, reason = "tests")]

mod durability;
mod filter;
mod ground;
mod groups;
mod live_tail;
mod policies;
mod read;
mod retention;
mod tags;
