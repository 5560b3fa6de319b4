//! `agent::names`: queries to a build's resolver, and responses of its name servers: a byte, the length of the query, both.
//!
//! Held: a reply repeats id and question, says that it is a reply, and is no longer than its question and one record; what
//! is no question is answered by a header or not at all; our own replies answer the question, and only under its id.

use agent::names::fuzz::{is_answered_by, replies, resolv_conf};
use std::net::{IpAddr, Ipv4Addr};

const HEADER: usize = 12;
const RECORD: usize = 16;

/// The body.
pub fn body(data: &[u8]) {
    let Some((length, rest)) = data.split_first() else { return };
    let (query, response) = rest.split_at(rest.len().min(usize::from(*length)));
    judge(query, response);
    if let Ok(text) = std::str::from_utf8(rest) {
        file(text);
    }
}

fn judge(query: &[u8], response: &[u8]) {
    let address = Ipv4Addr::new(127, 0, 45, 66);
    let replies = match replies(query, address) {
        Ok(replies) => replies,
        Err(refusal) => {
            assert!(refusal.is_none_or(|refusal| refusal.len() == HEADER && refusal[..2] == query[..2]));
            assert!(!is_answered_by(query, response, [query.first().copied().unwrap_or(0), 0]));
            return;
        }
    };
    let id = [query[0], query[1]];
    for reply in [&replies.answer, &replies.refusal, &replies.truncated] {
        assert!((HEADER..=query.len() + RECORD).contains(&reply.len()));
        assert!(reply[..2] == id && reply[2] & 0x80 != 0 && reply[4..6] == [0, 1]);
        assert!(reply[HEADER..].iter().zip(&query[HEADER..]).take(reply.len() - HEADER - RECORD.min(reply.len() - HEADER)).all(|(a, b)| a == b));
        assert!(is_answered_by(query, reply, id));
        assert!(!is_answered_by(query, reply, [id[0], id[1] ^ 1]), "another id");
        assert!(!is_answered_by(query, query, id), "a query is no response");
    }
    if let Some(name) = &replies.name {
        assert!(name.len() <= 253 && name.split('.').all(|label| label.len() < 64), "{name}");
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)));
    }
    if is_answered_by(query, response, id) {
        assert!(response[..2] == id && response[2] & 0x80 != 0);
    }
}

fn file(text: &str) {
    let stub = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 53));
    let (servers, file) = resolv_conf(text, stub);
    assert!(servers.len() <= 3 && !servers.contains(&stub));
    // A file that ends in the middle of Windows' end of a line is none that anybody wrote.
    if text.ends_with('\r') {
        return;
    }
    // All that the file says then is our stub, which is left out when the file is read again.
    assert_eq!(resolv_conf(&file, stub), (vec![], file.clone()));
}
