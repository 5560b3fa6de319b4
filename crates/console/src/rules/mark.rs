//! A status as people see it: a shape, a word, and a colour that only repeats them.

/// A status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The shape's name, which is also the colour's: `ok`, `bad`, `run`, `wait`, `stop` or `off`.
    pub shape: &'static str,
    /// The word.
    pub text: String,
}

impl Mark {
    /// The mark of a status in any of the services' spellings; an empty one has not run yet.
    pub(crate) fn of(status: &str) -> Self {
        if status.is_empty() {
            return Self { shape: "off", text: "Not run yet".to_owned() };
        }
        Self { shape: shape(status), text: words(status) }
    }

    /// Somebody has to decide.
    pub(crate) fn approval() -> Self {
        Self { shape: "wait", text: "Waits for approval".to_owned() }
    }

    /// Whether it is still changing.
    pub(crate) fn is_moving(&self) -> bool {
        matches!(self.shape, "run" | "wait")
    }
}

fn shape(status: &str) -> &'static str {
    match status {
        "Succeeded" | "SUCCEEDED" => "ok",
        "Failed" | "FAILED" | "FAULT" | "TIMED_OUT" | "CLIENT_ERROR" => "bad",
        "InProgress" | "IN_PROGRESS" | "Stopping" | "Baking" | "Created" => "run",
        "Queued" | "QUEUED" | "Pending" | "Ready" => "wait",
        "Stopped" | "STOPPED" | "Abandoned" | "Cancelled" => "stop",
        _ => "off",
    }
}

/// `InProgress`, `IN_PROGRESS` → `In progress`.
pub(crate) fn words(name: &str) -> String {
    let shouted = !name.chars().any(|letter| letter.is_ascii_lowercase());
    let mut words = String::new();
    for letter in name.chars() {
        if letter == '_' {
            words.push(' ');
            continue;
        }
        if letter.is_ascii_uppercase() && !shouted && !words.is_empty() && !words.ends_with(' ') {
            words.push(' ');
        }
        words.push(if words.is_empty() { letter } else { letter.to_ascii_lowercase() });
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_a_shape_and_a_word() {
        for (status, shape, text) in [
            ("", "off", "Not run yet"),
            ("Succeeded", "ok", "Succeeded"),
            ("IN_PROGRESS", "run", "In progress"),
            ("InProgress", "run", "In progress"),
            ("TIMED_OUT", "bad", "Timed out"),
            ("Superseded", "off", "Superseded"),
            ("Stopped", "stop", "Stopped"),
            ("Pending", "wait", "Pending"),
            ("Unheard", "off", "Unheard"),
        ] {
            assert_eq!(Mark::of(status), Mark { shape, text: text.to_owned() });
        }
    }

    #[test]
    fn names_become_words() {
        for (name, text) in [
            ("DOWNLOAD_SOURCE", "Download source"),
            ("BeforeInstall", "Before install"),
            ("CreatePipeline", "Create pipeline"),
            ("x", "x"),
            ("", ""),
        ] {
            assert_eq!(words(name), text);
        }
    }
}
