//! What honest layers become.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use images::{ImageRequest, RunConfig};

use crate::Place;
use crate::content::{Compression, image};
use crate::fake::Fake;
use crate::testing::TarMaker;

fn is_whiteout(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|there| there.file_type().is_char_device() && there.rdev() == 0)
}

fn is_opaque(path: &Path) -> bool {
    let marks = ["trusted.overlay.opaque", "user.overlay.opaque"];
    let mut value = [0; 8];
    marks
        .iter()
        .any(|mark| rustix::fs::getxattr(path, *mark, &mut value[..]).is_ok_and(|length| value[..length] == *b"y"))
}

#[test]
fn modes_times_links_and_attributes_are_kept() {
    let place = Place::new();
    let pax: &[(&str, &[u8])] = &[("mtime", b"12345.5"), ("SCHILY.xattr.user.note", b"kept")];
    let tar = TarMaker::default()
        .folder("bin", 0o555)
        .pax(pax)
        .file_with_mode("bin/su", 0o4755, b"su")
        .hard_link("bin/sudo", "bin/su")
        .symlink("bin/sh", "/bin/dash")
        .folder("tmp", 0o1777)
        .finish();
    let image = place.images.import(&tar[..], &RunConfig::default(), "x").unwrap();
    let layer = &place.layers(&image)[0];
    let at = |path: &str| fs::symlink_metadata(layer.join(path)).unwrap();
    assert_eq!(
        (at("bin/su").mode() & 0o7777, at("bin/su").mtime(), at("bin/su").mtime_nsec()),
        (0o4755, 12345, 500_000_000)
    );
    assert_eq!(at("bin/su").ino(), at("bin/sudo").ino());
    assert_eq!((at("bin").mode() & 0o7777, at("tmp").mode() & 0o7777), (0o555, 0o1777));
    assert_eq!(at("bin").mtime(), 0o1750, "what is put into a folder changes not its time");
    assert_eq!(fs::read_link(layer.join("bin/sh")).unwrap(), Path::new("/bin/dash"));
    let mut value = [0; 8];
    let length = rustix::fs::getxattr(layer.join("bin/su"), "user.note", &mut value[..]).unwrap();
    assert_eq!(&value[..length], b"kept");
    assert_eq!(place.images.verify().unwrap(), []);
}

#[test]
fn whiteouts_become_overlays_own() {
    let place = Place::new();
    let tar = TarMaker::default()
        .file("etc/.wh.passwd", b"")
        .file("var/.wh..wh..opq", b"")
        .file("var/new", b"x")
        // A folder in the place of what was there: nothing of the old one shows.
        .file(".wh.srv", b"")
        .folder("srv", 0o755)
        .folder("opt", 0o755)
        .file(".wh.opt", b"")
        .file(".wh.file", b"")
        .file("file", b"new")
        .file("usr/.wh..wh.plnk", b"")
        .finish();
    let image = place.images.import(&tar[..], &RunConfig::default(), "x").unwrap();
    let layer = &place.layers(&image)[0];
    assert!(is_whiteout(&layer.join("etc/passwd")));
    assert!(is_opaque(&layer.join("var")) && layer.join("var/new").is_file());
    assert!(is_opaque(&layer.join("srv")) && is_opaque(&layer.join("opt")) && !is_opaque(&layer.join("etc")));
    assert_eq!(fs::read(layer.join("file")).unwrap(), b"new");
    assert!(!layer.join("usr").exists());
}

#[tokio::test]
async fn a_folder_that_a_layer_does_not_name_is_as_it_is_beneath() {
    let fake = Fake::start().await;
    let lower = TarMaker::default().folder("tmp", 0o1777).folder("home", 0o711).folder("home/ann", 0o700).finish();
    let upper = TarMaker::default().file("tmp/f", b"").file("home/ann/f", b"").file("new/f", b"").finish();
    fake.push("app", "1", &image(&[(lower, Compression::Gzip), (upper, Compression::Gzip)]));
    let place = Place::new();
    let image = place.images.pull(&ImageRequest::of(fake.reference("app:1"))).await.unwrap();
    let layer = &place.layers(&image)[0];
    let mode = |path: &str| fs::symlink_metadata(layer.join(path)).unwrap().mode() & 0o7777;
    assert_eq!(
        (mode("tmp"), mode("home"), mode("home/ann"), mode("new"), mode(".")),
        (0o1777, 0o711, 0o700, 0o755, 0o755)
    );
}
