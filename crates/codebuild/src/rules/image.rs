//! Which image a build really runs on: the operator's map of image names.

use globset::{GlobBuilder, GlobMatcher};

/// The image that shows the machine's own files, copy-on-write.
pub const HOST: &str = "host";

/// The prepackaged build environment that `landfall images build standard` makes.
pub const STANDARD: &str = "landfall/standard";
/// How AWS's own images begin, which no registry has under these names.
const CURATED: &str = "aws/codebuild/";

/// What a build runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice<'a> {
    /// This image, or [`HOST`].
    Image(&'a str),
    /// One of AWS's own is asked for and no rule maps it: [`STANDARD`] where it was built here, else nothing.
    Standard,
}

/// Why a build on one of AWS's images cannot run: [`STANDARD`] was not built here.
#[must_use]
pub fn no_standard(image: &str) -> String {
    format!(
        "{image} is one of AWS's own images, and this server has none to run in its place: make one with `landfall \
         images build standard`, or start the server with --image-map 'aws/codebuild/*=IMAGE' (for example debian:12, or \
         host for this machine's own files)"
    )
}

/// Patterns of image names and what to run instead; the first that matches wins.
#[derive(Debug, Clone, Default)]
pub struct ImageMap(Vec<(GlobMatcher, String)>);

/// An `--image-map` that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageMapError {
    /// No `=`, or nothing on one side of it.
    #[error("image map {0:?} is not of the form GLOB=IMAGE, for example 'aws/codebuild/*=host'")]
    Form(String),
    /// Not a glob.
    #[error("image map {rule:?}: {reason}")]
    Glob {
        /// What was given.
        rule: String,
        /// What is wrong with its pattern.
        reason: String,
    },
}

impl ImageMap {
    /// Reads `GLOB=IMAGE` rules; `*` also crosses slashes, for image names are not paths.
    ///
    /// # Errors
    /// The first rule that cannot be used.
    pub fn parse<S: AsRef<str>>(rules: &[S]) -> Result<Self, ImageMapError> {
        rules.iter().map(|rule| parse_rule(rule.as_ref())).collect::<Result<_, _>>().map(Self)
    }

    /// What to run for the image that a project names: what a rule says, else [`Choice::Standard`] for AWS's own images,
    /// else the image itself.
    #[must_use]
    pub fn choose<'a>(&'a self, image: &'a str) -> Choice<'a> {
        let ruled = self.0.iter().find(|(glob, _)| glob.is_match(image));
        match ruled {
            Some((_, mapped)) => Choice::Image(mapped),
            None if image.starts_with(CURATED) => Choice::Standard,
            None => Choice::Image(image),
        }
    }
}

fn parse_rule(rule: &str) -> Result<(GlobMatcher, String), ImageMapError> {
    let form = || ImageMapError::Form(rule.to_owned());
    let (glob, image) = rule.split_once('=').ok_or_else(form)?;
    if glob.is_empty() || image.is_empty() {
        return Err(form());
    }
    let glob = GlobBuilder::new(glob).literal_separator(false).build();
    let glob = glob.map_err(|error| ImageMapError::Glob { rule: rule.to_owned(), reason: error.kind().to_string() })?;
    Ok((glob.compile_matcher(), image.to_owned()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_rule_that_matches_wins() {
        let map =
            ImageMap::parse(&["aws/codebuild/standard:5.0=old", "aws/codebuild/*=host", "*/slim=debian:12"]).unwrap();
        for (image, expected) in [
            ("aws/codebuild/standard:5.0", "old"),
            ("aws/codebuild/standard:7.0", "host"),
            ("aws/codebuild/amazonlinux-x86_64-standard:5.0", "host"),
            ("example.com/a/slim", "debian:12"),
            ("debian:12", "debian:12"),
        ] {
            assert_eq!(map.choose(image), Choice::Image(expected));
        }
        assert_eq!(ImageMap::default().choose("host"), Choice::Image(HOST));
    }

    #[test]
    fn awss_own_images_are_the_standard_one_unless_a_rule_says_else() {
        let map = ImageMap::parse(&["aws/codebuild/standard:5.0=debian:12"]).unwrap();
        for (image, expected) in [
            ("aws/codebuild/standard:5.0", Choice::Image("debian:12")),
            ("aws/codebuild/standard:7.0", Choice::Standard),
            ("aws/codebuild/amazonlinux-x86_64-standard:5.0", Choice::Standard),
            ("aws/codebuilder", Choice::Image("aws/codebuilder")),
            ("example.com/aws/codebuild/standard:7.0", Choice::Image("example.com/aws/codebuild/standard:7.0")),
            (HOST, Choice::Image(HOST)),
        ] {
            assert_eq!(map.choose(image), expected, "{image}");
        }
        let said = no_standard("aws/codebuild/standard:7.0");
        assert!(said.contains("landfall images build standard") && said.contains("--image-map"), "{said}");
    }

    #[test]
    fn bad_rules_are_refused() {
        for rule in ["", "a", "=b", "a=", "[=b"] {
            assert!(ImageMap::parse(&[rule]).is_err(), "{rule}");
        }
    }

    /// The globs' meaning, slow and obviously right, for patterns of letters, `?` and `*`.
    fn means(pattern: &[u8], image: &[u8]) -> bool {
        match (pattern.split_first(), image.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) => (0..=image.len()).any(|taken| means(rest, &image[taken..])),
            (Some((letter, rest)), Some((other, image))) => (*letter == b'?' || letter == other) && means(rest, image),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn globs_mean_what_they_say(pattern in "([ab/:.?]|\\*[ab/:.?]){1,8}\\*?", image in "[ab/:.]{1,10}") {
            // A `**` of its own between slashes is globset's, and nobody needs it where `*` crosses slashes.
            let map = ImageMap::parse(&[format!("{pattern}=mapped")]).unwrap();
            let mapped = map.choose(&image) == Choice::Image("mapped");
            prop_assert_eq!(mapped, means(pattern.as_bytes(), image.as_bytes()), "{} of {}", pattern, image);
        }
    }
}
