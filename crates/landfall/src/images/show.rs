//! Images as people and programs read them.

use crate::terminal::bytes;
use images::Image;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

/// How much of an id people need.
const SHORT: usize = 12;

/// An id without its algorithm, as short as people write it.
pub(super) fn short(id: &str) -> &str {
    let digest = id.split_once(':').map_or(id, |(_, digest)| digest);
    digest.get(..SHORT).unwrap_or(digest)
}

/// An image in one line: its first name, or its id.
pub(super) fn name(image: &Image) -> &str {
    image.references.first().map_or(short(&image.id), String::as_str)
}

/// An image in one line: its names and what it is.
pub(super) fn line(image: &Image) -> String {
    let names = image.references.join(", ");
    let names = if names.is_empty() { String::new() } else { names + "  " };
    format!("{names}{}  {}  {}", short(&image.id), image.platform, bytes(image.size))
}

/// How long ago, in one unit: `just now`, `5 min ago`, `3 h ago`, `12 d ago`.
pub(super) fn ago(time: SystemTime, now: SystemTime) -> String {
    let seconds = now.duration_since(time).unwrap_or(Duration::ZERO).as_secs();
    match seconds {
        0..60 => "just now".to_owned(),
        60..3_600 => format!("{} min ago", seconds / 60),
        3_600..86_400 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

/// An image for programs; times in RFC 3339, sizes in bytes.
pub(super) fn json(image: &Image) -> Value {
    json!({
        "id": image.id,
        "references": image.references,
        "platform": image.platform.to_string(),
        "bytes": image.size,
        "layers": image.layers,
        "created": image.created,
        "pulled": stamp(image.pulled),
        "used": stamp(image.used),
        "inUse": image.in_use,
    })
}

/// Whole seconds: nobody asks for more of an image.
fn stamp(time: SystemTime) -> Option<String> {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    Some(Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?.to_string())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
pub(super) mod tests {
    use super::*;
    use images::RunConfig;

    /// An image of the year 1970.
    pub(in crate::images) fn image(references: &[&str], used: u64) -> Image {
        Image {
            id: format!("sha256:{}", "0123456789abcdef".repeat(4)),
            references: references.iter().map(|name| (*name).to_owned()).collect(),
            platform: "linux/amd64".parse().unwrap(),
            size: 120_000_000,
            layers: 3,
            created: Some("2026-01-01T00:00:00Z".to_owned()),
            pulled: SystemTime::UNIX_EPOCH + Duration::from_secs(60),
            used: SystemTime::UNIX_EPOCH + Duration::from_secs(used),
            in_use: false,
            run: RunConfig::default(),
        }
    }

    #[test]
    fn one_line_says_what_an_image_is() {
        assert_eq!(line(&image(&["debian:12", "b:1"], 0)), "debian:12, b:1  0123456789ab  linux/amd64  120.0 MB");
        assert_eq!(line(&image(&[], 0)), "0123456789ab  linux/amd64  120.0 MB");
        assert_eq!(name(&image(&[], 0)), "0123456789ab");
        assert_eq!(short("host"), "host");
    }

    #[test]
    fn ages_have_one_unit() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        for (age, said) in [
            (0, "just now"),
            (59, "just now"),
            (61, "1 min ago"),
            (7_300, "2 h ago"),
            (90_000, "1 d ago"),
            (9_000_000, "104 d ago"),
        ] {
            assert_eq!(ago(at(0), at(age)), said);
        }
        assert_eq!(ago(at(9), at(0)), "just now");
    }

    #[test]
    fn programs_get_times_and_bytes() {
        let shown = json(&image(&["a", "b"], 3_600));
        assert_eq!(shown["used"], "1970-01-01T01:00:00Z");
        assert_eq!((shown["bytes"].as_u64(), shown["references"][1].as_str()), (Some(120_000_000), Some("b")));
    }
}
