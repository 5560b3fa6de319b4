//! Named points where a test makes the process die, to prove that a restart loses nothing.
//!
//! A point stands between two durable writes, wherever the world has half of a change. Black-box tests find all of
//! them by searching the source for [`crash_point!`], so a new one is tested by being there
//! (`tests/test_crash_points.py`). A crate of its own, because what stands below the kernel has such places, too.

#![forbid(unsafe_code)]

use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// The environment variable that names the point to die at: `name`, or `name@n` for its n-th pass.
pub const VARIABLE: &str = "LANDFALL_CRASH_POINT";

/// The environment variable that names a file to which each pass of a point is written, one name a line: so a
/// harness learns which points a run comes by, in which order and how often.
pub const TRACE: &str = "LANDFALL_CRASH_TRACE";

/// Aborts the process here when `LANDFALL_CRASH_POINT` names this point; does nothing in release
/// builds. The harness finds all points by searching the source for this macro.
#[macro_export]
macro_rules! crash_point {
    ($name:literal) => {
        if cfg!(debug_assertions) {
            $crate::reached($name);
        }
    };
}

/// Notes a pass of `name`, and aborts at the armed one; called by [`crash_point!`].
pub fn reached(name: &str) {
    static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
    static PASSES: AtomicU64 = AtomicU64::new(0);
    trace(name);
    let armed = ARMED.get_or_init(|| std::env::var(VARIABLE).ok().map(|text| Armed::parse(&text)));
    let Some(armed) = armed.as_ref().filter(|armed| armed.name == name) else { return };
    if PASSES.fetch_add(1, Ordering::Relaxed) + 1 == armed.pass {
        eprintln!("crash point {name} reached");
        std::process::abort();
    }
}

/// One write for each line, so that a killed process leaves none in half. Where it cannot be written, the harness
/// misses the point and says so.
fn trace(name: &str) {
    static TRACED: OnceLock<Option<Mutex<File>>> = OnceLock::new();
    let traced = TRACED.get_or_init(|| {
        let file = File::options().append(true).create(true).open(std::env::var_os(TRACE)?).ok()?;
        Some(Mutex::new(file))
    });
    if let Some(file) = traced {
        let _ = file.lock().unwrap_or_else(PoisonError::into_inner).write_all(format!("{name}\n").as_bytes());
    }
}

/// Where to die.
#[derive(Debug, PartialEq, Eq)]
struct Armed {
    name: String,
    /// From 1.
    pass: u64,
}

impl Armed {
    /// Without a number, or with one that is none, the first pass.
    fn parse(text: &str) -> Self {
        let (name, pass) = text.split_once('@').unwrap_or((text, "1"));
        Self { name: name.to_owned(), pass: pass.parse().unwrap_or(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_named_with_or_without_a_pass() {
        for (text, name, pass) in [("a", "a", 1), ("a@7", "a", 7), ("a@", "a", 1), ("", "", 1)] {
            assert_eq!(Armed::parse(text), Armed { name: name.to_owned(), pass }, "{text}");
        }
    }
}
