use serde::Deserialize;

use super::archive::Archive;
use super::{Loadable, json};
use crate::limits::{CONFIG_BYTES, MANIFEST_BYTES};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// What `docker save` writes: `manifest.json` lists configurations, layers and names. `None` where there is none.
pub(super) fn read(archive: &mut Archive) -> Result<Option<Vec<Loadable>>, String> {
    let Some(bytes) = archive.read("manifest.json", MANIFEST_BYTES)? else { return Ok(None) };
    let rows: Vec<Row> = json(&bytes, "manifest.json")?;
    let mut images = Vec::new();
    for row in rows {
        let config = archive.read(&row.config, CONFIG_BYTES)?;
        let config = config.ok_or_else(|| format!("its configuration {} is missing", row.config))?;
        let names = row.repo_tags.unwrap_or_default();
        let names = names.iter().map(|name| name.parse().map_err(|error: crate::ImageError| error.to_string()));
        let names = names.collect::<Result<_, _>>()?;
        images.push(Loadable { config, manifest: None, layers: row.layers, names });
    }
    Ok(Some(images))
}
