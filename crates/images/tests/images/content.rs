//! Images that the tests make.

use std::io::Write;

use images::Digest;
use serde_json::{Value, json};

/// How a layer is compressed.
#[derive(Clone, Copy)]
pub(crate) enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    pub(crate) fn of(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::None => bytes.to_vec(),
            Self::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            Self::Zstd => ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest),
        }
    }
}

/// The parts of one image.
#[derive(Clone)]
pub(crate) struct Made {
    pub(crate) config: Vec<u8>,
    pub(crate) layers: Vec<Vec<u8>>,
    docker: bool,
}

/// An image of these layers, lowest first, for this machine.
pub(crate) fn image(layers: &[(Vec<u8>, Compression)]) -> Made {
    image_for(&images::Platform::here().architecture, layers)
}

pub(crate) fn image_for(architecture: &str, layers: &[(Vec<u8>, Compression)]) -> Made {
    let diff_ids: Vec<_> = layers.iter().map(|(tar, _)| Digest::of(tar)).collect();
    let config = json!({
        "architecture": architecture, "os": "linux",
        "config": {"Env": ["GREETING=hello"], "WorkingDir": "/src"},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    });
    let layers = layers.iter().map(|(tar, compression)| compression.of(tar)).collect();
    Made { config: config.to_string().into_bytes(), layers, docker: false }
}

impl Made {
    /// In Docker's words instead of OCI's.
    pub(crate) fn docker(mut self) -> Self {
        self.docker = true;
        self
    }

    pub(crate) fn id(&self) -> String {
        Digest::of(&self.config).to_string()
    }

    pub(crate) fn manifest_type(&self) -> &'static str {
        if self.docker {
            "application/vnd.docker.distribution.manifest.v2+json"
        } else {
            "application/vnd.oci.image.manifest.v1+json"
        }
    }

    pub(crate) fn manifest(&self) -> Vec<u8> {
        let (config, layer) = if self.docker {
            ("application/vnd.docker.container.image.v1+json", "application/vnd.docker.image.rootfs.diff.tar.gzip")
        } else {
            ("application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.layer.v1.tar+gzip")
        };
        let layers: Vec<_> = self.layers.iter().map(|bytes| descriptor(layer, bytes)).collect();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": self.manifest_type(),
            "config": descriptor(config, &self.config), "layers": layers,
        });
        manifest.to_string().into_bytes()
    }

    pub(crate) fn blobs(&self) -> impl Iterator<Item = &Vec<u8>> {
        std::iter::once(&self.config).chain(&self.layers)
    }
}

pub(crate) fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": Digest::of(bytes), "size": bytes.len()})
}
