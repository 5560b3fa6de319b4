//! Every input of `fuzz/corpus` through its body, as an ordinary test; and that targets, corpora and the README's table of
//! parsers belong together.
#![expect(clippy::unwrap_used, reason = "tests")]

use fuzz_bodies::TARGETS;
use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

/// The folder `fuzz`.
fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn names_in(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn targets() -> BTreeSet<String> {
    TARGETS.iter().map(|target| target.name.to_owned()).collect()
}

#[test]
fn every_input_keeps_what_is_held() {
    let mut broken = Vec::new();
    for target in TARGETS {
        let folder = fuzz().join("corpus").join(target.name);
        for name in names_in(&folder) {
            let input = fs::read(folder.join(&name)).unwrap();
            if catch_unwind(|| (target.body)(&input)).is_err() {
                broken.push(format!("{}/{name}", target.name));
            }
        }
    }
    assert!(broken.is_empty(), "see above; in fuzz/corpus: {broken:#?}");
}

#[test]
fn every_target_has_a_program_and_a_corpus() {
    assert_eq!(names_in(&fuzz().join("corpus")), targets());
    let programs: BTreeSet<String> = targets().into_iter().map(|name| format!("{name}.rs")).collect();
    assert_eq!(names_in(&fuzz().join("fuzz_targets")), programs);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for target in TARGETS {
        assert!(manifest.contains(&format!("\nname = \"{}\"\n", target.name)), "a [[bin]] for {}", target.name);
        assert!(!names_in(&fuzz().join("corpus").join(target.name)).is_empty(), "inputs for {}", target.name);
    }
}

/// The README lists parsers with their files and targets: neither may be gone, and no target may be for nothing.
#[test]
fn every_listed_parser_has_its_target() {
    let readme = fs::read_to_string(fuzz().join("README.md")).unwrap();
    let table = readme.split_once("| parser |").unwrap().1;
    let mut used = BTreeSet::new();
    for row in table.lines().skip(2).take_while(|line| line.starts_with('|')) {
        let quoted: Vec<&str> = row.split('`').skip(1).step_by(2).collect();
        let (target, files) = quoted.split_last().unwrap();
        assert!(targets().contains(*target), "the target {target} of {row}");
        used.insert((*target).to_owned());
        for file in files {
            assert!(fuzz().join("..").join(file).exists(), "{file} of {row}");
        }
    }
    assert_eq!(used, targets());
}
