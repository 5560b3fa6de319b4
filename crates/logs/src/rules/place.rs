//! Places that clients hold on to: the tokens of `GetLogEvents`, and events' ids.

use crate::segments::Direction;

/// Reads `f/…` and `b/…`, the forward and backward tokens of a stream: direction and place. They carry the stream's id, so
/// that a token of another stream, or of one deleted since, is refused.
pub(crate) fn parse_token(stream: &str, token: &str) -> Option<(Direction, u64)> {
    let (direction, rest) = match token.split_at_checked(2)? {
        ("f/", rest) => (Direction::Forward, rest),
        ("b/", rest) => (Direction::Backward, rest),
        _ => return None,
    };
    let (place, of) = rest.split_once('/')?;
    (of == stream && place.len() == 20).then(|| place.parse().ok().map(|place| (direction, place)))?
}

/// The token that goes on from a place.
pub(crate) fn token(stream: &str, direction: Direction, place: u64) -> String {
    let letter = if direction == Direction::Forward { 'f' } else { 'b' };
    format!("{letter}/{place:020}/{stream}")
}

/// A place in the events of several streams, in the order in which `FilterLogEvents` gives them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Milliseconds since the epoch.
    pub(crate) timestamp: i64,
    /// Id of the stream.
    pub(crate) stream: String,
    /// Place of the event in its stream.
    pub(crate) number: u64,
}

impl Place {
    /// The id of the event at this place: 56 digits, the same at each read.
    pub(crate) fn event_id(&self) -> String {
        let hex = self.stream.bytes().filter(u8::is_ascii_hexdigit);
        // FNV-1a: spreads the streams' ids over 16 digits.
        let hash =
            hex.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        format!("{:020}{:016}{:020}", self.timestamp.max(0), hash % 10_000_000_000_000_000, self.number)
    }

    /// The text in a `nextToken`.
    pub(crate) fn text(&self) -> String {
        format!("{}/{}/{}", self.timestamp, self.number, self.stream)
    }

    /// Reads [`Place::text`].
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (timestamp, rest) = text.split_once('/')?;
        let (number, stream) = rest.split_once('/')?;
        Some(Self { timestamp: timestamp.parse().ok()?, stream: stream.to_owned(), number: number.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tokens_are_of_one_stream() {
        let text = token("s1", Direction::Backward, 7);
        assert_eq!(text, "b/00000000000000000007/s1");
        assert_eq!(parse_token("s1", &text), Some((Direction::Backward, 7)));
        for (stream, text) in [("s2", text.as_str()), ("s1", "f/7/s1"), ("s1", "x"), ("s1", "é/"), ("s1", "")] {
            assert_eq!(parse_token(stream, text), None, "{text}");
        }
    }

    #[test]
    fn event_ids_have_56_digits_and_differ() {
        let place = |stream: &str, number| Place { timestamp: 1_800_000_000_000, stream: stream.into(), number };
        let ids = [place("0a", 0), place("0a", 1), place("0b", 0)].map(|place| place.event_id());
        assert!(ids.iter().all(|id| id.len() == 56 && id.bytes().all(|b| b.is_ascii_digit())));
        assert!(ids[0] != ids[1] && ids[0] != ids[2]);
    }

    proptest! {
        #[test]
        fn places_read_back(timestamp in any::<i64>(), number in any::<u64>(), stream in "[0-9a-f-]{0,36}") {
            let place = Place { timestamp, stream, number };
            prop_assert_eq!(Place::parse(&place.text()), Some(place));
        }

        #[test]
        fn any_text_may_be_tried(text in "\\PC{0,30}") {
            let _ = (Place::parse(&text), parse_token("s", &text));
        }
    }
}
