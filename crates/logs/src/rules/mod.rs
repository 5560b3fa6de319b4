//! Pure rules: no clock, no files.

pub(crate) mod batch;
pub(crate) mod cursor;
pub(crate) mod listing;
pub(crate) mod merge;
pub(crate) mod pattern;
pub(crate) mod place;
pub(crate) mod retention;
pub(crate) mod sampling;
