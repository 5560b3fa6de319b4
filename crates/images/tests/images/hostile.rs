//! Layers that nobody honest makes: each is refused with a sentence, or does no harm.

use std::fs;
use std::os::unix::fs::MetadataExt;

use images::{Image, ImageError, Limits, Options, RunConfig};

use crate::content::Compression;
use crate::testing::TarMaker;
use crate::{Place, options};

fn import(place: &Place, tar: &[u8]) -> Result<Image, ImageError> {
    place.images.import(tar, &RunConfig::default(), "hostile")
}

/// The refusal of a layer, after which nothing of it is left.
fn refused(tar: &[u8]) -> String {
    let place = Place::new();
    let error = import(&place, tar).unwrap_err().to_string();
    assert_eq!((place.count("layers"), place.count("images"), place.count("partial")), (0, 0, 0), "{error}");
    error
}

#[test]
fn paths_that_climb_are_refused() {
    for path in ["../evil", "a/../../evil", "/../evil", ".."] {
        let error = refused(&TarMaker::default().file(path, b"evil").finish());
        assert!(error.contains("climbs out"), "{path}: {error}");
    }
}

#[test]
fn absolute_paths_are_the_layers_own() {
    let place = Place::new();
    let image = import(&place, &TarMaker::default().file("/etc/evil", b"x").finish()).unwrap();
    assert_eq!(fs::read(place.layers(&image)[0].join("etc/evil")).unwrap(), b"x");
}

#[test]
fn links_are_followed_inside_only() {
    let place = Place::new();
    let outside = place.path("outside");
    fs::create_dir(&outside).unwrap();
    let target = outside.to_str().unwrap();
    // In the layer, the link leads to a folder of the layer itself, which does not exist.
    for link in [target.to_owned(), format!("../../../../../../../../../..{target}"), "/proc/self/cwd".to_owned()] {
        let error = refused(&TarMaker::default().symlink("a", &link).file("a/evil", b"evil").finish());
        assert!(error.contains("no folder"), "{link}: {error}");
    }
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    let tar = TarMaker::default().folder("real", 0o755).symlink("a", "/real").file("a/f", b"x").finish();
    let image = import(&place, &tar).unwrap();
    assert_eq!(fs::read(place.layers(&image)[0].join("real/f")).unwrap(), b"x");
}

#[test]
fn a_file_in_the_place_of_a_link_changes_not_what_it_leads_to() {
    let place = Place::new();
    let victim = place.path("victim");
    fs::write(&victim, "safe").unwrap();
    let tar = TarMaker::default().symlink("a", victim.to_str().unwrap()).file("a", b"evil").finish();
    let image = import(&place, &tar).unwrap();
    assert_eq!(fs::read_to_string(&victim).unwrap(), "safe");
    assert_eq!(fs::read(place.layers(&image)[0].join("a")).unwrap(), b"evil");
}

#[test]
fn hard_links_lead_only_to_the_layers_own_files() {
    let place = Place::new();
    let victim = place.path("victim");
    fs::write(&victim, "safe").unwrap();
    let victim = victim.to_str().unwrap().to_owned();
    for tar in [
        TarMaker::default().hard_link("a", &victim).finish(),
        TarMaker::default().hard_link("a", "../../../../etc/passwd").finish(),
        TarMaker::default().symlink("s", place.folder.path().to_str().unwrap()).hard_link("a", "s/victim").finish(),
        TarMaker::default().folder("d", 0o755).hard_link("a", "d").finish(),
        TarMaker::default().hard_link("a", "").finish(),
    ] {
        let error = refused(&tar);
        assert!(error.contains("hard link") || error.contains("climbs out"), "{error}");
    }
    // A link to a link is one more name of the link, and is not followed.
    let tar = TarMaker::default().symlink("s", &victim).hard_link("a", "s").hard_link("a", "a").finish();
    let image = import(&place, &tar).unwrap();
    let a = place.layers(&image)[0].join("a");
    assert!(fs::symlink_metadata(&a).unwrap().is_symlink() && fs::metadata(&victim).unwrap().nlink() == 1);
}

#[test]
fn devices_are_left_out() {
    let place = Place::new();
    let tar = TarMaker::default().special("dev/null", b'3').special("dev/sda", b'4').special("pipe", b'6').finish();
    let image = import(&place, &tar).unwrap();
    let layer = &place.layers(&image)[0];
    assert!(!layer.join("dev").exists() && fs::symlink_metadata(layer.join("pipe")).is_ok());
}

