//! Pure rules: no clock, no files.

pub(crate) mod batch;
pub(crate) mod merge;
pub(crate) mod pattern;
pub(crate) mod place;
