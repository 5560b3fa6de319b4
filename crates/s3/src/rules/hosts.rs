//! Which bucket a host name means (Amazon S3 User Guide, "Virtual hosting of buckets").
//!
//! The bucket's name may have dots. Hosts: `BUCKET.s3.REGION.amazonaws.com` and its older forms, `BUCKET.s3.localhost`,
//! `BUCKET.localhost`, and `BUCKET.HOST` where HOST is that of `--public-url`.

/// A name below `.localhost` that is a service and no bucket.
const SERVICES: &[&str] = &["s3", "localhost", "landfall"];

/// The bucket that `host` means, if it means one: then the whole path is the key. `public` is the host of `--public-url`.
pub(crate) fn bucket<'h>(host: &'h str, public: Option<&str>) -> Option<&'h str> {
    let host = without_port(host);
    let name = if let Some(name) = below(host, "localhost") {
        below(name, "s3").or((!SERVICES.contains(&name)).then_some(name))
    } else if let Some(name) = below(host, "amazonaws.com").or_else(|| below(host, "amazonaws.com.cn")) {
        below_s3(name)
    } else {
        let name = below(host, without_port(public?))?;
        below(name, "s3").or((!SERVICES.contains(&name)).then_some(name))
    };
    name.filter(|name| !name.is_empty())
}

/// The text before `.domain`, without regard to case.
fn below<'h>(host: &'h str, domain: &str) -> Option<&'h str> {
    let at = host.len().checked_sub(domain.len())?;
    let (name, end) = (host.get(..at)?, host.get(at..)?);
    if end.eq_ignore_ascii_case(domain) { name.strip_suffix('.') } else { None }
}

/// The bucket before `s3`, `s3.REGION`, `s3-REGION` or `s3.dualstack.REGION`; a bucket may itself hold `.s3.`, so the
/// last one counts.
fn below_s3(name: &str) -> Option<&str> {
    let labels = |at: usize| name.get(at..).unwrap_or_default();
    let mut starts: Vec<usize> = name.match_indices('.').map(|(at, _)| at + 1).collect();
    starts.reverse();
    let at = starts.into_iter().find(|at| is_endpoint(labels(*at)))?;
    name.get(..at - 1)
}

fn is_endpoint(labels: &str) -> bool {
    let parts: Vec<&str> = labels.split('.').collect();
    match parts[..] {
        ["s3"] => true,
        [one] => one.strip_prefix("s3-").is_some_and(is_region),
        ["s3", region] => is_region(region),
        ["s3", "dualstack", region] => is_region(region),
        _ => false,
    }
}

/// `eu-west-1`, `us-gov-west-1`: ends in a number behind a hyphen.
fn is_region(text: &str) -> bool {
    let number = text.rsplit_once('-').map(|(_, number)| number);
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hosts_mean_buckets_or_the_service() {
        let table = [
            ("127.0.0.1:4566", None),
            ("[::1]:4566", None),
            ("localhost:4566", None),
            ("s3.localhost:4566", None),
            ("landfall.localhost", None),
            ("b.localhost:4566", Some("b")),
            ("my.b.localhost", Some("my.b")),
            ("b.s3.localhost:4566", Some("b")),
            ("B.S3.LocalHost", Some("B")),
            ("s3.amazonaws.com", None),
            ("s3.eu-west-1.amazonaws.com", None),
            ("b.s3.amazonaws.com", Some("b")),
            ("b.s3.eu-west-1.amazonaws.com:443", Some("b")),
            ("b.s3-eu-west-1.amazonaws.com", Some("b")),
            ("b.s3.dualstack.eu-west-1.amazonaws.com", Some("b")),
            ("b.s3.cn-north-1.amazonaws.com.cn", Some("b")),
            ("a.s3.b.s3.us-gov-west-1.amazonaws.com", Some("a.s3.b")),
            ("codebuild.eu-west-1.amazonaws.com", None),
            ("ci.example.org", None),
            ("b.ci.example.org:8443", Some("b")),
            ("b.s3.ci.example.org", Some("b")),
            ("s3.ci.example.org", None),
            ("example.org", None),
            ("xci.example.org", None),
            ("", None),
            (".localhost", None),
        ];
        for (host, expected) in table {
            assert_eq!(bucket(host, Some("ci.example.org:8443")), expected, "{host}");
        }
        assert_eq!(bucket("b.ci.example.org", None), None);
    }

    proptest! {
        /// Any bucket's name is found again in AWS's own form of host.
        #[test]
        fn buckets_are_found_again(name in "[a-z0-9][a-z0-9.-]{1,30}[a-z0-9]") {
            let host = format!("{name}.s3.eu-west-1.amazonaws.com");
            prop_assert_eq!(bucket(&host, None), Some(name.as_str()));
        }

        /// Nothing that anybody sends makes it fail.
        #[test]
        fn any_text_is_a_host(host in "\\PC{0,40}", public in "\\PC{0,10}") {
            let _ = bucket(&host, Some(&public));
        }
    }
}
