//! Signed deployment specifications: PKCS#7 `SignedData` as the CodeDeploy agents read it.
//!
//! The content is embedded and so is the signer's certificate. Agents check the signature against
//! that certificate and never its chain, so a self-signed P-256 key serves. The structure is fixed,
//! so it is written out as DER here instead of bringing a CMS library and a second set of curves.

mod certificate;
mod der;
mod identity;
mod signed_data;

pub use identity::{Identity, SigningError};
