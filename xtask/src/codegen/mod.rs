//! From botocore's `service-2.json` to Rust: read ([`model`]), prune and name
//! ([`plan`]), write ([`emit`]). No documentation text is taken over.

mod emit;
mod model;
mod names;
mod plan;

use anyhow::{Context, bail};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The oldest botocore whose models are accepted.
const OLDEST_BOTOCORE: (u32, u32) = (1, 44);

/// Which operations of which service get types: `crates/aws-models/operations.toml`.
#[derive(serde::Deserialize)]
struct Selection {
    services: BTreeMap<String, Operations>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Operations {
    /// The Rust name of the service trait.
    service: String,
    /// Operation names, or absent for all of the model.
    operations: Option<Vec<String>>,
    /// Whether the generated crate is part of the build.
    built: bool,
}

/// Generates every selected service.
pub(crate) fn run(check: bool, botocore: Option<PathBuf>) -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent folder")?;
    let data = botocore.map_or_else(find_botocore, Ok)?;
    let models = root.join("crates/aws-models");
    let selection: Selection = toml::from_str(&std::fs::read_to_string(models.join("operations.toml"))?)?;
    let mut files = BTreeMap::new();
    let mut catalogue = Vec::new();
    let read: BTreeMap<_, _> =
        selection.services.keys().map(|id| Ok((id, model::read(&data, id)?))).collect::<anyhow::Result<_>>()?;
    for (id, selected) in &selection.services {
        let plan = plan::plan(id, &selected.service, &read[id], selected.operations.as_deref())
            .with_context(|| format!("service {id}"))?;
        for (path, text) in emit::service_crate(&plan) {
            files.insert(models.join(id).join(path), text);
        }
        catalogue.push((plan, selected.built));
    }
    for (path, text) in emit::catalogue_crate(&catalogue) {
        files.insert(models.join("catalogue").join(path), text);
    }
    write(&files, check)
}

fn write(files: &BTreeMap<PathBuf, String>, check: bool) -> anyhow::Result<()> {
    let mut stale = Vec::new();
    for (path, text) in files {
        if std::fs::read_to_string(path).is_ok_and(|old| old == *text) {
            continue;
        }
        stale.push(path.display().to_string());
        if !check {
            std::fs::create_dir_all(path.parent().context("file without folder")?)?;
            std::fs::write(path, text)?;
        }
    }
    if check && !stale.is_empty() {
        bail!("not what `cargo xtask codegen` writes:\n  {}", stale.join("\n  "));
    }
    println!("{} files, {} changed", files.len(), stale.len());
    Ok(())
}

/// The venv that `scripts/test` makes holds the pinned botocore.
fn find_botocore() -> anyhow::Result<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache")))
        .context("no cache folder: set HOME or give --botocore DIR")?;
    let lib = cache.join("landfall/venv/lib");
    for python in std::fs::read_dir(&lib)
        .with_context(|| format!("{}: run scripts/test once, or give --botocore DIR", lib.display()))?
    {
        let package = python?.path().join("site-packages/botocore");
        if package.is_dir() {
            refuse_old(&package)?;
            return Ok(package.join("data"));
        }
    }
    bail!("no botocore under {}: run scripts/test once, or give --botocore DIR", lib.display())
}

fn refuse_old(package: &Path) -> anyhow::Result<()> {
    let init = std::fs::read_to_string(package.join("__init__.py"))?;
    let version = init
        .lines()
        .find_map(|line| line.strip_prefix("__version__ = "))
        .context("botocore states no version")?
        .trim_matches(['\'', '"']);
    let mut parts = version.split('.').filter_map(|part| part.parse::<u32>().ok());
    let found = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if found < OLDEST_BOTOCORE {
        bail!("botocore {version} is too old: the models need {}.{} or newer", OLDEST_BOTOCORE.0, OLDEST_BOTOCORE.1);
    }
    Ok(())
}
