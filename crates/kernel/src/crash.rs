//! Named points where a test makes the process die, to prove that a restart loses nothing.

use std::sync::OnceLock;

/// The environment variable that names the point to die at.
pub const VARIABLE: &str = "LANDFALL_CRASH_POINT";

/// Aborts the process here when `LANDFALL_CRASH_POINT` names this point; does nothing in release
/// builds. The harness finds all points by searching the source for this macro.
#[macro_export]
macro_rules! crash_point {
    ($name:literal) => {
        if cfg!(debug_assertions) {
            $crate::crash::reached($name);
        }
    };
}

/// Aborts if `name` is the armed point; called by [`crash_point!`](crate::crash_point).
pub fn reached(name: &str) {
    static ARMED: OnceLock<Option<String>> = OnceLock::new();
    let armed = ARMED.get_or_init(|| std::env::var(VARIABLE).ok());
    if armed.as_deref() == Some(name) {
        eprintln!("crash point {name} reached");
        std::process::abort();
    }
}
