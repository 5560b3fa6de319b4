//! Files: what `docker save` and others write.

use std::fs;
use std::path::Path;

use images::{Digest, ImageRequest, RunConfig};
use serde_json::json;

use crate::Place;
use crate::content::{Compression, Made, descriptor, image};
use crate::testing::TarMaker;

fn made() -> Made {
    let lower = TarMaker::default().folder("etc", 0o755).file("etc/hello", b"hello").finish();
    let upper = TarMaker::default().file("etc/more", b"more").finish();
    image(&[(lower, Compression::None), (upper, Compression::Gzip)])
}

/// What `docker save` wrote until 2024: layers in folders, one of them a link to another's.
fn docker_archive(made: &Made, tags: &[&str]) -> Vec<u8> {
    let manifest = json!([{"Config": "c.json", "RepoTags": tags, "Layers": ["a/layer.tar", "b/layer.tar"]}]);
    TarMaker::default()
        .folder("real", 0o755)
        .file("real/layer.tar", &made.layers[0])
        .symlink("a/layer.tar", "../real/layer.tar")
        .file("b/layer.tar", &made.layers[1])
        .file("c.json", &made.config)
        .file("manifest.json", manifest.to_string().as_bytes())
        .finish()
}

fn oci_files(made: &Made, name: Option<&str>) -> Vec<(String, Vec<u8>)> {
    let manifest = made.manifest();
    let mut row = descriptor(made.manifest_type(), &manifest);
    if let Some(name) = name {
        row["annotations"] = json!({"org.opencontainers.image.ref.name": name});
    }
    let index = json!({"schemaVersion": 2, "manifests": [row]}).to_string().into_bytes();
    let blobs = made.blobs().chain([&manifest]);
    let mut files: Vec<_> =
        blobs.map(|blob| (format!("blobs/sha256/{}", Digest::of(blob).hex()), blob.clone())).collect();
    files.push(("index.json".to_owned(), index));
    files.push(("oci-layout".to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()));
    files
}

fn tar_of(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    files.iter().fold(TarMaker::default(), |tar, (name, content)| tar.file(name, content)).finish()
}

fn check(place: &Place, loaded: &[images::Image], made: &Made, names: &[&str]) {
    let [image] = loaded else { panic!("{loaded:?}") };
    assert_eq!(
        (image.id.as_str(), image.references.as_slice()),
        (made.id().as_str(), &names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()[..])
    );
    let layers = place.layers(image);
    assert_eq!(fs::read(layers[1].join("etc/hello")).unwrap(), b"hello");
    assert_eq!(fs::read(layers[0].join("etc/more")).unwrap(), b"more");
    assert_eq!((place.count("partial"), place.images.verify().unwrap()), (0, vec![]));
}

#[test]
fn docker_archives_plain_and_compressed() {
    let made = made();
    let tar = docker_archive(&made, &["team/app:1", "app:latest"]);
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let place = Place::new();
        let path = place.path("saved");
        fs::write(&path, compression.of(&tar)).unwrap();
        let loaded = place.images.load(&path, None).unwrap();
        check(&place, &loaded, &made, &["app:latest", "team/app:1"]);
        let renamed = place.images.load(&path, Some("mine:2")).unwrap();
        assert_eq!(renamed[0].references, ["app:latest", "mine:2", "team/app:1"]);
    }
}

#[test]
fn oci_layouts_as_folder_and_archive() {
    let made = made();
    for (annotation, names) in [(Some("team/app:1"), &["team/app:1"][..]), (Some("latest"), &[]), (None, &[])] {
        let files = oci_files(&made, annotation);
        let place = Place::new();
        let folder = place.path("layout");
        for (name, content) in &files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        check(&place, &place.images.load(&folder, None).unwrap(), &made, names);
        let place = Place::new();
        fs::write(place.path("layout.tar"), tar_of(&files)).unwrap();
        check(&place, &place.images.load(&place.path("layout.tar"), None).unwrap(), &made, names);
    }
}

#[tokio::test]
async fn what_was_loaded_is_asked_of_no_registry() {
    let place = Place::new();
    fs::write(place.path("saved"), docker_archive(&made(), &["registry.invalid/app:1"])).unwrap();
    let loaded = place.images.load(&place.path("saved"), None).unwrap();
    let pulled = place.pull("registry.invalid/app:1").await.unwrap();
    assert_eq!(pulled.id, loaded[0].id);
    let found = place.images.find(&ImageRequest::of("registry.invalid/app:1")).unwrap();
    assert_eq!(found.id, loaded[0].id);
}

#[test]
fn broken_archives_are_refused_with_what_is_wrong() {
    let made = made();
    let mut missing = oci_files(&made, None);
    missing.remove(1);
    let mut changed = oci_files(&made, None);
    changed[0].1[5] ^= 1;
    let mut layer = oci_files(&made, None);
    layer[1].1[100] ^= 1;
    let mut short = made.clone();
    short.layers.pop();
    let climbing = json!([{"Config": "../../etc/passwd", "RepoTags": [], "Layers": []}]).to_string();
    for (tar, part) in [
        (tar_of(&missing), "is missing"),
        (tar_of(&changed), "has the content of"),
        (tar_of(&layer), "cannot be unpacked"),
        (tar_of(&oci_files(&short, None)), "names 2 layers, and there are 1"),
        (docker_archive(&made, &["Not A Name"]), "no image reference"),
        (TarMaker::default().file("manifest.json", climbing.as_bytes()).finish(), "is missing"),
        (TarMaker::default().file("manifest.json", b"{}").finish(), "manifest.json cannot be read"),
        (TarMaker::default().file("other", b"").finish(), "neither manifest.json"),
        (b"nothing at all".to_vec(), "no archive"),
    ] {
        let place = Place::new();
        fs::write(place.path("file"), tar).unwrap();
        let error = place.images.load(&place.path("file"), None).unwrap_err().to_string();
        assert!(error.contains(part) && error.contains("file"), "{part}: {error}");
        assert_eq!((place.count("images"), place.count("partial")), (0, 0), "{part}");
    }
    assert!(Place::new().images.load(Path::new("/nowhere/at/all"), None).is_err());
}

#[test]
fn names_are_given_and_looked_up() {
    let place = Place::new();
    let tar = TarMaker::default().file("f", b"12345").finish();
    let run = RunConfig { env: vec![("A".into(), "b".into())], workdir: Some("/w".into()), user: None };
    let image = place.images.import(&tar[..], &run, "landfall/standard").unwrap();
    assert_eq!(
        (image.references.clone(), image.run.clone(), image.size),
        (vec!["landfall/standard:latest".to_owned()], run, 5)
    );
    let tagged = place.images.tag(&image.id[..15], "other:1").unwrap();
    assert_eq!(tagged.references, ["landfall/standard:latest", "other:1"]);
    for name in [image.id.as_str(), &image.id[7..20], "other:1", "landfall/standard"] {
        assert_eq!(place.images.inspect(name).unwrap().id, image.id, "{name}");
    }
    for name in ["other:2", "sha256:000000", "0000000"] {
        assert!(matches!(place.images.inspect(name), Err(images::ImageError::NotHere(_))), "{name}");
    }
    assert_eq!(place.images.list().unwrap().len(), 1);
}
