use std::io::{self, Read};

use super::header::{BLOCK, Header};
use super::pax::Extension;
use super::{Entry, Kind, broken};

/// The most that one entry's extension headers are together: a path and some attributes.
const LARGEST_EXTENSION: u64 = 1 << 20;

/// Reads an archive entry by entry; between two entries it is itself the reader of the first one's content.
pub struct TarReader<R> {
    inner: R,
    /// Bytes of the current entry's content that were not read yet.
    left: u64,
    /// Bytes that fill its last block up.
    padding: u64,
    ended: bool,
}

impl<R: Read> TarReader<R> {
    /// An archive that is not compressed.
    pub fn new(inner: R) -> Self {
        Self { inner, left: 0, padding: 0, ended: false }
    }

    /// The next entry, or `None` at the end. What was not read of the one before is passed over.
    ///
    /// # Errors
    /// `InvalidData` where the archive breaks the format, `UnexpectedEof` where it was cut, and the reader's own.
    pub fn next_entry(&mut self) -> io::Result<Option<Entry>> {
        let mut extension = Extension::default();
        let (mut long_path, mut long_link) = (None, None);
        let mut left = LARGEST_EXTENSION;
        while let Some(block) = self.header()? {
            let header = Header(&block);
            let size = header.size()?;
            match header.kind() {
                b'x' => extension.read(&self.extension(size, &mut left)?)?,
                // What goes for all entries says nothing that is used here; Git writes its commit there.
                b'g' => self.content(size),
                b'L' => long_path = Some(self.extension(size, &mut left)?),
                b'K' => long_link = Some(self.extension(size, &mut left)?),
                _ => return self.entry(&header, extension, long_path, long_link).map(Some),
            }
        }
        Ok(None)
    }

    /// The reader beneath, for what follows the archive's end.
    pub fn into_inner(self) -> R {
        self.inner
    }

    fn entry(
        &mut self,
        header: &Header<'_>,
        extension: Extension,
        long_path: Option<Vec<u8>>,
        long_link: Option<Vec<u8>>,
    ) -> io::Result<Entry> {
        let zero_ended = |text: Vec<u8>| super::header::text(&text).to_vec();
        let path = extension.path.or(long_path.map(zero_ended)).unwrap_or_else(|| header.path());
        let link = extension.link.or(long_link.map(zero_ended)).unwrap_or_else(|| header.link());
        let kind = kind(header.kind(), &path)?;
        let size = extension.size.map_or_else(|| header.size(), Ok)?;
        // A few old programs gave links the size of what they link to, with no content following.
        let size = if matches!(kind, Kind::File) { size } else { 0 };
        self.content(size);
        Ok(Entry {
            path,
            kind,
            link,
            mode: header.mode()?,
            uid: owner(extension.uid.map_or_else(|| header.uid(), Ok)?)?,
            gid: owner(extension.gid.map_or_else(|| header.gid(), Ok)?)?,
            mtime: extension.mtime.unwrap_or((header.mtime(), 0)),
            size,
            xattrs: extension.xattrs,
        })
    }

