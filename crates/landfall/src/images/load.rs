//! `landfall images load`.

use super::progress::Line;
use super::show::{json, line};
use super::store::{Store, told};
use crate::exit::user_error;
use images::Registries;
use std::path::PathBuf;

/// `landfall images load`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What `docker save`, `podman save` and `skopeo copy` write can be loaded:
  docker save debian:12 -o debian.tar         then  landfall images load debian.tar
  skopeo copy docker://alpine:3 oci:alpine    then  landfall images load alpine --tag alpine:3")]
pub(super) struct Arguments {
    /// A docker archive or an OCI layout: a tar, also compressed, or a folder
    #[arg(value_name = "FILE")]
    path: PathBuf,
    /// The name that its image gets, where there is one image
    #[arg(long, value_name = "REF")]
    tag: Option<String>,
    #[command(flatten)]
    store: Store,
    /// The images as JSON, as in `images ls --json`
    #[arg(long, help_heading = "Output")]
    json: bool,
}

/// Loads, and prints the images' ids.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if !arguments.path.exists() {
        return Err(user_error(format!(
            "there is no {}: `docker save REF -o FILE` writes a file that can be loaded",
            arguments.path.display()
        )));
    }
    let images = arguments.store.open(Registries::default())?;
    let shown = Line::begin(&format!("Loading {}", arguments.path.display()));
    let loaded = images.load(&arguments.path, arguments.tag.as_deref()).map_err(told);
    shown.end();
    let loaded = loaded?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&loaded.iter().map(json).collect::<Vec<_>>())?);
        return Ok(());
    }
    for image in &loaded {
        eprintln!("{}", line(image));
        println!("{}", image.id);
    }
    Ok(())
}
