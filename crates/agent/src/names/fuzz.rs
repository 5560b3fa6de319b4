//! A door for `fuzz/bodies`: the resolver's messages and files.

use super::message::{Question, Refusal, refuse_unread};
use super::resolv_conf;
use std::net::{IpAddr, Ipv4Addr};

/// What the resolver can say to a query.
#[derive(Debug, PartialEq, Eq)]
pub struct Replies {
    /// The name that is asked for, where it is a host's.
    pub name: Option<String>,
    /// That it has this address.
    pub answer: Vec<u8>,
    /// That there is none.
    pub refusal: Vec<u8>,
    /// That it does not fit.
    pub truncated: Vec<u8>,
}

/// The replies to a query, or the refusal of what is none; nothing where silence is the answer.
///
/// # Errors
/// The refusal.
pub fn replies(query: &[u8], address: Ipv4Addr) -> Result<Replies, Option<Vec<u8>>> {
    let question = Question::read(query).map_err(|refusal| refusal.map(|refusal| refuse_unread(query, refusal)))?;
    Ok(Replies {
        answer: question.answer(query, address),
        refusal: question.refuse(query, Refusal::NoSuchName),
        truncated: question.truncated(query),
        name: question.name,
    })
}

/// Whether `response` answers `query` under the id that it was sent on with.
#[must_use]
pub fn is_answered_by(query: &[u8], response: &[u8], id: [u8; 2]) -> bool {
    Question::read(query).is_ok_and(|question| question.is_answered_by(query, response, id))
}

/// The name servers of a `resolv.conf`, and the file with the stub in their place.
#[must_use]
pub fn resolv_conf(text: &str, stub: IpAddr) -> (Vec<IpAddr>, String) {
    let servers = resolv_conf::name_servers(text, stub).iter().map(std::net::SocketAddr::ip).collect();
    (servers, resolv_conf::rewritten(text, stub))
}
