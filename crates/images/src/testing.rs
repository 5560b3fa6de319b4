//! What tests make archives and images of.

use std::io::Write;

/// Makes tar archives, also such as no honest program makes.
#[derive(Default)]
pub(crate) struct TarMaker(Vec<u8>);

impl TarMaker {
    pub(crate) fn file(self, path: &str, content: &[u8]) -> Self {
        self.entry(path, b'0', "", 0o644, content)
    }

    pub(crate) fn file_with_mode(self, path: &str, mode: u32, content: &[u8]) -> Self {
        self.entry(path, b'0', "", mode, content)
    }

    pub(crate) fn folder(self, path: &str, mode: u32) -> Self {
        self.entry(path, b'5', "", mode, b"")
    }

    pub(crate) fn symlink(self, path: &str, target: &str) -> Self {
        self.entry(path, b'2', target, 0o777, b"")
    }

    pub(crate) fn hard_link(self, path: &str, target: &str) -> Self {
        self.entry(path, b'1', target, 0o644, b"")
    }

    pub(crate) fn special(self, path: &str, kind: u8) -> Self {
        self.entry(path, kind, "", 0o644, b"")
    }

    /// Records for the entry that follows.
    pub(crate) fn pax(self, records: &[(&str, &[u8])]) -> Self {
        let mut content = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let length = (1..6).map(|digits| rest + digits).find(|all| all.to_string().len() + rest == *all);
            let _ = write!(content, "{} {key}=", length.unwrap_or_default());
            content.extend([value, &b"\n"[..]].concat());
        }
        self.entry("pax", b'x', "", 0o644, &content)
    }

    pub(crate) fn gnu_long_path(self, path: &str) -> Self {
        self.entry("././@LongLink", b'L', "", 0o644, format!("{path}\0").as_bytes())
    }

    /// An extension header that says it is this long.
    pub(crate) fn extension_of_size(mut self, size: u64) -> Self {
        self.header("pax", b'x', "", 0o644, size);
        self
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.0.extend([0; 1024]);
        self.0
    }

    fn entry(mut self, path: &str, kind: u8, link: &str, mode: u32, content: &[u8]) -> Self {
        self.header(path, kind, link, mode, content.len() as u64);
        self.0.extend(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    fn header(&mut self, path: &str, kind: u8, link: &str, mode: u32, size: u64) {
        let mut block = [0_u8; 512];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, path.as_bytes());
        put(100, format!("{mode:07o}").as_bytes());
        put(108, b"0000000");
        put(116, b"0000000");
        if size < 1 << 33 {
            put(124, format!("{size:011o}").as_bytes());
        } else {
            put(124, &[&[0x80, 0, 0, 0], &size.to_be_bytes()[..]].concat());
        }
        put(136, b"00000001750");
        put(148, b"        ");
        put(156, &[kind]);
        put(157, link.as_bytes());
        put(257, b"ustar\x0000");
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        self.0.extend(block);
    }
}
