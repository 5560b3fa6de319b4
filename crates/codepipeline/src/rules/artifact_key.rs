//! Where an artifact lies in the artifact store's bucket.

/// Letters of an artifact key's random part.
pub const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Length of an artifact key's random part.
pub const RANDOM_LENGTH: usize = 7;

/// The object key `<pipeline, 20 characters>/<artifact, 10 characters>/<random>` (user guide, "Input and output
/// artifacts"). Two artifacts may share a folder; only the random part tells them apart.
#[must_use]
pub fn artifact_key(pipeline: &str, artifact: &str, random: &str) -> String {
    let cut = |name: &str, length: usize| name.chars().take(length).collect::<String>();
    format!("{}/{}/{random}", cut(pipeline, 20), cut(artifact, 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_as_aws_cuts_them() {
        for (pipeline, artifact, key) in [
            ("myPipeline", "SourceArtifact", "myPipeline/SourceArti/JrWYRbf"),
            ("a-very-long-pipeline-name-indeed", "Build", "a-very-long-pipeline/Build/JrWYRbf"),
            ("p", "a", "p/a/JrWYRbf"),
        ] {
            assert_eq!(artifact_key(pipeline, artifact, "JrWYRbf"), key);
        }
    }
}
