//! `landfall images build`: an image made here, out of Debian's packages by `mmdebstrap`, as root or without.
//!
//! [`recipe`] says what is in it, [`machine`] where this machine gets packages, [`debootstrap`] makes the root and [`hook`]
//! finishes it; its tar goes straight into the store, or into an [`archive`] for other machines.

mod apt;
mod archive;
mod debootstrap;
mod hook;
mod machine;
mod recipe;

use super::progress::Line;
use super::show::{json, line};
use super::store::{Store, told};
use crate::exit::user_error;
use crate::span;
use crate::terminal::bytes;
use clap::Subcommand;
use debootstrap::{Root, Tar};
use images::{Image, Images, Registries, RunConfig};
use recipe::{Order, Recipe};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The name under which builds on `aws/codebuild/*` look for it.
const STANDARD: &str = "landfall/standard:latest";

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
  landfall images build standard                        what most builds need: 1.4 GB
  landfall images build standard --with python,aws      these parts alone
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
    #[arg(long, conflicts_with_all = ["with", "without", "tag", "output", "suite", "mirror", "data_dir"])]
    list: bool,
    /// A further name for the image
    #[arg(long, value_name = "REF")]
    tag: Option<String>,
    /// Write it to this file, for `landfall images load` and `docker load` elsewhere, not into the data folder
    #[arg(long, value_name = "FILE", conflicts_with_all = ["data_dir", "json"])]
    output: Option<PathBuf>,
    /// Debian's release; default: this machine's, else bookworm
    #[arg(long, value_name = "NAME", help_heading = "Packages")]
    suite: Option<String>,
    /// Where packages come from; default: as this machine's apt, else deb.debian.org
    #[arg(long, value_name = "URL", help_heading = "Packages")]
    mirror: Option<String>,
    #[command(flatten)]
    store: Store,
    /// The image as JSON, as in `images ls --json`; with --list: [{"name", "about", "usual"}]
    #[arg(long, help_heading = "Output")]
    json: bool,
}

/// Makes the image, and prints its id.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let Recipes::Standard(arguments) = &arguments.image;
    let recipe = Recipe::standard()?;
    if arguments.list {
        println!("{}", if arguments.json { recipe.json()? } else { recipe.lines().join("\n") });
        return Ok(());
    }
    let order = recipe.order(&arguments.with, &arguments.without).map_err(user_error)?;
    let root = machine::root(arguments.suite.as_deref(), arguments.mirror.as_deref(), &order)?;
    if let Some(file) = &arguments.output {
        return write(file, &root, &order, arguments.tag.as_deref());
    }
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

/// Makes the image in the store.
fn make(images: &Images, root: &Root, order: &Order<'_>, tag: Option<&str>) -> anyhow::Result<Image> {
    let config = RunConfig { env: order.environment(), ..RunConfig::default() };
    let image = debootstrap(root, order, |tar| images.import(tar, &config, STANDARD))?.map_err(told)?;
    match tag {
        Some(tag) => images.tag(&image.id, tag).map_err(told),
        None => Ok(image),
    }
}

/// Makes the image in a file.
fn write(file: &Path, root: &Root, order: &Order<'_>, tag: Option<&str>) -> anyhow::Result<()> {
    let names: Vec<_> = std::iter::once(STANDARD).chain(tag).map(str::to_owned).collect();
    let written = debootstrap(root, order, |tar| archive::write(file, tar, &order.environment(), &names))?;
    let written = written.map_err(|error| user_error(format!("{}: {error}", file.display())))?;
    eprintln!("{} ({}): landfall images load, or docker load", file.display(), bytes(written.bytes));
    println!("{}", written.id);
    Ok(())
}

/// Runs `mmdebstrap`, with what it makes going to `take`.
fn debootstrap<T, E>(
    root: &Root,
    order: &Order<'_>,
    take: impl FnOnce(&mut Tar) -> Result<T, E>,
) -> anyhow::Result<Result<T, E>> {
    let parts = if order.parts.is_empty() { "the base alone".to_owned() } else { order.names().join(", ") };
    let shown = Line::begin(&format!("Making {STANDARD} of Debian {}: {parts}", root.suite));
    let steps = shown.clone();
    let mut tar = root.begin(move |said| {
        if let Some(step) = step(said) {
            steps.step(&format!("  {step}"));
        }
    })?;
    let taken = take(&mut tar);
    // What the program says of its failure is better than that its tar ended too soon.
    let ended = if taken.is_ok() { tar.end() } else { tar.failed() };
    shown.end();
    ended?;
    Ok(taken)
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
mod tests {
    use super::*;

    #[test]
    fn people_are_told_the_steps_alone() {
        assert_eq!(step("running apt-get update..."), Some("reading what packages there are"));
        assert_eq!(step("using /tmp/mmdebstrap.x as tempdir"), None);
    }
}
