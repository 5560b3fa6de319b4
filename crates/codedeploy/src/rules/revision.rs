//! Which locations are revisions of an application for hosts.

use aws::Error;
use aws::codedeploy::error;
use aws::codedeploy::{RevisionLocation, S3Location, revision_location_type};

/// The archive types that a host can unpack.
const BUNDLE_TYPES: [&str; 3] = ["zip", "tar", "tgz"];

/// A location that may be registered: in S3 or on GitHub, with nothing missing. What belongs to another type is
/// left out, so that equal revisions have equal locations.
pub fn registrable(location: Option<RevisionLocation>) -> Result<RevisionLocation, Error> {
    let location = location.ok_or_else(|| error::revision_required_exception("The revision is missing."))?;
    let revision_type = location.revision_type.as_deref().unwrap_or_default();
    let known = RevisionLocation { revision_type: Some(revision_type.to_owned()), ..RevisionLocation::default() };
    match revision_type {
        revision_location_type::S3 => {
            let s3 = location.s3_location.ok_or_else(|| {
                error::invalid_revision_exception("The revision type is S3, but s3Location is missing.")
            })?;
            check_s3(&s3)?;
            Ok(RevisionLocation { s3_location: Some(s3), ..known })
        }
        revision_location_type::GIT_HUB => {
            let missing = || {
                error::invalid_revision_exception(
                    "The revision type is GitHub, but gitHubLocation lacks repository or commitId.",
                )
            };
            let git_hub = location.git_hub_location.ok_or_else(missing)?;
            if git_hub.repository.is_none() || git_hub.commit_id.is_none() {
                return Err(missing());
            }
            check_text("repository", git_hub.repository.as_deref())?;
            check_text("commitId", git_hub.commit_id.as_deref())?;
            Ok(RevisionLocation { git_hub_location: Some(git_hub), ..known })
        }
        "" => Err(error::invalid_revision_exception("The revision has no revisionType: use S3.")),
        other => {
            let message =
                format!("Revisions of type {other} are for the compute platforms Lambda and ECS; hosts take S3.");
            Err(error::invalid_revision_exception(message))
        }
    }
}

/// A location that can be deployed: in S3.
pub fn deployable(location: Option<RevisionLocation>) -> Result<RevisionLocation, Error> {
    let location = registrable(location)?;
    if location.s3_location.is_none() {
        let message =
            "Deployments of revisions on GitHub are not built in this version of Landfall: push the revision to S3.";
        return Err(error::invalid_revision_exception(message));
    }
    Ok(location)
}

/// Longest text in a location, in bytes: S3's own bound for keys, far above all others.
const LONGEST: usize = 1024;

/// Refuses what no object, repository or commit is called; `name` is the member.
fn check_text(name: &str, text: Option<&str>) -> Result<(), Error> {
    match text {
        Some(text) if text.len() > LONGEST => {
            Err(error::invalid_revision_exception(format!("The revision's {name} is longer than {LONGEST} bytes.")))
        }
        _ => Ok(()),
    }
}

fn check_s3(s3: &S3Location) -> Result<(), Error> {
    for (name, value) in [("bucket", &s3.bucket), ("key", &s3.key)] {
        if value.as_deref().unwrap_or_default().is_empty() {
            return Err(error::invalid_revision_exception(format!("The revision's s3Location has no {name}.")));
        }
    }
    for (name, value) in [("bucket", &s3.bucket), ("key", &s3.key), ("version", &s3.version), ("eTag", &s3.e_tag)] {
        check_text(name, value.as_deref())?;
    }
    match s3.bundle_type.as_deref() {
        Some(bundle_type) if BUNDLE_TYPES.contains(&bundle_type) => Ok(()),
        other => {
            let message =
                format!("The revision's bundleType is '{}'; hosts unpack zip, tar and tgz.", other.unwrap_or_default());
            Err(error::invalid_revision_exception(message))
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use aws::codedeploy::GitHubLocation;

    fn s3(bucket: &str, key: &str, bundle_type: &str) -> RevisionLocation {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let s3_location = Some(S3Location {
            bucket: text(bucket),
            key: text(key),
            bundle_type: text(bundle_type),
            ..S3Location::default()
        });
        RevisionLocation { revision_type: Some("S3".to_owned()), s3_location, ..RevisionLocation::default() }
    }

    #[test]
    fn a_revision_in_s3_needs_bucket_key_and_an_archive_type() {
        assert!(deployable(Some(s3("b", "k.zip", "zip"))).is_ok());
        let long = "k".repeat(LONGEST + 1);
        for location in
            [s3("", "k", "zip"), s3("b", "", "zip"), s3("b", "k", ""), s3("b", "k", "YAML"), s3("b", &long, "zip")]
        {
            assert_eq!(deployable(Some(location)).unwrap_err().code, "InvalidRevisionException");
        }
        assert_eq!(deployable(None).unwrap_err().code, "RevisionRequiredException");
    }

    #[test]
    fn a_revision_on_git_hub_may_be_registered_only() {
        let git_hub_location =
            Some(GitHubLocation { repository: Some("a/b".to_owned()), commit_id: Some("c".to_owned()) });
        let location = RevisionLocation {
            revision_type: Some("GitHub".to_owned()),
            git_hub_location,
            ..RevisionLocation::default()
        };
        assert!(registrable(Some(location.clone())).is_ok());
        assert_eq!(deployable(Some(location)).unwrap_err().code, "InvalidRevisionException");
    }

    #[test]
    fn members_of_other_types_do_not_count() {
        let mut location = s3("b", "k.zip", "zip");
        location.git_hub_location = Some(GitHubLocation::default());
        assert_eq!(registrable(Some(location)).unwrap(), s3("b", "k.zip", "zip"));
    }
}
