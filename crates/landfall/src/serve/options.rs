//! The command line of `landfall serve`.

use super::size::Size;
use crate::exit::user_error;
use clap::{Args, ValueEnum};
use kernel::{Keep, Retention};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Where it listens, unless the user says else: the port that awslocal, cdklocal and tflocal use.
pub(crate) const LISTEN: &str = "127.0.0.1:4566";
/// Where everything is kept, unless the user says else.
pub(crate) const DATA_DIR: &str = "landfall-data";
/// How many containers are prepared for one image, unless the user says else: a pipeline of two builds finds one for each.
const PREPARED: usize = 2;

/// `landfall serve`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) source: crate::config::Source,
    #[command(flatten)]
    pub(crate) options: Options,
}

/// How `landfall serve` runs. Each field is a flag, a key of the configuration file and an environment variable; see
/// [`crate::config`].
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Address and port; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = LISTEN, value_parser = address, help_heading = "Server")]
    pub(crate) listen: SocketAddr,
    /// Where everything is kept
    #[arg(long, value_name = "DIR", default_value = DATA_DIR, help_heading = "Server")]
    pub(crate) data_dir: PathBuf,
    /// `enforce` checks signatures; `open` takes any credentials, on loopback only
    #[arg(long, value_enum, default_value_t = Auth::Enforce, help_heading = "Server")]
    pub(crate) auth: Auth,
    /// What runs containers; `auto` takes a Docker or Podman daemon where one answers, else the sandbox
    #[arg(long, value_enum, default_value_t = Engine::Auto, help_heading = "Builds")]
    pub(crate) engine: Engine,
    /// The daemon's socket, e.g. unix:///run/podman/podman.sock; else DOCKER_HOST's, or it is looked for
    #[arg(long, value_name = "URL", help_heading = "Builds")]
    pub(crate) docker_host: Option<String>,
    /// Run images that match GLOB as image REF, e.g. 'aws/codebuild/*=host'
    #[arg(long, value_name = "GLOB=REF", value_parser = image_map, help_heading = "Builds")]
    pub(crate) image_map: Vec<(String, String)>,
    /// A folder that image `host` sees read-only; its bin goes first on PATH
    #[arg(long, value_name = "PATH", help_heading = "Builds")]
    pub(crate) host_share: Vec<PathBuf>,
    /// Let builds use image `host`, which guards against accidents only
    #[arg(long, help_heading = "Builds")]
    pub(crate) trust_host_image: bool,
    /// What makes the sandbox's containers: `auto` takes crun where it works, else runc; or a program's path
    #[arg(long, value_name = "PROGRAM", default_value = "auto", value_parser = oci_runtime, help_heading = "Builds")]
    pub(crate) oci_runtime: engine::RuntimeChoice,
    /// What a build may write to its disk at most, e.g. 20G; or `none`
    #[arg(long, value_name = "SIZE", default_value = "64G", value_parser = str::parse::<Size>, help_heading = "Builds")]
    pub(crate) build_disk: Size,
    /// Run builds also where their memory, processors and processes cannot be limited
    #[arg(long, help_heading = "Builds")]
    pub(crate) without_limits: bool,
    /// How many builds run at once; the others wait [default: one for each processor]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Builds")]
    pub(crate) builds_at_once: Option<u16>,
    /// How builds in the sandbox reach other networks; `auto` takes the first that works
    #[arg(long, value_enum, default_value_t = BuildNetwork::Auto, help_heading = "Builds")]
    pub(crate) build_network: BuildNetwork,
    /// Whether AWS's names lead to Landfall inside of builds: sts.us-east-1.amazonaws.com, an account's ECR registry, …
    #[arg(long, value_enum, default_value_t = BuildNames::On, help_heading = "Builds")]
    pub(crate) build_names: BuildNames,
    /// How many containers wait, prepared, for each image and size that builds use; 0 for none [default: 2, 0 with dummy]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(0..=32), help_heading = "Builds")]
    pub(crate) pool: Option<u8>,
    /// Ask URL for the images of registry HOST before HOST itself, e.g. docker.io=http://mirror.lan:5000
    #[arg(long, value_name = "HOST=URL", value_parser = super::images::mirror, help_heading = "Builds")]
    pub(crate) registry_mirror: Vec<(String, String)>,
    /// Trust the certificates in FILE (PEM) of registries and mirrors too
    #[arg(long, value_name = "FILE", help_heading = "Builds")]
    pub(crate) registry_ca: Vec<PathBuf>,
    /// How large an image may be at most, unpacked, e.g. 20G; or `none`
    #[arg(long, value_name = "SIZE", default_value = "64G", value_parser = str::parse::<Size>, help_heading = "Builds")]
    pub(crate) image_limit: Size,
    /// The account where a client names none
    #[arg(long, value_name = "ID", default_value = "000000000000", value_parser = account, help_heading = "Server")]
    pub(crate) account: String,
    /// The region where a client names none
    #[arg(long, value_name = "NAME", default_value = "us-east-1", value_parser = region, help_heading = "Server")]
    pub(crate) region: String,
    /// Serve HTTPS, by a local certificate authority in DIR/tls unless files are given; `landfall tls trust` trusts it
    #[arg(long, help_heading = "TLS")]
    pub(crate) tls: bool,
    /// Serve HTTPS with this certificate chain (PEM), read again when the file changes
    #[arg(long, value_name = "FILE", help_heading = "TLS")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The private key of --tls-cert (PEM)
    #[arg(long, value_name = "FILE", help_heading = "TLS")]
    pub(crate) tls_key: Option<PathBuf>,
    /// How others reach this server, for the URLs in replies
    #[arg(long, value_name = "URL", value_parser = public_url, help_heading = "Server")]
    pub(crate) public_url: Option<String>,
    /// How long pipeline executions are kept after their end
    #[arg(long, value_name = "TIME", default_value = "365d", value_parser = crate::data::keep, help_heading = "Retention")]
    pub(crate) keep_executions: Keep,
    /// How long builds are kept after their end
    #[arg(long, value_name = "TIME", default_value = "365d", value_parser = crate::data::keep, help_heading = "Retention")]
    pub(crate) keep_builds: Keep,
    /// How long deployments are kept after their end
    #[arg(long, value_name = "TIME", default_value = "365d", value_parser = crate::data::keep, help_heading = "Retention")]
    pub(crate) keep_deployments: Keep,
    /// How long the artifacts that pipelines made are kept: `forever`, or a time like 90d
    #[arg(long, value_name = "TIME", default_value = "forever", value_parser = crate::data::keep, help_heading = "Retention")]
    pub(crate) keep_artifacts: Keep,
    /// How long images that were pulled are kept after their last use
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = crate::data::keep, help_heading = "Retention")]
    pub(crate) keep_images: Keep,
    /// What is logged, e.g. `debug` or `info,codebuild=debug`
    #[arg(long, value_name = "FILTER", default_value = crate::log::USUAL, help_heading = "Server")]
    pub(crate) log: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Auth {
    Enforce,
    Open,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    Auto,
    Docker,
    Sandbox,
    Dummy,
}

