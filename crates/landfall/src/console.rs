//! `landfall console`: a link that signs a browser in to the web pages, once.

use crate::client::ServerArguments;
use crate::exit::user_error;
use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};
use std::net::IpAddr;
use std::process::{Command, Stdio};

/// `landfall console`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    server: ServerArguments,
    /// Open it in a browser, too: $BROWSER, else xdg-open. The machine's other users may see it for a moment
    #[arg(long)]
    open: bool,
    /// As JSON: {url, expiresAt}
    #[arg(long, help_heading = "Output")]
    json: bool,
}

/// Prints the link.
pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let link = arguments.server.connect()?.operator("CreateConsoleLink", json!({})).await?;
    let url = link["url"].as_str().context("the server gave no link")?;
    println!("{}", printed(&link, url, arguments.json));
    eprintln!("The link signs one browser in, once, within five minutes.");
    if is_open_to_listeners(url) {
        eprintln!(
            "It leads over plain HTTP: whoever is on the way sees what the browser sees. `landfall serve --tls` ends that."
        );
    }
    if arguments.open { open(url, std::env::var("BROWSER").ok().as_deref()) } else { Ok(()) }
}

fn printed(link: &Value, url: &str, as_json: bool) -> String {
    if as_json { link.to_string() } else { url.to_owned() }
}

/// Whether what is sent to the link's server crosses a network as it is.
fn is_open_to_listeners(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else { return false };
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host).trim_matches(['[', ']']);
    host != "localhost" && !host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Starts the browser, which goes on by itself.
fn open(url: &str, browser: Option<&str>) -> anyhow::Result<()> {
    let program = browser.filter(|name| !name.is_empty()).unwrap_or("xdg-open");
    let started =
        Command::new(program).arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    started.map(drop).map_err(|error| {
        user_error(format!("--open: cannot start {program}: {error}. Set BROWSER to one, or open the link yourself."))
    })
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn data_is_the_link_alone_or_all_as_json() {
        let link = json!({"url": "http://127.0.0.1:1/x", "expiresAt": "2026-11-22T21:05:03Z"});
        assert_eq!(printed(&link, "http://127.0.0.1:1/x", false), "http://127.0.0.1:1/x");
        assert_eq!(printed(&link, "http://127.0.0.1:1/x", true), link.to_string());
    }

    #[test]
    fn plain_http_over_a_network_is_told_of() {
        for (url, open) in [
            ("http://127.0.0.1:4566/x", false),
            ("http://[::1]:4566/x", false),
            ("http://localhost/x", false),
            ("https://ci.example.org/x", false),
            ("http://10.0.0.5:4566/x", true),
            ("http://ci.example.org/x", true),
        ] {
            assert_eq!(is_open_to_listeners(url), open, "{url}");
        }
    }

    #[test]
    fn a_browser_that_is_not_there_is_the_users_to_name() {
        let error = open("http://127.0.0.1:1/x", Some("/nonexistent/browser")).expect_err("no browser");
        assert!(error.to_string().contains("/nonexistent/browser"), "{error}");
        assert!(!error.to_string().contains("127.0.0.1"), "{error}");
        open("http://127.0.0.1:1/x", Some("true")).expect("a browser");
    }
}
