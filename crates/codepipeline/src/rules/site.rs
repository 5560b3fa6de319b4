//! Where the files of an extracted artifact go in a bucket, and as what: the pure part of the S3 deploy action (user guide, "Amazon
//! S3 deploy action").

/// The most files that one artifact may hold (user guide, "Quotas").
pub const MOST_FILES: usize = 100_000;

/// The most bytes that an artifact may hold, extracted. AWS names none; a zip of a few kilobytes can claim petabytes.
pub const MOST_BYTES: u64 = 20 * 1024 * 1024 * 1024;

/// What an archive says about itself before anything of it is extracted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Claims {
    /// Number of entries.
    pub entries: usize,
    /// What all entries take in the archive.
    pub packed: u64,
    /// What they claim to take extracted.
    pub unpacked: u64,
}

impl Claims {
    /// Whether an archive of `size` bytes may be extracted.
    ///
    /// # Errors
    /// What speaks against it.
    pub fn check(self, size: u64) -> Result<(), String> {
        if self.entries > MOST_FILES {
            return Err(format!("it holds {} files, more than {MOST_FILES}", self.entries));
        }
        if self.packed > size {
            return Err("its entries overlap".to_owned());
        }
        if self.unpacked > MOST_BYTES {
            return Err(format!("it holds {} bytes, more than {MOST_BYTES}", self.unpacked));
        }
        Ok(())
    }
}

/// The key of a file in the archive, under `prefix` where there is one. Names as Windows programs write them are read as meant.
/// Nothing for a folder.
///
/// # Errors
/// A name that leads out of the artifact.
pub fn object_key(prefix: Option<&str>, name: &str) -> Result<Option<String>, String> {
    let name = name.replace('\\', "/");
    if name.ends_with('/') {
        return Ok(None);
    }
    let parts: Vec<&str> = name.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let drive = parts.first().is_some_and(|first| first.len() == 2 && first.ends_with(':'));
    if drive || parts.contains(&"..") {
        return Err(format!("the entry '{name}' leads out of the artifact"));
    }
    let inside = parts.join("/");
    let prefix = prefix.map(|prefix| prefix.trim_end_matches('/')).filter(|prefix| !prefix.is_empty());
    Ok(Some(inside).filter(|inside| !inside.is_empty()).map(|inside| match prefix {
        Some(prefix) => format!("{prefix}/{inside}"),
        None => inside,
    }))
}

/// An `ObjectKey` with its placeholders filled in: `{datetime}` as `2026-01-31_23-59-00`, `{uuid}`.
#[must_use]
pub fn fill_key(key: &str, started: kernel::Timestamp, uuid: &str) -> String {
    let datetime: String = started.iso8601().chars().take(19).collect();
    let datetime = datetime.replace('T', "_").replace(':', "-");
    key.replace("{datetime}", &datetime).replace("{uuid}", uuid)
}

/// The content type that goes with a key's extension.
#[must_use]
pub fn content_type(key: &str) -> String {
    mime_guess::from_path(key).first_or_octet_stream().essence_str().to_owned()
}

#[cfg(test)]
mod tests {
    use kernel::Timestamp;

    use super::*;

    #[test]
    fn a_file_lies_under_its_name() {
        for (prefix, name, key) in [
            (None, "index.html", Some("index.html")),
            (None, "css/site.css", Some("css/site.css")),
            (None, "css\\site.css", Some("css/site.css")),
            (None, "./a//b", Some("a/b")),
            (None, "/etc/motd", Some("etc/motd")),
            (None, "css/", None),
            (None, "css\\", None),
            (None, "", None),
            (Some("v1"), "index.html", Some("v1/index.html")),
            (Some("v1/"), "a/b", Some("v1/a/b")),
            (Some(""), "a", Some("a")),
            (None, "..a/b..", Some("..a/b..")),
            (None, "grün/ü.txt", Some("grün/ü.txt")),
        ] {
            assert_eq!(object_key(prefix, name).unwrap().as_deref(), key, "{prefix:?} {name}");
        }
        for outside in ["../a", "a/../../b", "..\\a", "C:\\a", "c:/a"] {
            assert!(object_key(Some("v1"), outside).unwrap_err().contains("leads out"), "{outside}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_name_leads_out_of_its_prefix(name in "([a-c.:/\\\\]|\\.\\.|é){0,12}") {
            if let Ok(Some(key)) = object_key(Some("site"), &name) {
                proptest::prop_assert!(key.starts_with("site/"));
                proptest::prop_assert!(key.split('/').all(|part| part != ".." && part != "." && !part.is_empty()));
            }
        }
    }

    #[test]
    fn bombs_are_known_by_what_they_claim() {
        let claims = Claims { entries: 3, packed: 900, unpacked: 100_000 };
        assert_eq!(claims.check(1_000), Ok(()));
        assert!(Claims { packed: 1_001, ..claims }.check(1_000).unwrap_err().contains("overlap"));
        assert!(Claims { unpacked: MOST_BYTES + 1, ..claims }.check(1_000).unwrap_err().contains("bytes"));
        assert!(Claims { entries: MOST_FILES + 1, ..claims }.check(1_000).unwrap_err().contains("files"));
    }

    #[test]
    fn placeholders_are_filled_in() {
        let started = Timestamp::from_seconds(1_484_167_798);
        assert_eq!(fill_key("a-{datetime}.zip", started, "u-1"), "a-2017-01-11_20-49-58.zip");
        assert_eq!(fill_key("{uuid}/a", started, "u-1"), "u-1/a");
        assert_eq!(fill_key("a/{other}", started, "u-1"), "a/{other}");
    }

    #[test]
    fn types_are_guessed_by_extension() {
        for (key, expected) in [
            ("index.html", "text/html"),
            ("a/site.CSS", "text/css"),
            ("app.js", "text/javascript"),
            ("logo.svg", "image/svg+xml"),
            ("data.json", "application/json"),
            ("app.zip", "application/zip"),
            ("LICENSE", "application/octet-stream"),
        ] {
            assert_eq!(content_type(key), expected, "{key}");
        }
    }
}
