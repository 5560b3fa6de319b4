//! Condition operators: how a value of the policy is compared with one of the request.
//!
//! Source: "IAM JSON policy elements: Condition operators", IAM User Guide.

use super::context::Context;
use super::pattern::Pattern;
use kernel::Timestamp;
use std::cmp::Ordering;
use std::net::IpAddr;

/// How many of a key's values must fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantifier {
    One,
    /// `ForAllValues:`
    All,
    /// `ForAnyValue:`
    Any,
}

/// An operator by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Operator {
    pub(super) quantifier: Quantifier,
    /// `…IfExists`
    pub(super) if_exists: bool,
    /// `…Not…`: fits where no value of the policy does.
    pub(super) negated: bool,
    pub(super) comparison: Comparison,
}

/// What is compared, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    /// Whether the key is absent.
    Null,
    Equal,
    EqualIgnoringCase,
    Like,
    Arn,
    Bool,
    Binary,
    Address,
    /// Numbers in one of these orders to the policy's.
    Number(&'static [Ordering]),
    /// Times likewise.
    Time(&'static [Ordering]),
}

const EQUAL: &[Ordering] = &[Ordering::Equal];
const LESS: &[Ordering] = &[Ordering::Less];
const AT_MOST: &[Ordering] = &[Ordering::Less, Ordering::Equal];
const GREATER: &[Ordering] = &[Ordering::Greater];
const AT_LEAST: &[Ordering] = &[Ordering::Greater, Ordering::Equal];

impl Operator {
    /// `None` for a name that IAM does not have, or that Landfall does not know.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (quantifier, name) = match name.split_once(':') {
            Some(("ForAllValues", name)) => (Quantifier::All, name),
            Some(("ForAnyValue", name)) => (Quantifier::Any, name),
            Some(_) => return None,
            None => (Quantifier::One, name),
        };
        let (name, if_exists) = name.strip_suffix("IfExists").map_or((name, false), |name| (name, true));
        let (comparison, negated) = comparison(name)?;
        // "Null" asks whether the key exists: nothing more can be said of it.
        let sensible = comparison != Comparison::Null || (quantifier == Quantifier::One && !if_exists);
        sensible.then_some(Self { quantifier, if_exists, negated, comparison })
    }
}

fn comparison(name: &str) -> Option<(Comparison, bool)> {
    use Comparison::{Address, Arn, Binary, Bool, Equal, EqualIgnoringCase, Like, Null, Number, Time};
    Some(match name {
        "Null" => (Null, false),
        "StringEquals" => (Equal, false),
        "StringNotEquals" => (Equal, true),
        "StringEqualsIgnoreCase" => (EqualIgnoringCase, false),
        "StringNotEqualsIgnoreCase" => (EqualIgnoringCase, true),
        "StringLike" => (Like, false),
        "StringNotLike" => (Like, true),
        "ArnEquals" | "ArnLike" => (Arn, false),
        "ArnNotEquals" | "ArnNotLike" => (Arn, true),
        "Bool" => (Bool, false),
        "BinaryEquals" => (Binary, false),
        "IpAddress" => (Address, false),
        "NotIpAddress" => (Address, true),
        "NumericEquals" => (Number(EQUAL), false),
        "NumericNotEquals" => (Number(EQUAL), true),
        "NumericLessThan" => (Number(LESS), false),
        "NumericLessThanEquals" => (Number(AT_MOST), false),
        "NumericGreaterThan" => (Number(GREATER), false),
        "NumericGreaterThanEquals" => (Number(AT_LEAST), false),
        "DateEquals" => (Time(EQUAL), false),
        "DateNotEquals" => (Time(EQUAL), true),
        "DateLessThan" => (Time(LESS), false),
        "DateLessThanEquals" => (Time(AT_MOST), false),
        "DateGreaterThan" => (Time(GREATER), false),
        "DateGreaterThanEquals" => (Time(AT_LEAST), false),
        _ => return None,
    })
}

/// Whether `actual` fits the policy's `expected`; `None` where that cannot be read. An actual value that is of another kind
/// does not fit.
pub(super) fn fits(comparison: Comparison, expected: &str, actual: &str, variables: Option<&Context>) -> Option<bool> {
    // A text whose variable has no value fits nothing.
    let Some(pattern) = Pattern::parse(expected, variables) else { return Some(false) };
    Some(match comparison {
        Comparison::Equal | Comparison::Binary => pattern.literally() == actual,
        Comparison::EqualIgnoringCase => pattern.literally().to_lowercase() == actual.to_lowercase(),
        Comparison::Like => pattern.matches(actual),
        Comparison::Arn => pattern.matches_arn(actual),
        Comparison::Bool => boolean(&pattern.literally())? == actual.eq_ignore_ascii_case("true"),
        Comparison::Address => {
            let network = Network::parse(&pattern.literally())?;
            actual.parse().is_ok_and(|address| network.has(address))
        }
        Comparison::Number(orders) => {
            let expected: f64 = pattern.literally().parse().ok()?;
            let order = actual.parse::<f64>().ok().and_then(|actual| actual.partial_cmp(&expected));
            order.is_some_and(|order| orders.contains(&order))
        }
        Comparison::Time(orders) => {
            let expected = time(&pattern.literally())?;
            time(actual).is_some_and(|actual| orders.contains(&actual.cmp(&expected)))
        }
        // Decided by the key's presence alone.
        Comparison::Null => return None,
    })
}

