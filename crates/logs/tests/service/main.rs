//! CloudWatch Logs as clients use it, on a real store and real files.
#![expect(clippy::unwrap_used, clippy::expect_used, unreachable_pub, reason = "tests")]

mod durability;
mod failing_io;
mod filter;
mod ground;
mod groups;
#[path = "../../../../tests/failing_io/harness.rs"]
mod harness;
mod live_tail;
mod policies;
mod read;
mod retention;
mod tags;
