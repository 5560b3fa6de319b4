use std::io;

use super::broken;

/// What extension headers say of the entry that follows them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Extension {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u64>,
    pub(super) gid: Option<u64>,
    pub(super) mtime: Option<(i64, u32)>,
    pub(super) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// How GNU tar and Docker write extended attributes.
const XATTR: &[u8] = b"SCHILY.xattr.";

impl Extension {
    /// Takes up the records of a pax header: `LENGTH KEY=VALUE\n`, where the length counts itself.
    pub(super) fn read(&mut self, mut records: &[u8]) -> io::Result<()> {
        while !records.is_empty() {
            let (record, rest) = split(records).ok_or_else(|| broken("a pax header of the archive is malformed"))?;
            let equals = record.iter().position(|byte| *byte == b'=');
            let equals = equals.ok_or_else(|| broken("a pax header of the archive has a record without `=`"))?;
            self.take(&record[..equals], &record[equals + 1..])?;
            records = rest;
        }
        Ok(())
    }

    fn take(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        match key {
            b"path" => self.path = Some(value.to_vec()),
            b"linkpath" => self.link = Some(value.to_vec()),
            b"size" => self.size = Some(number(value)?),
            b"uid" => self.uid = Some(number(value)?),
            b"gid" => self.gid = Some(number(value)?),
            b"mtime" => self.mtime = Some(time(value)),
            _ if key.starts_with(b"GNU.sparse.") => {
                return Err(broken("the archive has a sparse file, which layers do not have"));
            }
            _ => {
                if let Some(name) = key.strip_prefix(XATTR) {
                    self.xattrs.push((name.to_vec(), value.to_vec()));
                }
            }
        }
        Ok(())
    }
}

/// The first record without length and newline, and what follows it.
fn split(records: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = records.iter().take(20).position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(&records[..space]).ok()?.parse().ok()?;
    let record = records.get(space + 1..length)?;
    Some((record.strip_suffix(b"\n")?, &records[length..]))
}

fn number(value: &[u8]) -> io::Result<u64> {
    let number = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| broken("a pax header of the archive has something else in the place of a number"))
}

/// Seconds with or without a fraction; what cannot be read is 1970.
fn time(value: &[u8]) -> (i64, u32) {
    let text = std::str::from_utf8(value).unwrap_or_default();
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = fraction.chars().take(9).filter(char::is_ascii_digit).collect();
    let nanoseconds = format!("{digits:0<9}").parse().unwrap_or(0);
    match seconds.parse::<i64>() {
        Ok(seconds) if seconds >= 0 => (seconds, nanoseconds),
        _ => (0, 0),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn records_are_taken_up() {
        let mut extension = Extension::default();
        extension.read(b"12 path=a/b\n10 size=7\n20 mtime=12.5000001\n").unwrap();
        extension.read(b"30 SCHILY.xattr.user.x=a=\nb\0c\n").unwrap();
        assert_eq!(extension.path.as_deref(), Some(&b"a/b"[..]));
        assert_eq!((extension.size, extension.mtime), (Some(7), Some((12, 500_000_100))));
        assert_eq!(extension.xattrs, [(b"user.x".to_vec(), b"a=\nb\0c".to_vec())]);
    }

    #[test]
    fn malformed_records_are_refused() {
        for wrong in [
            &b"12 path=a/b"[..],
            b"path=a\n",
            b"0 a=b\n",
            b"3 a\n",
            b"99999999999999999999999 a=b\n",
            b"999 a=b\n",
            b"9 size=x\n",
            b"6 abc\n",
            b"18 GNU.sparse.a=1\n",
        ] {
            assert!(Extension::default().read(wrong).is_err(), "{}", String::from_utf8_lossy(wrong));
        }
    }

    #[test]
    fn times_before_1970_are_1970() {
        for (text, expected) in [("-5.5", (0, 0)), ("", (0, 0)), ("7", (7, 0)), ("7.25", (7, 250_000_000))] {
            assert_eq!(time(text.as_bytes()), expected, "{text}");
        }
    }
}
