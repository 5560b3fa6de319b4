//! Decisions without clock, input or output.

pub(crate) mod ansi;
pub(crate) mod cookie;
pub(crate) mod form;
pub(crate) mod link;
pub(crate) mod mark;
pub(crate) mod moment;
pub(crate) mod origin;
pub(crate) mod revision;
pub(crate) mod route;
pub(crate) mod secret;
