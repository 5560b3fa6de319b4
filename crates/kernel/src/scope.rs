//! The account and region that all state is partitioned by.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One account in one region: taken from the signed scope of a request, and the first part of every
/// document's address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Scope {
    /// Twelve digits.
    pub account: String,
    /// Region name, for example `us-east-1`.
    pub region: String,
}

impl Scope {
    /// The scope of `account` in `region`.
    pub fn new(account: impl Into<String>, region: impl Into<String>) -> Self {
        Self { account: account.into(), region: region.into() }
    }

    /// The scope of what AWS keeps once per account and not per region, such as IAM's users and roles.
    pub fn account_wide(account: impl Into<String>) -> Self {
        Self::new(account, "aws-global")
    }

    /// The scope of what AWS keeps once for everybody, such as the names of S3 buckets.
    #[must_use]
    pub fn global() -> Self {
        Self::new("aws", "aws-global")
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.account, self.region)
    }
}