    /// The next header block after the content before it, or `None` at the end.
    fn header(&mut self) -> io::Result<Option<[u8; BLOCK]>> {
        if self.ended {
            return Ok(None);
        }
        io::copy(self, &mut io::sink())?;
        let padding = io::copy(&mut (&mut self.inner).take(self.padding), &mut io::sink())?;
        if padding < self.padding {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.padding = 0;
        let mut block = [0; BLOCK];
        let read = read_up_to(&mut self.inner, &mut block)?;
        // Some programs leave the two blocks of zeros out.
        self.ended = read == 0 || (read == BLOCK && Header(&block).is_zero());
        if self.ended {
            return Ok(None);
        }
        if read < BLOCK {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Header(&block).check()?;
        Ok(Some(block))
    }

    /// Content of this length follows.
    fn content(&mut self, size: u64) {
        self.left = size;
        self.padding = (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
    }

    /// The content of an extension header. All of an entry's are held in memory, so they are bounded together.
    fn extension(&mut self, size: u64, left: &mut u64) -> io::Result<Vec<u8>> {
        let Some(rest) = left.checked_sub(size) else {
            return Err(broken(format!("an extension header of the archive is larger than {LARGEST_EXTENSION} bytes")));
        };
        *left = rest;
        self.content(size);
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// The current entry's content; an archive that ends within it is an error.
impl<R: Read> Read for TarReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let read = self.inner.read(&mut buffer[..most])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= read as u64;
        Ok(read)
    }
}

fn read_up_to(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while read < buffer.len() {
        match reader.read(&mut buffer[read..]) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

fn kind(flag: u8, path: &[u8]) -> io::Result<Kind> {
    Ok(match flag {
        // Before POSIX, folders were files with a slash at the end.
        b'0' | 0 | b'7' if path.ends_with(b"/") => Kind::Folder,
        b'0' | 0 | b'7' => Kind::File,
        b'1' => Kind::HardLink,
        b'2' => Kind::Symlink,
        b'3' | b'4' => Kind::Device,
        b'5' => Kind::Folder,
        b'6' => Kind::Fifo,
        b'S' => return Err(broken("the archive has a sparse file, which layers do not have")),
        other => return Err(broken(format!("the archive has an entry of the unknown kind {:?}", char::from(other)))),
    })
}

/// The highest number is the kernel's word for "leave as it is".
fn owner(number: u64) -> io::Result<u32> {
    let owner = u32::try_from(number).ok().filter(|owner| *owner != u32::MAX);
    owner.ok_or_else(|| broken(format!("the archive has an owner {number}, which no system has")))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::testing::TarMaker;

    fn all(archive: &[u8]) -> io::Result<Vec<(String, Kind, Vec<u8>)>> {
        let mut reader = TarReader::new(archive);
        let mut entries = Vec::new();
        while let Some(entry) = reader.next_entry()? {
            let mut content = Vec::new();
            reader.read_to_end(&mut content)?;
            entries.push((String::from_utf8_lossy(&entry.path).into_owned(), entry.kind, content));
        }
        Ok(entries)
    }

    #[test]
    fn reads_every_kind() {
        let archive = TarMaker::default()
            .folder("a/", 0o755)
            .file_with_mode("a/f", 0o755, b"hello")
            .symlink("a/l", "f")
            .hard_link("a/h", "a/f")
            .special("a/p", b'6')
            .special("a/d", b'3')
            .finish();
        let kinds: Vec<_> = all(&archive).unwrap().into_iter().map(|(_, kind, _)| kind).collect();
        let expected = [Kind::Folder, Kind::File, Kind::Symlink, Kind::HardLink, Kind::Fifo, Kind::Device];
        assert_eq!(kinds, expected);
        assert_eq!(all(&archive).unwrap()[1].2, b"hello");
    }

    #[test]
    fn long_names_come_in_extension_headers() {
        let long = format!("{}/f", "d".repeat(200));
        for archive in [
            TarMaker::default().pax(&[("path", long.as_bytes())]).file("short", b"1").finish(),
            TarMaker::default().gnu_long_path(&long).file("short", b"1").finish(),
        ] {
            assert_eq!(all(&archive).unwrap(), [(long.clone(), Kind::File, b"1".to_vec())]);
        }
    }

    #[test]
    fn paxs_size_and_owner_and_attributes_win() {
        let pax: &[(&str, &[u8])] = &[("uid", b"70000"), ("mtime", b"5.5"), ("SCHILY.xattr.user.x", b"\0\xff")];
        let archive = TarMaker::default().pax(pax).file("f", b"").finish();
        let entry = TarReader::new(&archive[..]).next_entry().unwrap().unwrap();
        assert_eq!((entry.uid, entry.mtime), (70_000, (5, 500_000_000)));
        assert_eq!(entry.xattrs, [(b"user.x".to_vec(), b"\0\xff".to_vec())]);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let sparse = TarMaker::default().special("s", b'S').finish();
        let unknown = TarMaker::default().special("s", b'?').finish();
        let huge = TarMaker::default().extension_of_size(1 << 40).finish();
        let owner = TarMaker::default().pax(&[("uid", b"4294967295")]).file("f", b"").finish();
        // None of them is large, but the entry that they are for never comes.
        let attribute = vec![b'x'; 90_000];
        let attributes = |maker: TarMaker, _| maker.pax(&[("SCHILY.xattr.user.x", &attribute)]);
        let many = (0..12).fold(TarMaker::default(), attributes).file("f", b"").finish();
        for (archive, part) in
            [(sparse, "sparse"), (unknown, "unknown"), (huge, "extension"), (owner, "owner"), (many, "extension")]
        {
            let error = all(&archive).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_cut_archive_is_no_short_one() {
        let archive = TarMaker::default().file("f", &[7; 1000]).finish();
        for length in [1, 100, 511, 513, 1000, 1511, 1513, 1600] {
            assert!(all(&archive[..length]).is_err(), "{length}");
        }
        // Without the zeros at its end it is whole.
        assert_eq!(all(&archive[..512 + 1024]).unwrap().len(), 1);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(0_u8.., 0..2048)) {
            let _ = all(&bytes);
        }

        #[test]
        fn any_change_of_an_archive_is_read_or_refused(at in 0_usize..3584, byte in 0_u8..) {
            let mut archive = TarMaker::default().pax(&[("path", b"long/name")]).file("f", b"hello").finish();
            let at = at % archive.len();
            archive[at] = byte;
            let _ = all(&archive);
        }
    }
}
