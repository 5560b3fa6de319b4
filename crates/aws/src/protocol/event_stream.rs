//! `application/vnd.amazon.eventstream`: frames of headers and a payload, each with two checksums.
//!
//! A frame is: its whole length, the length of its headers (four bytes each, big-endian), the CRC-32 of these eight bytes;
//! headers; payload; the CRC-32 of all that is before. A stream of a JSON service begins with the frame
//! `initial-response`, then each event is one frame, and an exception may be the last.
//!
//! Source: "Amazon Event Stream", Smithy specification; botocore's `eventstream.py`.

use crate::Error;
use bytes::{BufMut as _, Bytes, BytesMut};
use serde_json::{Value, json};

/// The content type of the reply.
pub const CONTENT_TYPE: &str = "application/vnd.amazon.eventstream";

/// Bytes of the two lengths and their checksum.
const PRELUDE: usize = 12;
/// Bytes of a checksum.
const CHECKSUM: usize = 4;
/// A header whose value is text.
const TEXT: u8 = 7;

/// The first frame: what the operation answers beside its events, which is nothing for those that are known.
#[must_use]
pub fn initial_response(version: &str) -> Bytes {
    event("initial-response", version, &json!({}))
}

/// An event in wire form, an object with one member named as the event, as a frame.
#[must_use]
pub fn encode(version: &str, value: &Value) -> Bytes {
    let named = value.as_object().and_then(|members| members.iter().next());
    named.map_or_else(Bytes::new, |(name, members)| event(name, version, members))
}

fn event(name: &str, version: &str, members: &Value) -> Bytes {
    let content_type = format!("application/x-amz-json-{version}");
    let headers = [(":event-type", name), (":content-type", &content_type), (":message-type", "event")];
    frame(&headers, members.to_string().as_bytes())
}

/// The frame of the error with which a stream ends.
#[must_use]
pub fn error(version: &str, error: &Error) -> Bytes {
    let content_type = format!("application/x-amz-json-{version}");
    let mut members = error.members.clone();
    members.insert("message".to_owned(), error.message.clone().into());
    let headers =
        [(":exception-type", error.code.as_str()), (":content-type", &content_type), (":message-type", "exception")];
    frame(&headers, Value::Object(members).to_string().as_bytes())
}

/// A frame with these headers; names and values are short texts of this module's callers.
fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Bytes {
    let mut encoded = BytesMut::new();
    for (name, value) in headers {
        encoded.put_u8(u8::try_from(name.len()).unwrap_or(u8::MAX));
        encoded.put_slice(name.as_bytes());
        encoded.put_u8(TEXT);
        encoded.put_u16(u16::try_from(value.len()).unwrap_or(u16::MAX));
        encoded.put_slice(value.as_bytes());
    }
    let length = PRELUDE + encoded.len() + payload.len() + CHECKSUM;
    let mut frame = BytesMut::with_capacity(length);
    frame.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    frame.put_u32(u32::try_from(encoded.len()).unwrap_or(u32::MAX));
    frame.put_u32(crc32fast::hash(&frame));
    frame.put_slice(&encoded);
    frame.put_slice(payload);
    frame.put_u32(crc32fast::hash(&frame));
    frame.freeze()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Headers and payload of a frame, with both checksums proved.
    fn decode(frame: &[u8]) -> (BTreeMap<String, String>, Vec<u8>) {
        let number = |at: usize| u32::from_be_bytes(frame[at..at + 4].try_into().unwrap());
        let end = frame.len() - CHECKSUM;
        assert_eq!(number(0) as usize, frame.len());
        assert_eq!(number(8), crc32fast::hash(&frame[..8]));
        assert_eq!(number(end), crc32fast::hash(&frame[..end]));
        let (mut rest, payload) = frame[PRELUDE..end].split_at(number(4) as usize);
        let mut headers = BTreeMap::new();
        while let Some((length, after)) = rest.split_first() {
            let (name, after) = after.split_at(usize::from(*length));
            assert_eq!(after[0], TEXT);
            let length = usize::from(u16::from_be_bytes([after[1], after[2]]));
            let (value, after) = after[3..].split_at(length);
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            headers.insert(text(name), text(value));
            rest = after;
        }
        (headers, payload.to_vec())
    }

    #[test]
    fn frames_say_what_they_are() {
        let gone = Error::new("SessionTimeoutException", "It is over.").with("after", 3);
        for (frame, header, name, payload) in [
            (initial_response("1.1"), ":event-type", "initial-response", json!({})),
            (encode("1.1", &json!({"sessionUpdate": {"n": 1}})), ":event-type", "sessionUpdate", json!({"n": 1})),
            (
                error("1.1", &gone),
                ":exception-type",
                "SessionTimeoutException",
                json!({"after": 3, "message": "It is over."}),
            ),
        ] {
            let (headers, bytes) = decode(&frame);
            assert_eq!(headers[header], name);
            assert_eq!(headers[":content-type"], "application/x-amz-json-1.1");
            let kind = if header == ":event-type" { "event" } else { "exception" };
            assert_eq!(headers[":message-type"], kind);
            assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap(), payload);
        }
    }

    #[test]
    fn a_frame_is_what_the_specification_shows() {
        // The first vector of botocore's tests: no headers, no payload.
        assert_eq!(frame(&[], b"")[..], [0, 0, 0, 16, 0, 0, 0, 0, 5, 194, 72, 235, 125, 152, 200, 255]);
    }
}
