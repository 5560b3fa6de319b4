//! A layer's archive as a folder, as overlays want it.

mod decode;
mod layer;
mod name;
mod place;

pub(crate) use decode::Bounded;
pub use decode::decode;
pub(crate) use layer::{Bounds, Ownership, unpack};
pub(crate) use place::{bytes_of, remove_tree, sync_all};
