/// The largest manifest or index, in bytes: what registries take.
pub(crate) const MANIFEST_BYTES: u64 = 4 << 20;

/// The largest configuration of an image, in bytes.
pub(crate) const CONFIG_BYTES: u64 = 8 << 20;

/// The most layers: what Docker can run.
pub(crate) const LAYERS: usize = 127;

/// Bytes of memory for what is kept of a layer's folders until it is unpacked: ten times what large images need, and little
/// beside what millions of long paths would.
pub(crate) const FOLDERS_MEMORY: usize = 256 << 20;

/// How much an image may be. What is above is refused before, or cut off while, it is unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all layers unpacked, archive headers included, and bytes of all layers compressed.
    pub image_bytes: u64,
    /// Files, folders and links of all layers.
    pub entries: u64,
}

impl Default for Limits {
    /// 64 GiB and four million entries: AWS's largest build image is a sixth of it.
    fn default() -> Self {
        Self { image_bytes: 64 << 30, entries: 4_000_000 }
    }
}
