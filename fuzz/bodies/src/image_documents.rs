//! `images`: references, and the JSON of manifests, indexes and configurations.
//!
//! Held: a reference is read again as it is written, in full and as people write it; what is read of a manifest or an
//! index is within its bounds, is written and read again the same, and nothing is both; of an index one of its own
//! rows is chosen.

use images::{Manifest, Platform, choose, read_config, read_manifest, read_reference};
use serde_json::{Value, json};

/// The body.
pub fn body(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        reference(text);
    }
    if let Ok(manifest) = read_manifest(data) {
        let written = write(&manifest).to_string();
        assert_eq!(read_manifest(written.as_bytes()).as_ref(), Ok(&manifest), "{written}");
    }
    if let Ok(config) = read_config(data) {
        assert!(config.run.env.len() + config.diff_ids.len() <= data.len());
        assert!(config.run.env.iter().all(|(name, _)| !name.contains('=')), "{:?}", config.run.env);
    }
}

fn reference(text: &str) {
    let Ok(reference) = read_reference(text) else { return };
    let full = reference.to_string();
    assert_eq!(read_reference(&full).as_ref(), Ok(&reference), "{text} is {full}");
    let familiar = reference.familiar();
    assert_eq!(read_reference(&familiar).as_ref(), Ok(&reference), "{text} is {familiar}");
    assert!(reference.registry.len() + reference.repository.len() < 256);
    // They become paths of a registry's URLs, and of the store.
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/".contains(c);
    assert!(reference.repository.chars().all(plain) && !reference.repository.contains(".."));
    assert!(reference.wanted().chars().all(|c| c.is_ascii_alphanumeric() || "._-:".contains(c)));
}

fn write(manifest: &Manifest) -> Value {
    match manifest {
        Manifest::Image(image) => {
            assert!(image.layers.len() <= 127 && image.config.size <= 8 << 20);
            json!({"schemaVersion": 2, "config": image.config, "layers": image.layers})
        }
        Manifest::Index(entries) => {
            if let Ok(chosen) = choose(entries, &Platform::here()) {
                assert!(entries.iter().any(|entry| entry.manifest == *chosen));
            }
            let rows = entries.iter().map(|entry| {
                let mut row = serde_json::to_value(&entry.manifest).unwrap();
                if let Some(platform) = &entry.platform {
                    row["platform"] = json!({
                        "os": platform.os, "architecture": platform.architecture, "variant": platform.variant,
                    });
                }
                row["annotations"] = json!({"io.containerd.image.name": entry.name});
                row
            });
            json!({"schemaVersion": 2, "manifests": rows.collect::<Vec<_>>()})
        }
    }
}
