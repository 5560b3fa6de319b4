use std::io;

/// What a path in a layer stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// Something in the layer, by its parts from the root; none for the root itself.
    Thing(Vec<Vec<u8>>),
    /// `.wh.NAME`: what lower layers have at this path is gone.
    Whiteout(Vec<Vec<u8>>),
    /// `.wh..wh..opq`: what lower layers have in this folder is gone.
    Opaque(Vec<Vec<u8>>),
    /// Other marks of AUFS, which stand for nothing.
    Nothing,
}

const WHITEOUT: &[u8] = b".wh.";

/// The most folders that a path may lead through: each of an entry's is looked up.
const DEEPEST: usize = 255;

/// Reads a path, as layers are written (OCI image specification, `layer.md`). It is taken from the layer's root, with or
/// without a slash before it; a path that climbs is refused, even if it would stay inside.
pub(super) fn read(path: &[u8]) -> io::Result<Name> {
    let mut parts = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => return Err(refused(path, "it climbs out of its folder")),
            _ if part.contains(&0) => return Err(refused(path, "there is a zero byte in it")),
            _ => parts.push(part.to_vec()),
        }
    }
    if parts.len() > DEEPEST {
        return Err(refused(path, "it leads through too many folders"));
    }
    let Some(last) = parts.last() else { return Ok(Name::Thing(parts)) };
    if parts[..parts.len() - 1].iter().any(|part| part.starts_with(WHITEOUT)) {
        return Err(refused(path, "it is beneath a whiteout"));
    }
    let Some(hidden) = last.strip_prefix(WHITEOUT) else { return Ok(Name::Thing(parts)) };
    match hidden {
        b".wh..opq" => {
            parts.pop();
            Ok(Name::Opaque(parts))
        }
        b"" | b"." | b".." => Err(refused(path, "it is a whiteout of nothing")),
        _ if hidden.starts_with(WHITEOUT) => Ok(Name::Nothing),
        _ => {
            let hidden = hidden.to_vec();
            parts.pop();
            parts.push(hidden);
            Ok(Name::Whiteout(parts))
        }
    }
}

/// An entry that no layer may have.
pub(super) fn refused(path: &[u8], why: &str) -> io::Error {
    let path = String::from_utf8_lossy(path);
    let path: String = path.chars().take(200).collect();
    io::Error::new(io::ErrorKind::InvalidData, format!("the entry {path:?} is refused: {why}"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn parts(path: &str) -> Vec<Vec<u8>> {
        path.split('/').filter(|part| !part.is_empty()).map(|part| part.as_bytes().to_vec()).collect()
    }

    #[test]
    fn paths_and_marks_are_told_apart() {
        for (path, expected) in [
            ("./", Name::Thing(vec![])),
            ("/", Name::Thing(vec![])),
            ("usr/bin/env", Name::Thing(parts("usr/bin/env"))),
            ("/usr//bin/./", Name::Thing(parts("usr/bin"))),
            ("a/.wh.b", Name::Whiteout(parts("a/b"))),
            ("a/.wh..wh..opq", Name::Opaque(parts("a"))),
            (".wh..wh..opq", Name::Opaque(vec![])),
            ("a/.wh..wh.plnk", Name::Nothing),
            ("a/.wh...b", Name::Whiteout(parts("a/..b"))),
            ("a/.what", Name::Thing(parts("a/.what"))),
        ] {
            assert_eq!(read(path.as_bytes()).unwrap(), expected, "{path}");
        }
    }

    #[test]
    fn paths_that_go_elsewhere_are_refused() {
        for path in
            ["..", "../x", "a/../b", "a/..", "a/.wh.", "a/.wh..", "a/.wh...", "a/.wh.b/c", "a\0b", &"d/".repeat(256)]
        {
            assert!(read(path.as_bytes()).is_err(), "{path}");
        }
    }
}
