//! `codebuild::rules::runtimes`: an image's `runtimes.yml`, and a buildspec's choice of it: both, with a NUL between.
//!
//! Held: a choice ends, stays within its bounds, and is the same again; what is chosen is said.

use crate::input::split;
use codebuild::rules::runtimes::Runtimes;
use std::collections::BTreeMap;

/// The body.
pub fn body(data: &[u8]) {
    let (table, wanted) = split(data);
    let (Ok(table), Ok(wanted)) = (std::str::from_utf8(table), std::str::from_utf8(wanted)) else { return };
    let Ok(runtimes) = Runtimes::parse(table) else { return };
    assert_eq!(Runtimes::parse(table).as_ref(), Ok(&runtimes));
    let wanted: Vec<(String, String)> = wanted
        .lines()
        .take(20)
        .filter_map(|line| line.split_once('='))
        .map(|(name, version)| (name.to_owned(), version.to_owned()))
        .collect();
    let variables = BTreeMap::from([("V".to_owned(), "3.12".to_owned())]);
    let selected = runtimes.select(&wanted, &variables);
    assert_eq!(runtimes.select(&wanted, &variables), selected);
    match selected {
        Ok(selection) => {
            assert!(selection.lines.len() >= wanted.len());
            assert!(selection.commands.iter().map(String::len).sum::<usize>() <= 16 * 1024);
        }
        Err(refused) => assert!(!refused.message.is_empty()),
    }
}
