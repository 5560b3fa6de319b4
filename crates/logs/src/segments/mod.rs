//! Events on disk: records in blocks of segments, segments in a stream's folder, open streams on a shelf.

mod arrivals;
mod followers;
mod log;
mod reader;
mod record;
mod segment;
mod shelf;
mod stored;

pub(crate) use arrivals::Arrivals;
pub(crate) use followers::{Follower, Source, Streams};
pub(crate) use log::{Expired, StreamLog};
pub(crate) use reader::{Direction, Sink, Window, each, earliest, page};
pub(crate) use record::{EVENT_OVERHEAD, Event};
pub(crate) use shelf::Shelf;
