use serde::{Deserialize, Serialize};

use crate::limits::{CONFIG_BYTES, LAYERS};
use crate::{Digest, Platform};

const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The kinds that are understood, for a registry to choose from.
pub(crate) const ACCEPT: [&str; 4] = [OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST];

/// What a reference leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manifest {
    /// One image.
    Image(ImageManifest),
    /// The same for several platforms.
    Index(Vec<IndexEntry>),
}

/// The parts of one image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageManifest {
    /// Its configuration, whose digest is the image's id.
    pub config: Descriptor,
    /// Its layers, lowest first.
    pub layers: Vec<Descriptor>,
}

/// Content by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What it is.
    #[serde(default)]
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
}

/// A row of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexEntry {
    /// The manifest.
    pub manifest: Descriptor,
    /// For which machines; images that say nothing are for all.
    pub platform: Option<Platform>,
    /// The name that an OCI layout gives it (`org.opencontainers.image.ref.name`, or containerd's full one).
    pub name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: Option<u64>,
    media_type: Option<String>,
    manifests: Option<Vec<Row>>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    fs_layers: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Row {
    #[serde(flatten)]
    manifest: Descriptor,
    platform: Option<RowPlatform>,
    #[serde(default)]
    annotations: Option<Annotations>,
}

#[derive(Deserialize)]
struct RowPlatform {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    variant: Option<String>,
}

#[derive(Deserialize, Default)]
struct Annotations {
    #[serde(rename = "io.containerd.image.name")]
    full: Option<String>,
    #[serde(rename = "org.opencontainers.image.ref.name")]
    name: Option<String>,
}

/// Reads a manifest or index of OCI or of Docker (schema 2); the error says what is wrong with it.
pub fn read_manifest(bytes: &[u8]) -> Result<Manifest, String> {
    let document: Document =
        serde_json::from_slice(bytes).map_err(|error| format!("its manifest cannot be read: {error}"))?;
    if document.schema_version != Some(2) {
        return Err(if document.fs_layers.is_some() || document.schema_version == Some(1) {
            "it is in Docker's format of before 2016 (schema 1): push it again with a newer Docker".to_owned()
        } else {
            "its manifest has no schemaVersion 2".to_owned()
        });
    }
    match (document.manifests, document.config, document.layers) {
        (Some(rows), None, None) if is(&document.media_type, &[OCI_INDEX, DOCKER_LIST]) => {
            Ok(Manifest::Index(rows.into_iter().map(Row::entry).collect()))
        }
        (None, Some(config), layers) if is(&document.media_type, &[OCI_MANIFEST, DOCKER_MANIFEST]) => {
            let image = ImageManifest { config, layers: layers.unwrap_or_default() };
            check(&image).map(|()| Manifest::Image(image))
        }
        // What can be read as both is refused: others might read it as the other (CVE-2021-41190).
        _ => Err("its manifest is neither one of an image nor an index".to_owned()),
    }
}

fn is(media_type: &Option<String>, expected: &[&str]) -> bool {
    media_type.as_deref().is_none_or(|media_type| media_type.is_empty() || expected.contains(&media_type))
}

