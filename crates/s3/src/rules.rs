//! What S3 decides, as pure functions over plain data.

pub(crate) mod condition;
pub(crate) mod digest;
pub(crate) mod history;
pub(crate) mod hosts;
pub(crate) mod lifecycle;
pub(crate) mod listing;
pub(crate) mod names;
pub(crate) mod parts;
pub(crate) mod policy;
pub(crate) mod range;
pub(crate) mod settings;
pub(crate) mod tags;
