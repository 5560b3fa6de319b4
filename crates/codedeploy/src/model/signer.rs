//! The signing key of an account and region, and what it signed.

use kernel::Document;
use serde::{Deserialize, Serialize};

/// The key that signs deployment specifications, made on first use.
#[derive(Clone, Serialize, Deserialize)]
pub struct Signer {
    /// The key in PKCS#8, sealed.
    pub sealed_key: String,
    /// The certificate's serial number in hex.
    pub serial: String,
}

impl Signer {
    /// The only key of this kind.
    pub const KEY: &'static str = "deployment-specifications";
    /// What the key is sealed for.
    pub const SEAL: &'static str = "codedeploy.signer/deployment-specifications";
}

impl Document for Signer {
    const KIND: &'static str = "codedeploy.signer";

    fn key(&self) -> String {
        Self::KEY.to_owned()
    }
}

/// The signed specification of a deployment: the same text for each host and each call.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SignedSpecification {
    /// The deployment's id.
    pub deployment: String,
    /// PKCS#7 in PEM.
    pub pem: String,
}

impl Document for SignedSpecification {
    const KIND: &'static str = "codedeploy.specification";

    fn key(&self) -> String {
        self.deployment.clone()
    }
}
