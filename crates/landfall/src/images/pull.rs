//! `landfall images pull`.

use super::progress::Line;
use super::show::{json, line};
use super::store::{Store, told};
use crate::exit::user_error;
use crate::run::image::{CURATED, HOST};
use images::{ImageError, ImageRequest, Password, Platform, PullPolicy, Registries, RegistryCredentials};
use std::io::Read as _;

/// The longest password that is read, in bytes; ECR's have 2,000.
const LONGEST_PASSWORD: u64 = 64 * 1024;

/// `landfall images pull`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  landfall images pull debian:12
  landfall images pull --platform linux/arm64 public.ecr.aws/docker/library/alpine:3
  aws ecr get-login-password | landfall images pull --username AWS --password-stdin \\
      123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1
  landfall images pull --registry-mirror docker.io=http://mirror.example:5000 debian:12")]
pub(super) struct Arguments {
    /// The image, as in `docker pull`: name:tag or name@sha256:…, with the registry's host or Docker Hub's
    #[arg(value_name = "REF")]
    reference: String,
    /// For which machine, such as linux/arm64; default: this one
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<Platform>,
    /// The registry's user
    #[arg(long, requires = "password_stdin", help_heading = "Registry")]
    username: Option<String>,
    /// Read the user's password from standard input
    #[arg(long, requires = "username", help_heading = "Registry")]
    password_stdin: bool,
    /// Ask URL for the images of registry HOST before HOST itself; default: as the server's configuration says
    #[arg(long, value_name = "HOST=URL", help_heading = "Registry")]
    registry_mirror: Vec<String>,
    /// Trust the certificates in this file (PEM) too; default: as the server's configuration says
    #[arg(long, value_name = "FILE", help_heading = "Registry")]
    registry_ca: Vec<String>,
    #[command(flatten)]
    store: Store,
    /// The image as JSON, as in `images ls --json`
    #[arg(long, help_heading = "Output")]
    json: bool,
}

/// Pulls, and prints the image's id.
pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    if arguments.reference == HOST {
        return Err(user_error("image host is this machine's own files: there is nothing to pull"));
    }
    let images = arguments.store.open(registries(&arguments)?)?;
    let credentials = match arguments.username {
        Some(username) => Some(RegistryCredentials { username, password: Password(password()?) }),
        None => None,
    };
    let shown = Line::begin(&format!("Pulling {}", crate::terminal::printable(&arguments.reference)));
    let curated = arguments.reference.starts_with(CURATED);
    let request = ImageRequest {
        reference: arguments.reference,
        credentials,
        progress: shown.pull(),
        platform: arguments.platform,
        pull: PullPolicy::Always,
    };
    let image = tokio::select! {
        pulled = images.pull(&request) => pulled.map_err(|error| explain(curated, error)),
        _ = tokio::signal::ctrl_c() => Err(crate::exit::Interrupted.into()),
    };
    shown.end();
    let image = image?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&json(&image))?);
    } else {
        eprintln!("{}", line(&image));
        println!("{}", image.id);
    }
    Ok(())
}

/// An error of a pull: what AWS's own images are called is on no registry, unless somebody's mirror has it.
fn explain(curated: bool, error: ImageError) -> anyhow::Error {
    match error {
        ImageError::Unknown(said) | ImageError::Unauthorized(said) | ImageError::Unreachable(said) if curated => {
            user_error(format!(
                "{said}\nAWS's own images are on no registry under this name: `landfall images build standard` makes one that \
                 builds on aws/codebuild/* run on"
            ))
        }
        other => told(other),
    }
}

fn registries(arguments: &Arguments) -> anyhow::Result<Registries> {
    let mut registries = Registries::default();
    for mirror in &or_configured(&arguments.registry_mirror, "registry-mirror")? {
        let (host, url) = mirror.split_once('=').ok_or_else(|| {
            user_error(format!(
                "--registry-mirror {mirror}: must be HOST=URL, such as docker.io=https://mirror.example"
            ))
        })?;
        registries = registries.mirror(host, url).map_err(told)?;
    }
    for file in or_configured(&arguments.registry_ca, "registry-ca")? {
        registries = registries.trusting(file);
    }
    Ok(registries)
}

/// What was given, else what the server's configuration says.
fn or_configured(given: &[String], key: &str) -> anyhow::Result<Vec<String>> {
    if given.is_empty() { crate::config::server_values(key, &crate::config::variable) } else { Ok(given.to_vec()) }
}

/// The password on standard input, without the end of its line.
fn password() -> anyhow::Result<String> {
    let mut text = String::new();
    let read = std::io::stdin().lock().take(LONGEST_PASSWORD).read_to_string(&mut text);
    read.map_err(|error| user_error(format!("the password on standard input cannot be read: {error}")))?;
    let password = text.trim_end_matches(['\n', '\r']);
    if password.is_empty() {
        return Err(user_error(
            "there is no password on standard input: aws ecr get-login-password | landfall images pull …",
        ));
    }
    Ok(password.to_owned())
}
