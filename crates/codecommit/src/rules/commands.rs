//! What a push asks for: the pkt-lines before its pack.
//!
//! `old new name\0capabilities`, then `old new name` each, closed by a flush (gitprotocol-pack, "Reference
//! Update Request").

use crate::model::Command;

/// The most references that one push may change: CodeCommit's quota.
pub(crate) const MOST_COMMANDS: usize = 4_000;

/// The longest run of pkt-lines that is looked at.
const LONGEST: usize = MOST_COMMANDS * 1_200;

/// What the beginning of a request body tells.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Commands {
    /// More of the body is needed.
    Unfinished,
    /// All commands; none in the probe that git sends before a large push.
    Complete(Vec<Command>),
}

/// Why a push is refused before Git sees it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// Not the protocol.
    #[error("the push does not follow the Git protocol: {0}")]
    Malformed(&'static str),
    /// Beyond the quota.
    #[error("a push can change at most {MOST_COMMANDS} references; push them in several steps")]
    TooMany,
}

/// Reads the commands at the beginning of `body`.
pub(crate) fn parse(body: &[u8]) -> Result<Commands, Refused> {
    let (mut rest, mut commands) = (body, Vec::new());
    loop {
        let Some((line, behind)) = pkt_line(rest)? else {
            let fits = body.len() <= LONGEST;
            return if fits { Ok(Commands::Unfinished) } else { Err(Refused::TooMany) };
        };
        let Some(line) = line else { return Ok(Commands::Complete(commands)) };
        rest = behind;
        let text = std::str::from_utf8(line).map_err(|_| Refused::Malformed("a reference's name is not UTF-8"))?;
        let text = text.split('\0').next().unwrap_or_default().trim_end_matches('\n');
        if !text.starts_with("shallow ") {
            commands.push(command(text)?);
        }
        if commands.len() > MOST_COMMANDS {
            return Err(Refused::TooMany);
        }
    }
}

/// A line's content, if flush then none, and what follows it; `None` while it is not whole.
type Line<'b> = Option<(Option<&'b [u8]>, &'b [u8])>;

fn pkt_line(body: &[u8]) -> Result<Line<'_>, Refused> {
    let Some((head, rest)) = body.split_at_checked(4) else { return Ok(None) };
    let digits = std::str::from_utf8(head).ok().filter(|head| head.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let length = digits.and_then(|digits| usize::from_str_radix(digits, 16).ok());
    match length.ok_or(Refused::Malformed("a packet's length is not four hex digits"))? {
        0 => Ok(Some((None, rest))),
        1..=4 => Err(Refused::Malformed("a packet of a kind that a push does not have")),
        length => Ok(rest.split_at_checked(length - 4).map(|(line, behind)| (Some(line), behind))),
    }
}

fn command(text: &str) -> Result<Command, Refused> {
    let mut parts = text.splitn(3, ' ');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(old), Some(new), Some(name)) if name.starts_with("refs/") && name.len() <= 1_000 => {
            Ok(Command { name: name.to_owned(), old: object(old)?, new: object(new)? })
        }
        _ => Err(Refused::Malformed("a command is not 'old new refs/…'")),
    }
}

/// An object id; `None` for all zeros.
fn object(text: &str) -> Result<Option<String>, Refused> {
    if !crate::rules::specifier::is_object_id(text) {
        return Err(Refused::Malformed("an object id is not 40 hex digits"));
    }
    Ok(text.bytes().any(|byte| byte != b'0').then(|| text.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pkt(line: &str) -> String {
        format!("{:04x}{line}", line.len() + 4)
    }

    fn body() -> String {
        let (zero, one, two) = ("0".repeat(40), "1".repeat(40), "2".repeat(40));
        let create = pkt(&format!("{zero} {one} refs/heads/main\0 report-status agent=git/2.47\n"));
        let update = pkt(&format!("{one} {two} refs/heads/größe"));
        let delete = pkt(&format!("{two} {zero} refs/tags/v 1"));
        format!("{}{create}{update}{delete}0000PACK…", pkt(&format!("shallow {one}")))
    }

    #[test]
    fn commands_are_read_up_to_the_flush() {
        let Ok(Commands::Complete(commands)) = parse(body().as_bytes()) else { unreachable!() };
        let told: Vec<(&str, bool, bool)> =
            commands.iter().map(|command| (&*command.name, command.old.is_some(), command.new.is_some())).collect();
        assert_eq!(
            told,
            [("refs/heads/main", false, true), ("refs/heads/größe", true, true), ("refs/tags/v 1", true, false)]
        );
        assert_eq!(parse(b"0000"), Ok(Commands::Complete(vec![])));
    }

    #[test]
    fn a_body_cut_anywhere_is_unfinished() {
        let body = body();
        let end = body.find("0000PACK").map_or(0, |at| at + 4);
        for cut in 0..end {
            assert_eq!(parse(&body.as_bytes()[..cut]), Ok(Commands::Unfinished), "{cut}");
        }
    }

    #[test]
    fn what_is_no_push_is_refused() {
        for bad in [
            "zzzz",
            "0001",
            "0004",
            "0008abcd",
            &pkt("a b refs/heads/x"),
            &pkt(&format!("{0} {0} HEAD", "1".repeat(40))),
        ] {
            assert!(matches!(parse(bad.as_bytes()), Err(Refused::Malformed(_))), "{bad}");
        }
        let one = pkt(&format!("{0} {0} refs/heads/x", "1".repeat(40)));
        assert_eq!(parse(one.repeat(MOST_COMMANDS + 1).as_bytes()), Err(Refused::TooMany));
    }

    proptest! {
        #[test]
        fn any_bytes_may_come(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&body);
        }
    }
}
