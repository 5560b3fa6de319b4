//! What of this machine goes into the making of an image: its suite, its sources of packages, its proxies, its trust.

use super::apt;
use super::debootstrap::Root;
use super::hook;
use super::recipe::Order;
use crate::exit::user_error;
use std::path::Path;
use std::process::{Command, Stdio};

/// The suite where the machine is no Debian.
const USUAL_SUITE: &str = "bookworm";
/// Where certificates that a machine trusts are, on Debian and on Fedora.
const AUTHORITIES: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/// The root to make: of `suite`, else this machine's; out of `mirror`, else out of where this machine's apt gets packages.
///
/// # Errors
/// A suite or a mirror that cannot be one.
pub(super) fn root(suite: Option<&str>, mirror: Option<&str>, order: &Order<'_>) -> anyhow::Result<Root> {
    let os_release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let suite = suite.or_else(|| apt::own_suite(&os_release)).unwrap_or(USUAL_SUITE);
    if suite.is_empty()
        || !suite.chars().all(|c| c.is_ascii_alphanumeric() || "-./".contains(c))
        || suite.starts_with('-')
    {
        return Err(user_error(format!("--suite {suite:?} is no release of Debian, such as bookworm or trixie")));
    }
    let sources = match mirror {
        Some(url) => archive(url, suite)?,
        None => apt::lines(&apt::files(Path::new("/etc/apt")), suite),
    };
    let authorities = crate::config::variable("PIP_CERT").or_else(|| crate::config::variable("SSL_CERT_FILE"));
    let authorities =
        authorities.or_else(|| AUTHORITIES.into_iter().find(|file| Path::new(file).is_file()).map(str::to_owned));
    Ok(Root {
        suite: suite.to_owned(),
        sources,
        packages: order.packages().into_iter().map(str::to_owned).collect(),
        hook: hook::script(order, authorities.as_deref()),
        apt: proxies(),
    })
}

fn archive(url: &str, suite: &str) -> anyhow::Result<Vec<String>> {
    let plain = ["http://", "https://", "file:/"].iter().any(|start| url.starts_with(start));
    if !plain || url.contains(char::is_whitespace) {
        return Err(user_error(format!("--mirror {url:?} is no archive's URL, such as http://deb.debian.org/debian")));
    }
    Ok(vec![format!("deb {url} {suite} main")])
}

/// The proxies that this machine's apt uses.
fn proxies() -> Vec<String> {
    let output =
        Command::new("apt-config").args(["dump", "Acquire"]).stdin(Stdio::null()).stderr(Stdio::null()).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().filter(|line| is_proxy(line)).map(str::to_owned).collect()
}

fn is_proxy(line: &str) -> bool {
    line.split_once(' ').is_some_and(|(key, value)| {
        let key = key.to_ascii_lowercase();
        (key.ends_with("::proxy") || key.contains("::proxy::"))
            && !value.trim_end_matches(';').trim_matches('"').is_empty()
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::recipe::Recipe;
    use super::*;

    #[test]
    fn proxies_are_known_among_apts_settings() {
        for (line, expected) in [
            ("Acquire::http::Proxy \"http://p.example:3142\";", true),
            ("Acquire::https::proxy::mirror.example \"DIRECT\";", true),
            ("Acquire::http::Proxy \"\";", false),
            ("Acquire::http \"\";", false),
            ("Acquire::Retries \"3\";", false),
        ] {
            assert_eq!(is_proxy(line), expected, "{line}");
        }
    }

    #[test]
    fn a_mirror_is_an_url() {
        assert_eq!(archive("http://m.example/debian", "trixie").unwrap(), ["deb http://m.example/debian trixie main"]);
        for bad in ["m.example", "http://a b", ""] {
            assert!(archive(bad, "trixie").is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_asked_for_goes_before_what_the_machine_has() {
        let recipe = Recipe::standard().unwrap();
        let order = recipe.order(&["none".to_owned()], &[]).unwrap();
        let made = root(Some("trixie"), Some("http://m.example/debian"), &order).unwrap();
        assert_eq!((made.suite.as_str(), made.sources.len()), ("trixie", 1));
        for bad in ["", "-x", "a b", "$(x)"] {
            assert!(root(Some(bad), None, &order).is_err(), "{bad}");
        }
    }
}
