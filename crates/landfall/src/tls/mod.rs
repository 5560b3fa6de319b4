//! HTTPS on the listener: certificates by a local authority of our own, or from files.
//!
//! [`authority`] is the local CA in `DIR/tls/`, [`names`] says what its certificates are good for, [`local`] issues and
//! renews them, [`given`] takes certificate and key from files instead, and [`accept`] speaks the handshake. [`inside`] is
//! HTTPS inside of builds, by a second authority for AWS's names.
//! [`command`] is `landfall tls`, and [`trust`] says how a machine comes to trust the CA.

mod accept;
mod authority;
mod command;
mod given;
mod inside;
mod kept;
mod local;
mod names;
mod trust;

pub(crate) use accept::{Accepted, Tls};
pub(crate) use authority::Authority;
pub(crate) use command::{Options, run};
pub(crate) use given::GivenCertificate;
pub(crate) use inside::Inside;
pub(crate) use local::LocalCertificates;
pub(crate) use names::Names;
