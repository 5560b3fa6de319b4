//! Access key ids carry their account, as AWS's do: that is how `sts:GetAccessKeyInfo` answers for any id, and how the
//! door finds a key's document without an index over all accounts.
//!
//! An id is four letters and 16 base32 digits (80 bits). Of their first 48 bits, bits 7 to 46 are the account number; the
//! rest is random.

/// RFC 4648 base32, the alphabet of ids.
pub(crate) const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Prefix of long-term keys.
pub(crate) const LONG_TERM: &str = "AKIA";
/// Prefix of temporary keys, which come with a session token.
pub(crate) const TEMPORARY: &str = "ASIA";

/// Bits of the 80 below the account number.
const SHIFT: u32 = 32 + 7;
/// The account's 40 bits in place.
const ACCOUNT: u128 = ((1 << 40) - 1) << SHIFT;
/// Largest number with twelve digits.
const LARGEST_ACCOUNT: u128 = 999_999_999_999;

/// The id that `random` (16 letters of [`ALPHABET`]) gives for an account.
pub(crate) fn encode(prefix: &str, account: &str, random: &str) -> String {
    let account = account.parse::<u128>().unwrap_or(0).min(LARGEST_ACCOUNT);
    let bits = digits(random).unwrap_or(0) & !ACCOUNT | account << SHIFT;
    let letters = ALPHABET.as_bytes();
    let digit = |position: u32| char::from(letters[(bits >> (5 * position) & 31) as usize]);
    prefix.chars().chain((0..16).rev().map(digit)).collect()
}

/// The account of an id in this form; twelve digits.
pub(crate) fn account(id: &str) -> Option<String> {
    let rest = id.strip_prefix(LONG_TERM).or_else(|| id.strip_prefix(TEMPORARY))?;
    let account = (digits(rest)? & ACCOUNT) >> SHIFT;
    (account <= LARGEST_ACCOUNT).then(|| format!("{account:012}"))
}

/// Whether an access key is twelve digits: in open mode it names the account.
pub(crate) fn is_account(id: &str) -> bool {
    id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit())
}

fn digits(text: &str) -> Option<u128> {
    if text.len() != 16 {
        return None;
    }
    text.chars().try_fold(0, |bits: u128, letter| Some(bits << 5 | ALPHABET.find(letter)? as u128))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_the_account_of_a_real_id() {
        // "A short note on AWS KEY ID" (Tal Be'ery, 2023) publishes this id with its account.
        assert_eq!(account("ASIAQNZGKIQY56JQ7WML").as_deref(), Some("029608264753"));
    }

    #[test]
    fn what_is_no_id_has_no_account() {
        for id in ["", "AKIA", "AKIAQNZGKIQY56JQ7WM1", "XXXXQNZGKIQY56JQ7WML", "AKIAé", "AKIA7777777777777777"] {
            assert_eq!(account(id), None, "{id}");
        }
        assert!(is_account("123456789012"));
        assert!(!is_account("12345678901") && !is_account("12345678901x"));
    }

    proptest! {
        #[test]
        fn an_id_gives_back_its_account(account in 0_u64..=999_999_999_999, random in "[A-Z2-7]{16}") {
            let account = format!("{account:012}");
            let id = encode(LONG_TERM, &account, &random);
            prop_assert_eq!(id.len(), 20);
            prop_assert_eq!(super::account(&id).unwrap(), account);
        }

        #[test]
        fn reading_never_panics(id in "\\PC{0,24}") {
            let _ = account(&id);
        }
    }
}
