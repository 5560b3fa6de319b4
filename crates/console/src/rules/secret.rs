//! What is kept of a secret, and what is made of one.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// What the store keeps of a token of 256 random bits.
pub(crate) fn hash(token: &str) -> String {
    hex::encode(Sha256::digest(token))
}

/// What a session's forms carry: known to its pages, of no use as a cookie.
pub(crate) fn form_token(cookie: &str) -> String {
    hex::encode(Sha256::digest(format!("landfall console form\0{cookie}")))
}

/// Compares without telling by its time where they differ.
pub(crate) fn same(left: &str, right: &str) -> bool {
    left.as_bytes().ct_eq(right.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_token_is_one_cookies_own() {
        assert_eq!(form_token("a"), form_token("a"));
        assert_ne!(form_token("a"), form_token("b"));
        assert_ne!(form_token("a"), hash("a"));
        assert_eq!(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn comparison() {
        for (left, right, equal) in [("", "", true), ("a", "a", true), ("a", "b", false), ("a", "", false)] {
            assert_eq!(same(left, right), equal, "{left} {right}");
        }
    }
}