/// The engine's [`engine::WayOut`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BuildNetwork {
    Auto,
    Pasta,
    Slirp4netns,
    Veth,
    None,
}

impl From<BuildNetwork> for engine::WayOut {
    fn from(network: BuildNetwork) -> Self {
        match network {
            BuildNetwork::Auto => Self::Auto,
            BuildNetwork::Pasta => Self::Pasta,
            BuildNetwork::Slirp4netns => Self::Slirp4netns,
            BuildNetwork::Veth => Self::Veth,
            BuildNetwork::None => Self::None,
        }
    }
}

/// Where AWS's names lead inside of builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BuildNames {
    /// To Landfall.
    On,
    /// Where they lead outside.
    Off,
}

impl Options {
    /// Refuses combinations that would be unsafe or cannot work.
    ///
    /// # Errors
    /// A sentence that says what to do instead.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if self.auth == Auth::Open && !self.listen.ip().is_loopback() {
            return Err(user_error(format!(
                "--auth open lets everybody in and {} is not a loopback address: listen on 127.0.0.1, or use --auth enforce",
                self.listen
            )));
        }
        if self.tls_cert.is_some() != self.tls_key.is_some() {
            return Err(user_error("a certificate goes with its key: give both --tls-cert and --tls-key"));
        }
        if self.docker_host.is_some() && !matches!(self.engine, Engine::Docker | Engine::Auto) {
            return Err(user_error("--docker-host names a daemon that no container would run by: use --engine docker"));
        }
        Ok(())
    }

    /// How long what has ended is kept.
    pub(crate) fn retention(&self) -> Retention {
        Retention {
            executions: self.keep_executions,
            builds: self.keep_builds,
            deployments: self.keep_deployments,
            artifacts: self.keep_artifacts,
            images: self.keep_images,
        }
    }

    /// `https` or `http`: what the port speaks.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls || self.tls_cert.is_some() { "https" } else { "http" }
    }

    /// Whether builds may use image `host`: on loopback in open mode everybody may.
    pub(crate) fn trusts_host_image(&self) -> bool {
        self.trust_host_image || self.auth == Auth::Open
    }

    /// How many prepared containers wait for builds on one image; the dummy's start at once, and tests count them.
    pub(crate) fn pool(&self) -> usize {
        let usual = if self.engine == Engine::Dummy { 0 } else { PREPARED };
        self.pool.map_or(usual, usize::from)
    }

    /// The engine in the engines' terms.
    pub(crate) fn engine_kind(&self) -> engine::EngineKind {
        match self.engine {
            Engine::Auto => engine::EngineKind::Auto,
            Engine::Docker => engine::EngineKind::Docker,
            Engine::Dummy => engine::EngineKind::Dummy,
            Engine::Sandbox => engine::EngineKind::Sandbox,
        }
    }
}

