//! Care of data: `landfall backup`, `landfall restore`, `landfall gc`, and the collection that the server runs daily.
//!
//! A backup is a folder with a manifest, which names every file of the data folder with its SHA-256, and a pool of
//! contents named by theirs. `docs/DATA.md` tells whoever runs the server what lies where.

mod agents;
pub(crate) mod backup;
pub(crate) mod collection;
mod contents;
pub(crate) mod gc;
mod images;
mod keep;
mod layout;
mod manifest;
mod pool;
pub(crate) mod restore;
mod screen;
mod verify;

pub(crate) use agents::OldAgents;
pub(crate) use collection::Collection;
pub(crate) use images::UnusedImages;
pub(crate) use keep::keep;
