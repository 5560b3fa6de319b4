//! The web pages: pipelines with their stages and actions, builds with their logs, deployments with their hosts.
//!
//! Pages are written on the server and work without scripts; one small script of ours replaces the parts of a page that
//! changed, as the server sends them. Whatever a page shows it reads through the gated traits as the caller who signed
//! in, and whatever its buttons do they do so too: policy and audit are the API's own.
//!
//! - `pages/`: a file per page, its buttons' deeds with it; `view/`: what several pages show, made from API shapes alone.
//! - `rules/`: routes, cookies, origins, secrets, ANSI colours, times as people read them.
//! - [`live`]: a page that is open follows the bus. [`sessions`]: one-time links and who is signed in.
#![forbid(unsafe_code)]

mod assets;
mod live;
mod model;
mod pages;
mod reply;
mod rules;
mod run;
mod service;
mod sessions;
mod view;

pub use live::FOLLOWS;
pub use reply::Body;
pub use rules::route::PATH;
pub use service::{Arrival, Dependencies, Service};
pub use sessions::MadeLink;