fn oci_runtime(text: &str) -> Result<engine::RuntimeChoice, String> {
    text.parse()
}

fn image_map(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((glob, reference)) if !glob.is_empty() && !reference.is_empty() => {
            Ok((glob.to_owned(), reference.to_owned()))
        }
        _ => Err("must be GLOB=REF, for example 'aws/codebuild/*=host'".to_owned()),
    }
}

/// Reads an address with its port.
///
/// # Errors
/// A sentence that says how one looks.
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("must be an address and a port, for example {LISTEN} or [::1]:4566"))
}

fn region(text: &str) -> Result<String, String> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=32).contains(&text.len()) && text.bytes().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err("must be a region's name, for example eu-west-1".to_owned())
    }
}

/// A scheme and a host: URLs are made by adding paths to it.
fn public_url(text: &str) -> Result<String, String> {
    let wrong = || "must be a scheme and a host, for example https://ci.example.com".to_owned();
    let url: http::Uri = text.parse().map_err(|_| wrong())?;
    match (url.scheme_str(), url.authority(), url.path_and_query().map(|path| path.as_str())) {
        (Some(scheme @ ("http" | "https")), Some(host), None | Some("/")) => Ok(format!("{scheme}://{host}")),
        _ => Err(wrong()),
    }
}

fn account(text: &str) -> Result<String, String> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err("must be twelve digits".to_owned())
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn check(arguments: &[&str]) -> Result<(), String> {
        let line = Line::try_parse_from([&["serve"], arguments].concat()).map_err(|error| error.to_string())?;
        line.options.check().map_err(|error| error.to_string())
    }

    #[test]
    fn unsafe_and_idle_choices_are_refused_with_a_sentence() {
        for (arguments, part) in [
            (&["--auth", "open", "--listen", "0.0.0.0:4566"][..], "not a loopback address"),
            (&["--engine", "sandbox", "--docker-host", "unix:///d.sock"][..], "--engine docker"),
            (&["--account", "12"][..], "twelve digits"),
            (&["--listen", "4566"][..], "an address and a port"),
            (&["--region", "us east"][..], "eu-west-1"),
            (&["--public-url", "ci.example.com"][..], "https://ci.example.com"),
            (&["--public-url", "https://ci.example.com/landfall"][..], "https://ci.example.com"),
            (&["--image-map", "host"][..], "GLOB=REF"),
            (&["--registry-mirror", "docker.io"][..], "HOST=URL"),
            (&["--registry-mirror", "docker.io=mirror.lan"][..], "HOST=URL"),
            (&["--image-limit", "64 GB"][..], "64G"),
            (&["--auth", "maybe"][..], "possible values"),
            (&["--tls-cert", "cert.pem"][..], "--tls-key"),
            (&["--tls-key", "key.pem"][..], "--tls-cert"),
        ] {
            let error = check(arguments).expect_err(part);
            assert!(error.contains(part), "{error}");
        }
        assert_eq!(check(&["--auth", "open", "--image-map", "aws/*=host"]), Ok(()));
        assert_eq!(check(&["--listen", "0.0.0.0:4566"]), Ok(()));
        assert_eq!(check(&["--engine", "docker", "--docker-host", "unix:///d.sock"]), Ok(()));
    }
}
