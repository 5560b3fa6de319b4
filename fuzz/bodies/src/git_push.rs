//! `codecommit`: the pkt-lines before a push's pack.
//!
//! Held: the more of a body is there, the more is known, and nothing is taken back; commands are read again as written.

use codecommit::fuzz::{Change, push};

/// The body.
pub fn body(data: &[u8]) {
    let whole = push(data);
    let cut = data.len() / 2 + usize::from(data.first().copied().unwrap_or(0)) % 7;
    let part = push(&data[..cut.min(data.len())]);
    match &part {
        Ok(Some(_)) | Err(_) => assert_eq!(part, whole, "what is known of a part holds for the whole"),
        Ok(None) => {}
    }
    let Ok(Some(changes)) = whole else { return };
    assert!(changes.len() <= 4_000);
    for (old, new, name) in &changes {
        assert!(name.starts_with("refs/") && name.len() <= 1_000);
        assert!([old, new].into_iter().flatten().all(|id| id.len() == 40));
    }
    let written = write(&changes);
    assert_eq!(push(&written), Ok(Some(changes)));
}

fn write(changes: &[Change]) -> Vec<u8> {
    let id = |id: &Option<String>| id.clone().unwrap_or("0".repeat(40));
    let mut body = String::new();
    for (old, new, name) in changes {
        let line = format!("{} {} {name}\0 report-status\n", id(old), id(new));
        body.push_str(&format!("{:04x}{line}", line.len() + 4));
    }
    (body + "0000PACK").into_bytes()
}
