//! What pages show, made from API shapes by pure functions.

pub(crate) mod board;
pub(crate) mod history;
