//! What every Landfall service stands on.
//!
//! State is versioned [`Documents`] in one [`Store`]; [`work`] lets reconcilers move it on in small
//! steps; every change is an [`Event`] on the [`Bus`], written in the same commit; large content lies in
//! [`Blobs`]. Time, ids and secrets come through [`Clock`], [`Ids`] and [`Seal`], so that tests are
//! deterministic. The rest are AWS's shared terms: [`Arn`], [`Caller`], [`Timestamp`], tags, paging and
//! client tokens, each with one test table for all services.
//!
//! Nothing here knows any service.
#![forbid(unsafe_code)]

pub mod arn;
pub mod blobs;
mod bus;
mod caller;
pub mod client_token;
mod clock;
mod document;
mod documents;
mod door;
mod folders;
mod ids;
mod large;
pub mod names;
pub mod paging;
mod principals;
pub mod removal;
pub mod retention;
mod scope;
mod seal;
mod stop;
pub mod store;
pub mod tags;
pub mod tidy;
mod timestamp;
pub mod work;

pub use arn::Arn;
pub use blobs::{BlobError, BlobRef, Blobs, Staged, UnusedBlobs};
pub use bus::{Bus, Cursor, Delivered, Event, Subscription, Tail};
pub use caller::{Caller, Principal, Session, Via};
pub use clock::{Clock, ManualClock, SystemClock};
pub use crash_point::{self as crash, crash_point};
pub use document::{Document, Index, Order, Page, Stored};
pub use documents::{Batch, Documents};
pub use door::Door;
pub use folders::Folders;
pub use ids::{Ids, SequentialIds, SystemIds};
pub use large::Large;
pub use principals::{Credentials, PrincipalError, Principals};
pub use retention::{Collected, Collector, Keep, Removed, Retention};
pub use scope::Scope;
pub use seal::{Seal, SealError};
pub use stop::Stop;
pub use store::{CommitError, OpenError, Store, StoreError};
pub use timestamp::{Timestamp, TimestampError};
pub use work::{Lease, Reconciler, StepError, WorkOptions};
