use std::str::FromStr;

/// A number of bytes at most, or no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) Option<u64>);

/// Sizes as people write them: `64G`, `512M`, `1.5` is not one; powers of 1024; `none` for no limit.
impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "must be a size like 64G or 512M, or `none`".to_owned();
        if text == "none" {
            return Ok(Self(None));
        }
        let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
        let factor = match text.strip_prefix(digits) {
            Some("M" | "MiB") => 1 << 20,
            Some("G" | "GiB") => 1 << 30,
            Some("T" | "TiB") => 1_u64 << 40,
            _ => return Err(wrong()),
        };
        let number: u64 = digits.parse().map_err(|_| wrong())?;
        number.checked_mul(factor).filter(|bytes| *bytes > 0).map(|bytes| Self(Some(bytes))).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in
            [("64G", Some(64 << 30)), ("512MiB", Some(512 << 20)), ("1T", Some(1 << 40)), ("none", None)]
        {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
        for text in ["", "G", "64", "0G", "-1G", "1.5G", "99999999999T", "64GB", "64 G"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }
}
