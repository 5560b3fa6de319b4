use std::collections::BTreeMap;

use crate::{Ending, Exit};

/// What a container or command does, from the variables `LANDFALL_DUMMY_…` of its environment:
///
/// - `OUTPUT`: text that it writes at its start;
/// - `SLEEP_MS`: how long it then runs, in milliseconds;
/// - `EXIT`: its exit code at the end; for a build, that of its BUILD phase;
/// - `KILL`: instead, the number of the signal that kills it at the end (in a build: in the BUILD phase);
/// - `ON_TERM`: its exit code when it is sent SIGTERM, which else kills it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Script {
    /// `OUTPUT`.
    pub output: String,
    /// `SLEEP_MS`.
    pub sleep_ms: u64,
    /// `EXIT`.
    pub exit: i32,
    /// `KILL`.
    pub kill: Option<i32>,
    /// `ON_TERM`.
    pub on_term: Option<i32>,
}

impl Script {
    /// Reads the variables; a number that is none counts as absent.
    pub fn of(environment: &BTreeMap<String, String>) -> Self {
        let text = |name: &str| environment.get(&format!("LANDFALL_DUMMY_{name}"));
        let number = |name: &str| text(name).and_then(|text| text.parse().ok());
        Self {
            output: text("OUTPUT").cloned().unwrap_or_default(),
            sleep_ms: text("SLEEP_MS").and_then(|text| text.parse().ok()).unwrap_or(0),
            exit: number("EXIT").unwrap_or(0),
            kill: number("KILL"),
            on_term: number("ON_TERM"),
        }
    }

    /// How it ends when nobody interferes.
    pub fn exit(&self) -> Exit {
        let ending = self.kill.map_or(Ending::Code(self.exit), Ending::Signal);
        Exit { ending, oom: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_its_variables_and_no_others() {
        let pairs = [("OUTPUT", "hi"), ("SLEEP_MS", "20"), ("EXIT", "x"), ("KILL", "9")];
        let mut environment: BTreeMap<_, _> =
            pairs.map(|(name, value)| (format!("LANDFALL_DUMMY_{name}"), value.to_owned())).into();
        environment.insert("EXIT".to_owned(), "7".to_owned());
        let script = Script::of(&environment);
        assert_eq!(script, Script { output: "hi".into(), sleep_ms: 20, exit: 0, kill: Some(9), on_term: None });
        assert_eq!(script.exit(), Exit::signal(9));
        assert_eq!(Script::default().exit(), Exit::code(0));
    }
}
