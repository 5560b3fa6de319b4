//! Events on disk: records in segments, segments in a stream's folder, open streams on a shelf.

mod log;
mod reader;
mod record;
mod segment;
mod shelf;

pub(crate) use log::StreamLog;
pub(crate) use reader::{Direction, Sink, Window, page, scan};
pub(crate) use record::{EVENT_OVERHEAD, Event};
pub(crate) use segment::Summary;
pub(crate) use shelf::Shelf;
