//! `nextToken`s: where a list goes on.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;

use crate::Stored;

/// The longest token that is looked at, in bytes.
const LONGEST: usize = 8_000;

/// How many bytes of the query's digest a token carries.
const BOUND: usize = 8;

/// A place in the list that one query gives. It is opaque and says nothing that its reader does not know;
/// with another query it is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    position: String,
}

/// A token that was not given for this query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token is invalid: it was not returned by this operation with these parameters")]
pub struct InvalidToken;

impl Token {
    /// The place behind `position` ([`Stored::position`]).
    pub fn new(position: impl Into<String>) -> Self {
        Self { position: position.into() }
    }

    /// The text for the client. `query` names operation, account, region and every parameter that decides
    /// what the list holds, for example `ListBuildsForProject/000000000000/us-east-1/demo/DESCENDING`.
    #[must_use]
    pub fn encode(&self, query: &str) -> String {
        URL_SAFE_NO_PAD.encode([&bound(query)[..], self.position.as_bytes()].concat())
    }

    /// Reads a client's token for the same `query`.
    pub fn parse(query: &str, text: &str) -> Result<Self, InvalidToken> {
        if text.len() > LONGEST {
            return Err(InvalidToken);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidToken)?;
        let position = bytes.strip_prefix(&bound(query)).ok_or(InvalidToken)?;
        let position = String::from_utf8(position.to_vec()).map_err(|_| InvalidToken)?;
        Ok(Self { position })
    }

    /// For [`Page::after`](crate::Page::after).
    #[must_use]
    pub fn position(&self) -> &str {
        &self.position
    }

    /// For [`Page::after`](crate::Page::after).
    #[must_use]
    pub fn into_position(self) -> String {
        self.position
    }
}

fn bound(query: &str) -> [u8; BOUND] {
    let whole = digest::digest(&digest::SHA256, query.as_bytes());
    let mut bound = [0; BOUND];
    bound.copy_from_slice(&whole.as_ref()[..BOUND]);
    bound
}

/// The place of an optional token, for [`Page::after`](crate::Page::after).
pub fn start(query: &str, token: Option<&str>) -> Result<Option<String>, InvalidToken> {
    token.map(|text| Token::parse(query, text).map(Token::into_position)).transpose()
}

/// Cuts a list that was read with `limit + 1` down to `limit`, with the token to go on if there is more.
#[must_use]
pub fn cut<T>(mut documents: Vec<Stored<T>>, limit: usize, query: &str) -> (Vec<Stored<T>>, Option<String>) {
    if documents.len() <= limit {
        return (documents, None);
    }
    documents.truncate(limit);
    let token = documents.last().map(|last| Token::new(last.position()).encode(query));
    (documents, token)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_token_reads_back_for_its_query_only(query in ".{0,40}", other in ".{0,40}", position in ".{0,60}") {
            let text = Token::new(position.clone()).encode(&query);
            prop_assert_eq!(start(&query, Some(&text)), Ok(Some(position)));
            prop_assert_eq!(Token::parse(&other, &text).is_ok(), other == query);
        }

        #[test]
        fn any_text_may_be_tried(text in ".{0,60}") {
            prop_assert!(Token::parse("q", &text).is_err());
        }
    }

    #[test]
    fn a_full_page_has_a_token_and_the_last_has_none() {
        let stored = |n: u32| Stored { version: 1, value: n, position: n.to_string() };
        let (page, token) = cut((1..=3).map(stored).collect(), 2, "q");
        assert_eq!(page.len(), 2);
        assert_eq!(start("q", token.as_deref()), Ok(Some("2".to_owned())));
        assert_eq!(cut(vec![stored(3)], 2, "q").1, None);
        assert_eq!(Token::parse("q", &"A".repeat(LONGEST + 1)), Err(InvalidToken));
    }
}
