//! Revisions of an application: where they are and when they were used.

use aws::codedeploy::RevisionLocation;
use kernel::{Document, Index, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::sort_key;

/// A registered revision.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ApplicationRevision {
    /// The application's id.
    pub application_id: String,
    /// Where it is; also its identity.
    pub location: RevisionLocation,
    /// What the user said of it.
    pub description: Option<String>,
    /// When it was registered.
    pub registered: Timestamp,
    /// When a deployment first used it.
    pub first_used: Option<Timestamp>,
    /// When a deployment last used it.
    pub last_used: Option<Timestamp>,
}

/// Names a revision by its location: equal locations are one revision.
pub fn revision_id(location: &RevisionLocation) -> String {
    // The wire form writes members in one order, so equal locations give equal texts.
    let text = serde_json::to_string(location).unwrap_or_default();
    hex::encode(Sha256::digest(text.as_bytes()))
}

impl ApplicationRevision {
    /// The key of the revision at `location`.
    pub fn key_of(application_id: &str, location: &RevisionLocation) -> String {
        format!("{application_id}/{}", revision_id(location))
    }
}

impl Document for ApplicationRevision {
    const KIND: &'static str = "codedeploy.revision";

    fn key(&self) -> String {
        Self::key_of(&self.application_id, &self.location)
    }

    fn indexes(&self) -> Vec<Index> {
        let at = |time: Option<Timestamp>| time.map(sort_key).unwrap_or_default();
        vec![
            Index::new("registerTime", &self.application_id).sorted(sort_key(self.registered)),
            Index::new("firstUsedTime", &self.application_id).sorted(at(self.first_used)),
            Index::new("lastUsedTime", &self.application_id).sorted(at(self.last_used)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws::codedeploy::S3Location;

    fn at(key: &str, version: Option<&str>) -> RevisionLocation {
        let s3_location = S3Location {
            bucket: Some("bucket".to_owned()),
            key: Some(key.to_owned()),
            version: version.map(str::to_owned),
            ..S3Location::default()
        };
        RevisionLocation {
            revision_type: Some("S3".to_owned()),
            s3_location: Some(s3_location),
            ..RevisionLocation::default()
        }
    }

    #[test]
    fn a_revision_is_its_location() {
        assert_eq!(revision_id(&at("a.zip", Some("1"))), revision_id(&at("a.zip", Some("1"))));
        assert_ne!(revision_id(&at("a.zip", Some("1"))), revision_id(&at("a.zip", Some("2"))));
        assert_ne!(revision_id(&at("a.zip", None)), revision_id(&at("b.zip", None)));
    }
}