fn check(image: &ImageManifest) -> Result<(), String> {
    let kind = image.config.media_type.as_str();
    let known = ["", "application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];
    if !known.contains(&kind) {
        return Err(format!("it is no container image, but {kind}"));
    }
    if image.config.size > CONFIG_BYTES {
        return Err(format!("its configuration is larger than {CONFIG_BYTES} bytes"));
    }
    if image.layers.len() > LAYERS {
        return Err(format!("it has {} layers; {LAYERS} are the most that can be run", image.layers.len()));
    }
    let refused = |layer: &&Descriptor| layer.media_type.contains("foreign") || layer.media_type.contains("encrypted");
    match image.layers.iter().find(refused) {
        Some(layer) => Err(format!("its layer {} ({}) cannot be used here", layer.digest, layer.media_type)),
        None => Ok(()),
    }
}

impl Row {
    fn entry(self) -> IndexEntry {
        let platform = self.platform.map(|platform| Platform {
            os: platform.os,
            architecture: platform.architecture,
            variant: platform.variant.filter(|variant| !variant.is_empty()),
        });
        let Annotations { full, name } = self.annotations.unwrap_or_default();
        IndexEntry { manifest: self.manifest, platform, name: full.or(name) }
    }
}

/// The manifest of an index that serves `platform` best; the error names those that there are.
pub fn choose<'m>(entries: &'m [IndexEntry], platform: &Platform) -> Result<&'m Descriptor, String> {
    let fit = |entry: &IndexEntry| match &entry.platform {
        Some(offered) => platform.fit(offered),
        None => Some(0),
    };
    let mut best: Option<(u32, &IndexEntry)> = None;
    for entry in entries {
        // Of equals the first one counts, as the specification says.
        if let Some(fit) = fit(entry)
            && best.is_none_or(|(other, _)| fit > other)
        {
            best = Some((fit, entry));
        }
    }
    best.map(|(_, entry)| &entry.manifest).ok_or_else(|| {
        let offered: Vec<_> = entries.iter().filter_map(|entry| entry.platform.as_ref()).collect();
        let known = offered.iter().filter(|platform| platform.os != "unknown").map(ToString::to_string);
        format!("it is not for {platform}, only for {}", known.collect::<Vec<_>>().join(", "))
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    fn descriptor(content: &str) -> String {
        format!(r#"{{"mediaType":"","digest":"{}","size":{}}}"#, Digest::of(content.as_bytes()), content.len())
    }

    #[test]
    fn both_worlds_images_are_read() {
        for kind in [OCI_MANIFEST, DOCKER_MANIFEST] {
            let text = format!(
                r#"{{"schemaVersion":2,"mediaType":"{kind}","config":{},"layers":[{}],"annotations":{{}}}}"#,
                descriptor("config"),
                descriptor("layer")
            );
            let Manifest::Image(image) = read_manifest(text.as_bytes()).unwrap() else { panic!("an image") };
            assert_eq!(image.config.digest, Digest::of(b"config"));
            assert_eq!(image.layers[0].size, 5);
        }
    }

    #[test]
    fn of_an_index_the_best_platform_is_chosen() {
        let row = |content: &str, platform: &str| {
            format!(
                r#"{{"mediaType":"{OCI_MANIFEST}","digest":"{}","size":1,"platform":{platform}}}"#,
                Digest::of(content.as_bytes())
            )
        };
        let text = format!(
            r#"{{"schemaVersion":2,"manifests":[{},{},{}]}}"#,
            row("attestation", r#"{"os":"unknown","architecture":"unknown"}"#),
            row("arm", r#"{"os":"linux","architecture":"arm64","variant":"v8"}"#),
            row("amd", r#"{"os":"linux","architecture":"amd64"}"#),
        );
        let Manifest::Index(entries) = read_manifest(text.as_bytes()).unwrap() else { panic!("an index") };
        let chosen = |platform: &str| choose(&entries, &platform.parse().unwrap()).map(|chosen| chosen.digest.clone());
        assert_eq!(chosen("linux/amd64"), Ok(Digest::of(b"amd")));
        assert_eq!(chosen("linux/arm64"), Ok(Digest::of(b"arm")));
        assert_eq!(
            chosen("linux/riscv64"),
            Err("it is not for linux/riscv64, only for linux/arm64/v8, linux/amd64".to_owned())
        );
    }

    #[test]
    fn what_is_no_image_is_refused_by_its_name() {
        let config = descriptor("c");
        let helm = config.replace(r#""mediaType":"""#, r#""mediaType":"application/vnd.cncf.helm.config.v1+json""#);
        let foreign = config.replace(r#""mediaType":"""#, r#""mediaType":"application/x.foreign.tar""#);
        let many = vec![config.clone(); 128].join(",");
        for (text, part) in [
            (String::new(), "cannot be read"),
            ("{}".to_owned(), "schemaVersion"),
            (r#"{"schemaVersion":1,"fsLayers":[]}"#.to_owned(), "2016"),
            (r#"{"schemaVersion":2}"#.to_owned(), "neither"),
            (format!(r#"{{"schemaVersion":2,"config":{config},"layers":[],"manifests":[]}}"#), "neither"),
            (format!(r#"{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","config":{config},"layers":[]}}"#), "neither"),
            (format!(r#"{{"schemaVersion":2,"config":{helm},"layers":[]}}"#), "helm"),
            (format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{foreign}]}}"#), "foreign"),
            (format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{many}]}}"#), "128 layers"),
            (format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{{"digest":"x","size":1}}]}}"#), "digest"),
        ] {
            let error = read_manifest(text.as_bytes()).expect_err(&text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
