use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// For which machine an image is, in Go's words: `linux/amd64`, `linux/arm64/v8`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// The operating system.
    pub os: String,
    /// The processor's architecture.
    pub architecture: String,
    /// The architecture's variant: `v7` of arm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Platform {
    /// This machine's.
    #[must_use]
    pub fn here() -> Self {
        let (architecture, variant) = match std::env::consts::ARCH {
            "x86_64" => ("amd64", None),
            "aarch64" => ("arm64", Some("v8")),
            "arm" => ("arm", Some("v7")),
            "x86" => ("386", None),
            "powerpc64" => ("ppc64le", None),
            other => (other, None),
        };
        Self::new(architecture, variant)
    }

    fn new(architecture: &str, variant: Option<&str>) -> Self {
        Self { os: "linux".to_owned(), architecture: architecture.to_owned(), variant: variant.map(str::to_owned) }
    }

    /// How well `offered` serves this platform: higher is better, `None` not at all. The same variant is best, then the
    /// nearest lower one (an armv7 machine runs armv6 images), then one that names none. The machines of amd64 differ
    /// in what they can (v2, v3, …), so only images that want the least are taken there.
    pub(crate) fn fit(&self, offered: &Platform) -> Option<u32> {
        if self.os != offered.os || self.architecture != offered.architecture {
            return None;
        }
        let number = |variant: &Option<String>| variant.as_deref().map(|v| v.trim_start_matches('v').parse::<u32>());
        match (number(&self.usual_variant()), number(&offered.usual_variant())) {
            (Some(Ok(mine)), Some(Ok(theirs))) => (theirs <= mine).then_some(theirs + 1),
            (None, None) => Some(1),
            (_, None) => Some(0),
            (None, Some(_)) | (_, Some(_)) => (self.variant == offered.variant).then_some(1),
        }
    }

    /// arm64 without a variant is v8, amd64 without one v1, arm without one v7.
    fn usual_variant(&self) -> Option<String> {
        let usual = match self.architecture.as_str() {
            "arm64" => Some("v8"),
            "amd64" => Some("v1"),
            "arm" => Some("v7"),
            _ => None,
        };
        self.variant.clone().filter(|variant| !variant.is_empty()).or(usual.map(str::to_owned))
    }
}

impl FromStr for Platform {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let parts: Vec<_> = text.split('/').collect();
        match parts[..] {
            ["linux", architecture] if word(architecture) => Ok(Self::new(architecture, None)),
            ["linux", architecture, variant] if word(architecture) && word(variant) => {
                Ok(Self::new(architecture, Some(variant)))
            }
            _ => Err(format!("platform {text:?}: must be like linux/amd64 or linux/arm64/v8")),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn platform(text: &str) -> Platform {
        text.parse().unwrap()
    }

    #[test]
    fn the_nearest_lower_variant_fits_best() {
        let best = |mine: &str, offered: &[&str]| {
            let mine = platform(mine);
            let offered = offered.iter().filter_map(|text| mine.fit(&platform(text)).map(|fit| (fit, *text)));
            offered.max_by_key(|(fit, _)| *fit).map(|(_, text)| text.to_owned())
        };
        for (mine, offered, expected) in [
            ("linux/amd64", &["linux/arm64", "linux/amd64"][..], Some("linux/amd64")),
            ("linux/amd64", &["linux/amd64/v3", "linux/amd64"], Some("linux/amd64")),
            ("linux/amd64", &["linux/amd64/v3"], None),
            ("linux/arm64", &["linux/arm64/v8", "linux/arm/v7"], Some("linux/arm64/v8")),
            ("linux/arm64/v8", &["linux/arm64"], Some("linux/arm64")),
            ("linux/arm/v7", &["linux/arm/v5", "linux/arm/v6", "linux/arm64"], Some("linux/arm/v6")),
            ("linux/arm/v6", &["linux/arm/v7", "linux/arm/v5"], Some("linux/arm/v5")),
            ("linux/riscv64", &["linux/riscv64"], Some("linux/riscv64")),
            ("linux/riscv64", &["linux/amd64"], None),
        ] {
            assert_eq!(best(mine, offered).as_deref(), expected, "{mine} of {offered:?}");
        }
    }

    #[test]
    fn only_linux_is_read() {
        for wrong in ["", "linux", "windows/amd64", "linux/", "linux/a/b/c", "linux/am d"] {
            assert!(wrong.parse::<Platform>().is_err(), "{wrong}");
        }
        assert_eq!(platform("linux/arm64/v8").to_string(), "linux/arm64/v8");
        assert_eq!(Platform::here().os, "linux");
    }
}
