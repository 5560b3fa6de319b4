//! A container's network: its own namespace with its loopback and, where it has one, its way to other networks.
//!
//! ```text
//! pasta, slirp4netns:  container eth0 === lf0 router tap0 --- helper (a process of the machine) --- other networks
//! veth:                container eth0 === lf-PID machine (packet filter translates) --- other networks
//! ```
//!
//! The order in the shim: [`before`] while it is in all of the machine's namespaces, [`attach`] when it has user, mount and
//! network namespaces of its own, [`Attached::ready`] before anything runs in the container, [`Attached::detach`] after
//! its end. The devices go with their namespaces. The helper is the shim's child and ends with it; what a shim that was
//! killed left all the same, [`clear`] finds by the bundle's record.

mod config;
mod filter;
mod helper;
mod link;
pub(crate) mod loopback;
mod netlink;
mod record;
mod router;
mod trial;
mod veth;

use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

pub use config::{Addresses, Config, Filter, Outside, Prefix, Way};
pub use record::clear;
pub use trial::{Trial, run as try_way};

pub(super) use helper::{FLAG as HELPER_FLAG, main as helper_main};
pub(super) use trial::{FLAG as TRIAL_FLAG, main as trial_main};

use helper::Helper;
use record::Record;
use router::Router;

/// What the names of all machines' ends of pairs begin with, whatever data folder they are of.
const PAIRS: &str = "lf-";
/// Where clouds tell their machines' credentials ([RFC 3927](https://www.rfc-editor.org/rfc/rfc3927)'s network).
pub const LINK_LOCAL: (Ipv4Addr, u8) = (Ipv4Addr::new(169, 254, 0, 0), 16);

/// What was started in the machine's namespaces.
pub(super) struct Before(Outpost);

enum Outpost {
    None,
    Helper(Helper),
    Machine(veth::Machine),
}

/// Starts what must be in the machine's namespaces; `user` says that a user namespace will be made.
pub(super) fn before(config: &Config, user: bool, folder: &Path) -> io::Result<Before> {
    let Some(outside) = &config.outside else { return Ok(Before(Outpost::None)) };
    match Helper::spawn(outside, user, &folder.join("network.log"))? {
        Some(helper) => {
            Record::helper(helper.pid())?.write(folder)?;
            Ok(Before(Outpost::Helper(helper)))
        }
        None => Ok(Before(Outpost::Machine(veth::machine()?))),
    }
}

/// A container's network, perhaps with its way out still being made.
pub(super) struct Attached {
    folder: PathBuf,
    state: State,
}

enum State {
    Alone,
    Coming(Router),
    Helped(Helper),
    Setting(filter::Setting, Rules),
    Filtered(Rules),
}

/// What is in the machine's packet filter.
struct Rules {
    machine: veth::Machine,
    filter: Filter,
    mark: String,
}

/// Makes this process's new, empty network namespace the container's; with a helper it is another one afterwards.
pub(super) fn attach(before: Before, config: &Config, folder: &Path) -> io::Result<Attached> {
    let state = match (before.0, &config.outside) {
        (Outpost::Helper(helper), Some(outside)) => State::Coming(router::make(helper, outside, config.link_local)?),
        (Outpost::Machine(machine), Some(outside @ Outside { way: Way::Veth(filter), mark, .. })) => {
            loopback::bring_up(config.link_local)?;
            let setting = veth::make(&machine, filter, outside, folder)?;
            State::Setting(setting, Rules { machine, filter: filter.clone(), mark: mark.clone() })
        }
        _ => {
            loopback::bring_up(config.link_local)?;
            State::Alone
        }
    };
    Ok(Attached { folder: folder.to_path_buf(), state })
}

impl Attached {
    /// Nothing of it is still being made.
    pub(super) fn is_ready(&self) -> bool {
        !matches!(self.state, State::Coming(_) | State::Setting(..))
    }

    /// Waits until the way out is there, which takes about as long as making the container does.
    ///
    /// # Errors
    /// It cannot be had, with the reason in words.
    pub(super) fn ready(self) -> io::Result<Self> {
        let state = match self.state {
            State::Coming(router) => State::Helped(router.ready()?),
            State::Setting(setting, rules) => {
                setting.done()?;
                State::Filtered(rules)
            }
            settled => settled,
        };
        Ok(Self { state, ..self })
    }

    /// Ends and removes all of it that would stay on the machine.
    pub(super) fn detach(self) -> io::Result<()> {
        match self.state {
            State::Alone => return Ok(()),
            State::Coming(router) => router.give_up().end()?,
            State::Helped(helper) => helper.end()?,
            State::Setting(setting, rules) => {
                // Refused or not, its rules are removed.
                let _ = setting.done();
                rules.remove()?;
            }
            State::Filtered(rules) => rules.remove()?,
        }
        Record::forget(&self.folder)
    }
}

impl Rules {
    /// Goes back to the machine's namespace for it: this process stays there, and ends.
    fn remove(self) -> io::Result<()> {
        self.machine.remove_pair()?;
        self.machine.enter()?;
        filter::remove(&self.filter, &self.mark)
    }
}
