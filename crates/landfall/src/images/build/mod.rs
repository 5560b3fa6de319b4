//! `landfall images build`: an image made here, out of Debian's packages by `mmdebstrap`, as root or without.
//!
//! [`recipe`] says what is in it, [`apt`] where this machine gets packages, [`debootstrap`] makes the root and [`hook`]
//! finishes it; its tar goes straight into the store.

mod apt;
mod debootstrap;
mod hook;
mod recipe;

use super::progress::Line;
use super::show::{json, line};
use super::store::{Store, told};
use crate::exit::user_error;
use crate::span;
use clap::Subcommand;
use debootstrap::Root;
use images::{Image, Images, Registries, RunConfig};
use recipe::{Order, Recipe};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// The name under which builds on `aws/codebuild/*` look for it.
const STANDARD: &str = "landfall/standard:latest";
/// The suite where the machine is no Debian.
const USUAL_SUITE: &str = "bookworm";
/// Where certificates that a machine trusts are, on Debian and on Fedora.
const AUTHORITIES: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/// `landfall images build`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    image: Recipes,
}

#[derive(Debug, Subcommand)]
enum Recipes {
    /// The build environment that answers to aws/codebuild/*, with its runtime-versions
    Standard(Standard),
}

/// `landfall images build standard`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  landfall images build standard                        what most builds need: 1.3 GB
  landfall images build standard --with python,aws          these parts alone
  landfall images build standard --without java,docker
  landfall images build standard --list")]
struct Standard {
    /// These parts and no others, `all` or `none`; see --list
    #[arg(long, value_name = "PARTS", value_delimiter = ',')]
    with: Vec<String>,
    /// All usual parts but these
    #[arg(long, value_name = "PARTS", value_delimiter = ',')]
    without: Vec<String>,
    /// Print the parts, and make nothing
    #[arg(long)]
    list: bool,
    /// A further name for the image
    #[arg(long, value_name = "REF")]
    tag: Option<String>,
    /// Debian's release; default: this machine's, else bookworm
    #[arg(long, value_name = "NAME", help_heading = "Packages")]
    suite: Option<String>,
    /// Where packages come from; default: as this machine's apt, else deb.debian.org
    #[arg(long, value_name = "URL", help_heading = "Packages")]
    mirror: Option<String>,
    #[command(flatten)]
    store: Store,
    /// The image as JSON, as in `images ls --json`
    #[arg(long, help_heading = "Output")]
    json: bool,
}

/// Makes the image, and prints its id.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let Recipes::Standard(arguments) = &arguments.image;
    let recipe = Recipe::standard()?;
    if arguments.list {
        println!("{}", recipe.lines().join("\n"));
        return Ok(());
    }
    let order = recipe.order(&arguments.with, &arguments.without).map_err(user_error)?;
    let root = root(arguments, &order)?;
    let images = arguments.store.open(Registries::default())?;
    let begun = Instant::now();
    let image = make(&images, &root, &order, arguments.tag.as_deref())?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&json(&image))?);
        return Ok(());
    }
    eprintln!("{} (made in {})", line(&image), span::said(begun.elapsed()));
    eprintln!("Builds on aws/codebuild/* run on it from now on, where no --image-map says else.");
    println!("{}", image.id);
    Ok(())
}

fn root(arguments: &Standard, order: &Order<'_>) -> anyhow::Result<Root> {
    let os_release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let suite = arguments.suite.as_deref().or_else(|| apt::own_suite(&os_release)).unwrap_or(USUAL_SUITE);
    if suite.is_empty()
        || !suite.chars().all(|c| c.is_ascii_alphanumeric() || "-./".contains(c))
        || suite.starts_with('-')
    {
        return Err(user_error(format!("--suite {suite:?} is no release of Debian, such as bookworm or trixie")));
    }
    let sources = match &arguments.mirror {
        Some(url) => mirror(url, suite)?,
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

fn mirror(url: &str, suite: &str) -> anyhow::Result<Vec<String>> {
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

/// Runs `mmdebstrap` into the store.
fn make(images: &Images, root: &Root, order: &Order<'_>, tag: Option<&str>) -> anyhow::Result<Image> {
    let parts = order.names().join(", ");
    let shown = Line::begin(&format!("Making {STANDARD} of Debian {}: {parts}", root.suite));
    let steps = shown.clone();
    let mut tar = root.begin(move |said| {
        if let Some(step) = step(said) {
            steps.step(&format!("  {step}"));
        }
    })?;
    let config = RunConfig { env: order.environment(), ..RunConfig::default() };
    let imported = images.import(&mut tar, &config, STANDARD);
    // What the program says of its failure is better than that its tar ended too soon.
    let ended = tar.end();
    shown.end();
    ended?;
    let image = imported.map_err(told)?;
    match tag {
        Some(tag) => images.tag(&image.id, tag).map_err(told),
        None => Ok(image),
    }
}

/// What people are told of what `mmdebstrap` says.
fn step(said: &str) -> Option<&str> {
    const STEPS: [(&str, &str); 6] = [
        ("running apt-get update", "reading what packages there are"),
        ("downloading packages", "downloading packages"),
        ("installing essential", "installing Debian's essential packages"),
        ("installing remaining", "installing the others"),
        ("running --customize-hook", "setting the parts up, writing the table of runtimes"),
        ("creating tarball", "storing the image"),
    ];
    STEPS.iter().find(|(start, _)| said.starts_with(start)).map(|(_, step)| *step)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
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
    fn people_are_told_the_steps_alone() {
        assert_eq!(step("running apt-get update..."), Some("reading what packages there are"));
        assert_eq!(step("using /tmp/mmdebstrap.x as tempdir"), None);
    }

    #[test]
    fn a_mirror_is_an_url() {
        assert_eq!(mirror("http://m.example/debian", "trixie").unwrap(), ["deb http://m.example/debian trixie main"]);
        for bad in ["m.example", "http://a b", ""] {
            assert!(mirror(bad, "trixie").is_err(), "{bad}");
        }
    }
}
