//! `images`: layers, plain, gzip or Zstandard, with whiteouts, over a layer beneath.
//!
//! Held: nothing appears or changes beside the folder or in the layer beneath; the reader gives the same entries whether
//! their content is read or passed over and however the archive is cut; bytes and entries are bounded.

use crate::input::Crumbs;
use crate::scratch::Scratch;
use images::tar::{Entry, TarReader};
use std::fs;
use std::io::Read;

const MOST_BYTES: u64 = 1 << 20;
const MOST_ENTRIES: u64 = 200;

/// The body.
pub fn body(data: &[u8]) {
    read(data);
    let (beneath, layer) = (Scratch::new(), Scratch::new());
    fs::create_dir_all(beneath.folder().join("etc/deep")).unwrap();
    fs::write(beneath.folder().join("etc/passwd"), "root").unwrap();
    let before = beneath.list();
    let unpacked = images::fuzz::layer(data, &layer.folder(), &[beneath.folder()], MOST_BYTES, MOST_ENTRIES);
    layer.check();
    beneath.check();
    assert_eq!(beneath.list(), before, "the layer beneath is as it was");
    if let Ok((bytes, entries)) = unpacked {
        assert!(bytes <= MOST_BYTES && entries <= MOST_ENTRIES);
        let mut plain = Vec::new();
        images::decode(data).unwrap().read_to_end(&mut plain).unwrap();
        assert!(plain.len() as u64 <= MOST_BYTES);
        let (found, end) = entries_of(&plain, usize::MAX, false);
        assert_eq!((found.len() as u64, end), (entries, None));
    }
}

fn read(data: &[u8]) {
    let size = data.first().map_or(1, |byte| usize::from(*byte) + 1);
    let whole = entries_of(data, usize::MAX, false);
    assert_eq!(whole, entries_of(data, size, false), "in pieces of {size}");
    let (read, end) = entries_of(data, usize::MAX, true);
    assert_eq!(read, whole.0, "with contents read");
    assert_eq!(end.is_some(), whole.1.is_some());
}

/// The entries, and how it broke off.
fn entries_of(data: &[u8], size: usize, contents: bool) -> (Vec<Entry>, Option<String>) {
    let mut reader = TarReader::new(Crumbs { data, size });
    let mut entries = Vec::new();
    loop {
        match reader.next_entry() {
            Ok(Some(entry)) => {
                let held = entry.path.len() + entry.link.len() + entry.xattrs.iter().map(|(k, v)| k.len() + v.len()).sum::<usize>();
                assert!(held <= data.len(), "{held} bytes from {}", data.len());
                let wanted = entry.size;
                entries.push(entry);
                if contents {
                    let mut content = Vec::new();
                    match reader.read_to_end(&mut content) {
                        Ok(read) => assert_eq!(read as u64, wanted),
                        Err(error) => return (entries, Some(error.to_string())),
                    }
                }
            }
            Ok(None) => return (entries, None),
            Err(error) => return (entries, Some(error.to_string())),
        }
    }
}
