//! Which image a build really runs on: the operator's map of image names.

use globset::{GlobBuilder, GlobMatcher};

/// The image that shows the machine's own files, copy-on-write.
pub const HOST: &str = "host";

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

    /// The image to run for the one that a project names.
    #[must_use]
    pub fn resolve<'a>(&'a self, image: &'a str) -> &'a str {
        self.0.iter().find(|(glob, _)| glob.is_match(image)).map_or(image, |(_, mapped)| mapped)
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
            assert_eq!(map.resolve(image), expected);
        }
        assert_eq!(ImageMap::default().resolve("host"), HOST);
    }

    #[test]
    fn bad_rules_are_refused() {
        for rule in ["", "a", "=b", "a=", "[=b"] {
            assert!(ImageMap::parse(&[rule]).is_err(), "{rule}");
        }
    }
}