/// `true` or `false`, in any case.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// ISO 8601, a date alone, or seconds since the epoch.
fn time(text: &str) -> Option<Timestamp> {
    let seconds = || text.parse().ok().map(Timestamp::from_seconds);
    let date = || Timestamp::parse_iso8601(&format!("{text}T00:00:00Z")).ok();
    Timestamp::parse_iso8601(text).ok().or_else(seconds).or_else(date)
}

/// Addresses with the same first bits.
struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// An address, or one with `/BITS`.
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Some(most), |bits| bits.parse().ok())?;
        (bits <= most).then_some(Self { address, bits })
    }

    fn has(&self, address: IpAddr) -> bool {
        let same = |a: u128, b: u128, width: u32| (a ^ b).checked_shr(width - self.bits).unwrap_or(0) == 0;
        match (self.address, address) {
            (IpAddr::V4(a), IpAddr::V4(b)) => same(a.to_bits().into(), b.to_bits().into(), 32),
            (IpAddr::V6(a), IpAddr::V6(b)) => same(a.to_bits(), b.to_bits(), 128),
            _ => false,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_operators() {
        for (name, known) in [
            ("StringEquals", true),
            ("StringEqualsIfExists", true),
            ("ForAllValues:StringLike", true),
            ("ForAnyValue:StringNotEqualsIfExists", true),
            ("Null", true),
            ("NullIfExists", false),
            ("ForAllValues:Null", false),
            ("ForSomeValues:StringLike", false),
            ("stringequals", false),
            ("IfExists", false),
            ("", false),
        ] {
            assert_eq!(Operator::parse(name).is_some(), known, "{name}");
        }
        assert!(Operator::parse("StringNotLike").unwrap().negated);
    }

    #[test]
    fn values_are_compared_by_their_kind() {
        for (name, expected, actual, fit) in [
            ("StringEquals", "a*", "a*", Some(true)),
            ("StringEquals", "a*", "ab", Some(false)),
            ("StringEqualsIgnoreCase", "Straße", "sTRAßE", Some(true)),
            ("StringLike", "a*", "ab", Some(true)),
            ("StringLike", "a?", "abc", Some(false)),
            ("ArnLike", "arn:aws:iam::*:role/a*", "arn:aws:iam::1:role/ab", Some(true)),
            ("ArnEquals", "arn:aws:iam::1:role/a", "arn:aws:iam::1:role/b", Some(false)),
            ("Bool", "TRUE", "true", Some(true)),
            ("Bool", "false", "true", Some(false)),
            ("Bool", "yes", "true", None),
            ("NumericEquals", "3.0", "3", Some(true)),
            ("NumericLessThan", "3", "3", Some(false)),
            ("NumericLessThanEquals", "3", "3", Some(true)),
            ("NumericGreaterThan", "-1", "0", Some(true)),
            ("NumericGreaterThanEquals", "3", "no number", Some(false)),
            ("NumericEquals", "three", "3", None),
            ("DateLessThan", "2015-08-30T12:36:01Z", "2015-08-30T12:36:00Z", Some(true)),
            ("DateGreaterThan", "2015-08-30", "2015-08-30T12:36:00Z", Some(true)),
            ("DateEquals", "1440938160", "2015-08-30T12:36:00Z", Some(true)),
            ("DateLessThanEquals", "soon", "2015-08-30T12:36:00Z", None),
            ("IpAddress", "10.0.0.0/8", "10.1.2.3", Some(true)),
            ("IpAddress", "10.0.0.0/8", "11.1.2.3", Some(false)),
            ("IpAddress", "10.1.2.3", "10.1.2.3", Some(true)),
            ("IpAddress", "0.0.0.0/0", "8.8.8.8", Some(true)),
            ("IpAddress", "0.0.0.0/0", "::1", Some(false)),
            ("IpAddress", "fd00::/8", "fd12::1", Some(true)),
            ("IpAddress", "::/0", "::1", Some(true)),
            ("IpAddress", "10.0.0.0/33", "10.1.2.3", None),
            ("IpAddress", "10.0.0.0/8", "no address", Some(false)),
            ("BinaryEquals", "QmluYXJ5", "QmluYXJ5", Some(true)),
        ] {
            let comparison = Operator::parse(name).unwrap().comparison;
            assert_eq!(fits(comparison, expected, actual, None), fit, "{name} {expected} {actual}");
        }
    }

    proptest! {
        #[test]
        fn orders_of_numbers_are_those_of_numbers(expected in -50_i32..50, actual in -50_i32..50) {
            let fits = |name| fits(Operator::parse(name).unwrap().comparison, &expected.to_string(), &actual.to_string(), None);
            prop_assert_eq!(fits("NumericLessThan"), Some(actual < expected));
            prop_assert_eq!(fits("NumericGreaterThanEquals"), Some(actual >= expected));
            prop_assert_eq!(fits("NumericEquals"), Some(actual == expected));
        }

        #[test]
        fn a_network_has_its_own_addresses(bits in 0_u32..=32, address in any::<u32>(), other in any::<u32>()) {
            let (a, b) = (std::net::Ipv4Addr::from(address), std::net::Ipv4Addr::from(other));
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            let within = fits(Comparison::Address, &format!("{a}/{bits}"), &b.to_string(), None);
            prop_assert_eq!(within, Some(address & mask == other & mask));
        }
    }
}
