use super::Loadable;
use super::archive::Archive;
use crate::limits::{CONFIG_BYTES, MANIFEST_BYTES};
use crate::{
    Descriptor, Digest, ImageManifest, IndexEntry, Manifest, Platform, Reference, choose, read_manifest, read_reference,
};

/// An OCI layout: `index.json` lists manifests, everything else is in `blobs/` by its digest. `None` where there is none.
pub(super) fn read(archive: &mut Archive) -> Result<Option<Vec<Loadable>>, String> {
    let Some(bytes) = archive.read("index.json", MANIFEST_BYTES)? else { return Ok(None) };
    let Manifest::Index(entries) = read_manifest(&bytes)? else {
        return Err("its index.json is no index".to_owned());
    };
    let mut images = Vec::new();
    for entry in wanted(&entries)? {
        let (manifest, image) = image(archive, &entry.manifest)?;
        let config = blob(archive, &image.config, CONFIG_BYTES)?;
        let layers = image.layers.iter().map(|layer| path(&layer.digest)).collect();
        let names = entry.name.as_deref().and_then(name).into_iter().collect();
        images.push(Loadable { config, manifest: Some(manifest), layers, names });
    }
    Ok(Some(images))
}

/// The rows to load: all, but of one image for several platforms the one for this machine.
fn wanted(entries: &[IndexEntry]) -> Result<Vec<&IndexEntry>, String> {
    let variants = entries.len() > 1
        && entries.iter().all(|entry| entry.platform.is_some())
        && entries.iter().all(|entry| entry.name == entries[0].name);
    if !variants {
        return Ok(entries.iter().collect());
    }
    let chosen = choose(entries, &Platform::here())?;
    Ok(entries.iter().filter(|entry| entry.manifest == *chosen).take(1).collect())
}

/// A whole name; one that is only a tag, as skopeo writes it, names nothing.
fn name(text: &str) -> Option<Reference> {
    if text.contains([':', '/']) { read_reference(text).ok() } else { None }
}

type Named = (Digest, Vec<u8>);

/// The manifest of an image; of an index, the one for this machine.
fn image(archive: &mut Archive, descriptor: &Descriptor) -> Result<(Named, ImageManifest), String> {
    let bytes = blob(archive, descriptor, MANIFEST_BYTES)?;
    match read_manifest(&bytes)? {
        Manifest::Image(image) => Ok(((descriptor.digest.clone(), bytes), image)),
        Manifest::Index(entries) => {
            let chosen = choose(&entries, &Platform::here())?;
            let bytes = blob(archive, chosen, MANIFEST_BYTES)?;
            match read_manifest(&bytes)? {
                Manifest::Image(image) => Ok(((chosen.digest.clone(), bytes), image)),
                Manifest::Index(_) => Err("its index leads to an index that leads to another".to_owned()),
            }
        }
    }
}

fn path(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

fn blob(archive: &mut Archive, descriptor: &Descriptor, most: u64) -> Result<Vec<u8>, String> {
    let digest = &descriptor.digest;
    let bytes = archive.read(&path(digest), most)?.ok_or_else(|| format!("its blob {digest} is missing"))?;
    let found = Digest::of(&bytes);
    if found == *digest { Ok(bytes) } else { Err(format!("its blob {digest} has the content of {found}")) }
}
