//! Pure rules: no clock, no store.

pub(crate) mod access_key_id;
pub(crate) mod decision;
pub(crate) mod evaluate;
pub(crate) mod policy_document;
pub(crate) mod signing_time;
pub(crate) mod trust;
