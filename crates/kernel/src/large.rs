//! Text in a document that may be large.

use serde::{Deserialize, Serialize};

use crate::{BlobError, BlobRef, Blobs};

/// The longest text kept in the document itself, in bytes.
const INLINE: usize = 8 * 1024;

/// Text that lies in the document while it is short, else in a blob, so that the document stays small.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Large {
    /// At most 8 KiB.
    Inline(String),
    /// Longer text.
    Blob(BlobRef),
}

impl Large {
    /// Keeps `text`: a long one is on disk when this resolves, before the document that will refer to it.
    pub async fn write(blobs: &Blobs, text: String) -> Result<Self, BlobError> {
        if text.len() <= INLINE {
            return Ok(Self::Inline(text));
        }
        Ok(Self::Blob(blobs.put_bytes(text).await?))
    }

    /// The text.
    pub async fn read(&self, blobs: &Blobs) -> Result<String, BlobError> {
        match self {
            Self::Inline(text) => Ok(text.clone()),
            Self::Blob(blob) => {
                let content = blobs.read(&blob.digest).await?;
                String::from_utf8(content).map_err(|error| std::io::Error::other(error).into())
            }
        }
    }

    /// The blob that it refers to, for who removes what is no longer referred to.
    #[must_use]
    pub fn blob(&self) -> Option<&BlobRef> {
        match self {
            Self::Inline(_) => None,
            Self::Blob(blob) => Some(blob),
        }
    }
}

impl Default for Large {
    fn default() -> Self {
        Self::Inline(String::new())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn short_text_stays_inline_and_long_text_comes_back_from_its_blob() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path(), "test").unwrap();
        for (length, in_blob) in [(0, false), (INLINE, false), (INLINE + 1, true)] {
            let text = "x".repeat(length);
            let large = Large::write(&blobs, text.clone()).await.unwrap();
            assert_eq!(large.blob().is_some(), in_blob);
            let stored: Large = serde_json::from_str(&serde_json::to_string(&large).unwrap()).unwrap();
            assert_eq!(stored.read(&blobs).await.unwrap(), text);
        }
    }
}
