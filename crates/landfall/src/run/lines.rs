//! The build's log as people like to read it. CodeBuild's own lines say what its web page shows beside them; here they
//! become headings and prompts, or are left away.

/// A line of the log, as it is to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shown<'l> {
    /// What a command wrote.
    Output(&'l str),
    /// A phase begins.
    Phase(&'l str),
    /// A command begins.
    Command(&'l str),
    /// A command failed with this exit status.
    Failed(&'l str),
    /// Something else that the agent has to say.
    Remark(&'l str),
    /// Nothing: the summary says it.
    Hidden,
}

/// What the summary says anyway.
const SAID_ELSEWHERE: &[&str] = &[
    "Running on CodeBuild",
    "Waiting for agent ping",
    "Waiting for DOWNLOAD_SOURCE",
    "Phase is ",
    "CODEBUILD_SRC_DIR=",
    "YAML location is ",
    "Processing environment variables",
    "Moving to directory ",
    "Phases found in YAML: ",
    "Phase complete: ",
    "Phase context status code: ",
    "Expanding ",
    "Assembling file list",
    "Found ",
    " INSTALL: ",
    " PRE_BUILD: ",
    " BUILD: ",
    " POST_BUILD: ",
];

/// How a line is shown.
pub(crate) fn shown(line: &str) -> Shown<'_> {
    let Some(text) = agents(line) else { return Shown::Output(line) };
    if let Some(phase) = text.strip_prefix("Entering phase ") {
        return Shown::Phase(phase);
    }
    if let Some(command) = text.strip_prefix("Running command ") {
        return Shown::Command(command);
    }
    if let Some(rest) = text.strip_prefix("Command did not exit successfully ") {
        return Shown::Failed(rest.rsplit_once(" exit status ").map_or("?", |(_, status)| status));
    }
    if SAID_ELSEWHERE.iter().any(|begin| text.starts_with(begin)) { Shown::Hidden } else { Shown::Remark(text) }
}

/// The text of the agent's own line: `[Container] 2026/11/22 21:05:03.042000 text`.
fn agents(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("[Container] ")?;
    let (date, rest) = rest.split_once(' ')?;
    let (time, text) = rest.split_once(' ')?;
    let digits = |text: &str, others: &[char]| text.chars().all(|c| c.is_ascii_digit() || others.contains(&c));
    (digits(date, &['/']) && digits(time, &[':', '.'])).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_commands_write_stays_and_the_agents_lines_become_headings() {
        for (text, expected) in [
            ("Entering phase PRE_BUILD", Shown::Phase("PRE_BUILD")),
            ("Running command cargo test", Shown::Command("cargo test")),
            ("Command did not exit successfully x exit status 1 exit status 101", Shown::Failed("101")),
            ("Phase complete: BUILD State: FAILED", Shown::Hidden),
            ("Phase context status code:  Message: ", Shown::Hidden),
            (" PRE_BUILD: 2 commands", Shown::Hidden),
            (
                "Ignoring unknown key docs of the buildspec (line 12)",
                Shown::Remark("Ignoring unknown key docs of the buildspec (line 12)"),
            ),
        ] {
            let line = format!("[Container] 2026/11/22 21:05:03.042000 {text}");
            assert_eq!(shown(&line), expected);
        }
        for line in ["", "ok", "[Container] is what I am", "[Container] today now Entering phase X"] {
            assert_eq!(shown(line), Shown::Output(line));
        }
    }
}
