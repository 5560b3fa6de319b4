use std::fmt;

use serde::{Deserialize, Serialize};

/// How a container or command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// The end of its first process.
    pub ending: Ending,
    /// The kernel killed at least one of its processes for want of memory.
    pub oom: bool,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// It exited with this code, 0 to 255.
    Code(i32),
    /// This signal killed it.
    Signal(i32),
    /// It is gone and nobody saw how: the machine restarted, or its shim was killed.
    Vanished,
}

impl Exit {
    /// An exit with a code and no want of memory.
    pub const fn code(code: i32) -> Self {
        Self { ending: Ending::Code(code), oom: false }
    }

    /// A death by signal and no want of memory.
    pub const fn signal(signal: i32) -> Self {
        Self { ending: Ending::Signal(signal), oom: false }
    }

    /// An end that nobody saw.
    pub const fn vanished() -> Self {
        Self { ending: Ending::Vanished, oom: false }
    }

    /// Exit code 0.
    pub fn success(&self) -> bool {
        self.ending == Ending::Code(0)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ending {
            Ending::Code(code) => write!(f, "exit code {code}")?,
            Ending::Signal(signal) => write!(f, "killed by signal {signal}")?,
            Ending::Vanished => f.write_str("vanished: its end was not seen")?,
        }
        if self.oom { f.write_str(" (out of memory)") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_zero_is_a_success() {
        assert!(Exit::code(0).success());
        assert!(!Exit::code(3).success());
        assert!(!Exit::signal(9).success());
        assert!(!Exit::vanished().success());
    }

    #[test]
    fn reads_as_a_sentence() {
        let killed = Exit { ending: Ending::Signal(9), oom: true };
        assert_eq!(killed.to_string(), "killed by signal 9 (out of memory)");
        assert_eq!(Exit::code(3).to_string(), "exit code 3");
    }
}
