//! The rules: plain data in, plain data out.

pub(crate) mod changes;
pub(crate) mod commands;
pub(crate) mod event;
pub(crate) mod names;
pub(crate) mod objects;
pub(crate) mod request;
pub(crate) mod specifier;
pub(crate) mod violation;