#[test]
fn overlays_own_marks_cannot_be_smuggled_in() {
    let place = Place::new();
    let marks: [(&str, &[u8]); 5] = [
        ("SCHILY.xattr.trusted.overlay.redirect", b"/etc"),
        ("SCHILY.xattr.user.overlay.opaque", b"y"),
        ("SCHILY.xattr.trusted.overlay.metacopy", b""),
        ("SCHILY.xattr.security.selinux", b"x"),
        ("SCHILY.xattr.user.mine", b"kept"),
    ];
    let image = import(&place, &TarMaker::default().pax(&marks).folder("d", 0o755).finish()).unwrap();
    let mut names = vec![0_u8; 1024];
    let length = rustix::fs::listxattr(place.layers(&image)[0].join("d"), &mut names[..]).unwrap();
    assert_eq!(String::from_utf8_lossy(&names[..length]), "user.mine\0");
}

#[test]
fn later_entries_win_and_folders_give_way() {
    let place = Place::new();
    let tar = TarMaker::default()
        .file("a", b"1")
        .file("a", b"2")
        .folder("d", 0o755)
        .file("d/deep/er", b"x")
        .symlink("d", "a")
        .file("e", b"x")
        .folder("e", 0o700)
        .finish();
    let image = import(&place, &tar).unwrap();
    let layer = &place.layers(&image)[0];
    assert_eq!(fs::read(layer.join("a")).unwrap(), b"2");
    assert!(fs::symlink_metadata(layer.join("d")).unwrap().is_symlink() && layer.join("e").is_dir());
    assert_eq!(place.images.verify().unwrap().len(), 1, "replaced bytes are counted as unpacked");
}

#[test]
fn bombs_are_cut_off() {
    let zeros = TarMaker::default().file("zeros", &vec![0; 40 << 20]).finish();
    let limits = Limits { image_bytes: 1 << 20, ..Limits::default() };
    for compression in [Compression::Gzip, Compression::Zstd] {
        let bomb = compression.of(&zeros);
        assert!(bomb.len() < 1 << 20);
        let place = Place::with(Options { limits, ..options() });
        let error = import(&place, &bomb).unwrap_err().to_string();
        assert!(error.contains("--image-limit"), "{error}");
        assert_eq!((place.count("layers"), place.count("partial")), (0, 0));
    }
}

#[test]
fn too_many_entries_are_too_many() {
    let many = (0..200).fold(TarMaker::default(), |tar, at| tar.file(&format!("f{at}"), b""));
    let limits = Limits { entries: 100, ..Limits::default() };
    let place = Place::with(Options { limits, ..options() });
    let error = import(&place, &many.finish()).unwrap_err().to_string();
    assert!(error.contains("more than 100 entries"), "{error}");
}

#[test]
fn an_extension_header_does_not_fill_the_memory() {
    let error = refused(&TarMaker::default().extension_of_size(1 << 40).finish());
    assert!(error.contains("larger than 1048576 bytes"), "{error}");
}

#[test]
fn names_that_no_file_system_takes_are_refused() {
    let long = "n".repeat(300);
    let deep = format!("{}/", "n".repeat(100)).repeat(50);
    let gnu = TarMaker::default().gnu_long_path(&long).file("x", b"").finish();
    assert!(refused(&gnu).contains("too long"));
    for path in [long.as_str(), deep.as_str()] {
        let error = refused(&TarMaker::default().pax(&[("path", path.as_bytes())]).file("x", b"").finish());
        assert!(error.contains("too long"), "{error}");
    }
}

#[test]
fn what_is_deeper_than_any_path_can_name_can_be_removed() {
    let place = Place::new();
    // Links make long ways out of short ones, each beginning where the one before ends.
    let mut tar = TarMaker::default();
    let mut from = String::new();
    for turn in 0..4 {
        let steps = format!("{from}{}", "a-folder-of-a-long-name/".repeat(60));
        tar = tar.pax(&[("path", steps.as_bytes())]).folder("x", 0o555);
        tar = tar.pax(&[("linkpath", steps.as_bytes())]).symlink(&format!("l{turn}"), "x");
        from = format!("l{turn}/");
    }
    let tar = tar.finish();
    import(&place, &tar).unwrap();
    place.images.remove("hostile").unwrap();
    assert_eq!(place.count("layers"), 0);
}

#[test]
fn cut_and_broken_archives_are_refused() {
    let tar = TarMaker::default().file("f", &[7; 5000]).finish();
    assert!(refused(&tar[..2000]).contains("cut off"));
    let mut changed = tar.clone();
    changed[10] = b'x';
    assert!(refused(&changed).contains("checksum"));
    assert!(refused(b"this is no archive").contains("cut off"));
    let gzip = Compression::Gzip.of(&tar);
    assert!(import(&Place::new(), &gzip[..gzip.len() - 9]).is_err());
}
