//! The containers' ways to other networks: which one this machine and user have, and what it means for a container.

use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use agent::shim::network::{Config, Filter, Outside, Trial, Way};
use agent::shim::{Identities, network as shim_network};

use super::containers::REMOVED;
use super::network_files::LOOPBACK_ONLY;
use super::network_machine::Surroundings;
use super::network_plan::{self, Plan};
use super::{identities, runtime};
use crate::{ContainerSpec, EngineError, Network, WayOut};

const FORWARDING: &str = "/proc/sys/net/ipv4/ip_forward";
const TUNNELS: &str = "/dev/net/tun";

/// The ways in the order in which they are tried.
const ORDER: [WayOut; 3] = [WayOut::Pasta, WayOut::Slirp4netns, WayOut::Veth];

/// See the module's page.
#[derive(Debug)]
pub(super) struct Networks {
    wanted: WayOut,
    agent: PathBuf,
    identities: Option<Identities>,
    /// Where trials have their files.
    folder: PathBuf,
    found: OnceLock<Option<Way>>,
}

/// The network of one container.
pub(super) struct Wanted {
    pub(super) config: Config,
    pub(super) resolv_conf: String,
}

impl Networks {
    /// A way that was asked for by name is tried at once, that of `auto` when it is needed first.
    ///
    /// # Errors
    /// [`EngineError::Unusable`] with the fix, where the way that was asked for does not work.
    pub(super) fn open(
        wanted: WayOut,
        agent: &Path,
        identities: Option<Identities>,
        folder: &Path,
    ) -> Result<Self, EngineError> {
        let networks = Self {
            wanted,
            agent: agent.to_path_buf(),
            identities,
            folder: folder.to_path_buf(),
            found: OnceLock::new(),
        };
        if !matches!(wanted, WayOut::Auto | WayOut::None) {
            let way = networks.try_way(wanted).map_err(EngineError::Unusable)?;
            // Nobody else has it yet.
            let _ = networks.found.set(Some(way));
        }
        Ok(networks)
    }

    /// No way out.
    #[cfg(test)]
    pub(super) fn none() -> Self {
        let nowhere = PathBuf::new();
        Self { wanted: WayOut::None, agent: nowhere.clone(), identities: None, folder: nowhere, found: OnceLock::new() }
    }

    /// The way's name; none where there is no way out.
    pub(super) fn name(&self) -> Option<&'static str> {
        self.way().map(|way| match way {
            Way::Pasta(_) => WayOut::Pasta.name(),
            Way::Slirp4netns(_) => WayOut::Slirp4netns.name(),
            Way::Veth(_) => WayOut::Veth.name(),
        })
    }

    /// What a container gets whose rules in the packet filter will be known by `mark`.
    ///
    /// # Errors
    /// The machine has routes to everywhere, so that no addresses are left.
    pub(super) fn of(&self, spec: &ContainerSpec, mark: &str) -> Result<Wanted, EngineError> {
        let alone = Config { link_local: spec.link_local, outside: None };
        match self.way().filter(|_| spec.network == Network::Outside) {
            None => Ok(Wanted { config: alone, resolv_conf: LOOPBACK_ONLY.to_owned() }),
            Some(way) => {
                let around = look()?;
                let plan = plan(way, &around)?;
                let resolv_conf = around.resolver.with(&plan.name_servers);
                Ok(Wanted { config: Config { outside: Some(outside(way, plan, mark)), ..alone }, resolv_conf })
            }
        }
    }

    fn way(&self) -> Option<&Way> {
        self.found.get_or_init(|| self.first().unwrap_or_default()).as_ref()
    }

    /// The first way that works, or none if none is wanted; else why none does.
    fn first(&self) -> Result<Option<Way>, String> {
        if self.wanted == WayOut::None {
            return Ok(None);
        }
        let mut reasons = Vec::new();
        for way in ORDER {
            match self.try_way(way) {
                Ok(way) => return Ok(Some(way)),
                Err(reason) => reasons.push(reason),
            }
        }
        let reasons = reasons.join("; ");
        tracing::warn!(
            reasons,
            "builds reach Landfall alone: no way to other networks works here, and each says what it lacks"
        );
        Err(reasons)
    }

    /// Makes and ends a network with this way.
    fn try_way(&self, wanted: WayOut) -> Result<Way, String> {
        let way = find(wanted, self.identities.is_some())?;
        if wanted == WayOut::Veth {
            forward(self.wanted == WayOut::Veth)?;
        }
        let in_words =
            |error: &dyn std::fmt::Display| format!("--build-network {} does not work here: {error}", wanted.name());
        let around = look().map_err(|error| in_words(&error))?;
        let plan = plan(&way, &around).map_err(|error| in_words(&error))?;
        let folder = Folder::make(&self.folder).map_err(|error| in_words(&error))?;
        let mark = format!("landfall-trial-{}", std::process::id());
        let network = Config { link_local: false, outside: Some(outside(&way, plan, &mark)) };
        let trial = Trial { network, identities: self.identities.clone() };
        shim_network::try_way(&self.agent, &trial, &folder.0).map_err(|error| in_words(&error))?;
        Ok(way)
    }
}

/// How builds would reach other networks on this machine, by name, tried with the program `agent`; `None` where the option
/// is `none`.
///
/// # Errors
/// [`EngineError::Unusable`] with the fix: what was asked for does not work; of `auto`, that nothing does.
pub fn way_out(wanted: WayOut, agent: &Path) -> Result<Option<&'static str>, EngineError> {
    let networks = Networks {
        wanted,
        agent: agent.to_path_buf(),
        identities: identities::of_this_user(),
        folder: std::env::temp_dir(),
        found: OnceLock::new(),
    };
    let way = match wanted {
        WayOut::Auto | WayOut::None => networks.first(),
        named => networks.try_way(named).map(Some),
    };
    let _ = networks.found.set(way.map_err(EngineError::Unusable)?);
    Ok(networks.name())
}

fn look() -> Result<Surroundings, EngineError> {
    Surroundings::look().map_err(EngineError::io("cannot read", Path::new("/proc/self/net")))
}

fn plan(way: &Way, around: &Surroundings) -> Result<Plan, EngineError> {
    network_plan::plan(way, around).ok_or_else(|| {
        EngineError::Unusable(
            "this machine has routes to all private networks that containers could be given addresses of; \
             `--build-network none` does without"
                .to_owned(),
        )
    })
}

fn outside(way: &Way, plan: Plan, mark: &str) -> Outside {
    Outside {
        way: way.clone(),
        addresses: plan.addresses,
        closed: plan.closed,
        name_servers: plan.name_servers,
        mark: mark.to_owned(),
        passes_names: plan.passes_names,
    }
}

/// The way's programs; else what to do, as a sentence.
fn find(wanted: WayOut, rootless: bool) -> Result<Way, String> {
    let program = |name: &str, package: &str| {
        runtime::find_program(name).ok_or_else(|| {
            format!(
                "--build-network {} needs the program {name}, which is not installed: `apt-get install {package}`",
                wanted.name()
            )
        })
    };
    if matches!(wanted, WayOut::Pasta | WayOut::Slirp4netns) {
        tunnels().map_err(|fix| format!("--build-network {} {fix}", wanted.name()))?;
    }
    match wanted {
        WayOut::Pasta => Ok(Way::Pasta(program("pasta", "passt")?)),
        WayOut::Slirp4netns => Ok(Way::Slirp4netns(program("slirp4netns", "slirp4netns")?)),
        _ if rootless => {
            Err("--build-network veth needs root: an ordinary user takes pasta (`apt-get install passt`)".to_owned())
        }
        _ => match (runtime::find_program("iptables-restore"), runtime::find_program("iptables-save")) {
            (Some(restore), Some(save)) => Ok(Way::Veth(Filter::Iptables { restore, save })),
            _ => Ok(Way::Veth(Filter::Nftables(program("nft", "nftables")?))),
        },
    }
}

/// Whether this user may make the helpers' kind of device; else what to do.
fn tunnels() -> Result<(), String> {
    let opened = fs::File::options().read(true).write(true).open(TUNNELS);
    opened.map(drop).map_err(|error| match error.kind() {
        ErrorKind::PermissionDenied => {
            format!("may not open {TUNNELS}: `chmod 0666 {TUNNELS}`, as most systems have it")
        }
        _ => format!(
            "needs {TUNNELS}, which cannot be opened ({error}): `modprobe tun`, or give this container the device"
        ),
    })
}

/// Makes sure that the machine passes packets on; turns it on only where the operator asked for what needs it.
fn forward(asked: bool) -> Result<(), String> {
    let forwards = fs::read_to_string(FORWARDING).is_ok_and(|value| value.trim() != "0");
    if forwards {
        return Ok(());
    }
    if !asked {
        return Err("this machine passes no packets on (sysctl net.ipv4.ip_forward=0), which `--build-network veth` \
                    would turn on"
            .to_owned());
    }
    fs::write(FORWARDING, "1").map_err(|error| {
        format!("--build-network veth needs `sysctl -w net.ipv4.ip_forward=1`, which cannot be set here: {error}")
    })?;
    tracing::warn!("turned on sysctl net.ipv4.ip_forward for --build-network veth: this machine passes packets on now");
    Ok(())
}

/// An empty folder, removed with this; named so that the next start of a server that was killed clears it.
struct Folder(PathBuf);

impl Folder {
    fn make(parent: &Path) -> std::io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = parent.join(format!("{REMOVED}network.{}.{number}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                // Of a server that was killed, with this one's number: in a container that is no coincidence.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                made => return made.map(|()| Self(path)),
            }
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // The next start tries again.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn networks(wanted: WayOut) -> Networks {
        Networks {
            wanted,
            agent: "/usr/bin/env".into(),
            identities: None,
            folder: std::env::temp_dir(),
            found: OnceLock::new(),
        }
    }

    #[test]
    fn what_a_killed_server_left_is_in_nobodys_way_and_cleared_as_containers_are() {
        let parent = tempfile::tempdir().unwrap();
        let first = Folder::make(parent.path()).unwrap();
        let path = first.0.clone();
        for number in 0..100 {
            // The first one is there.
            let _ = fs::create_dir(parent.path().join(format!("{REMOVED}network.{}.{number}", std::process::id())));
        }
        assert!(Folder::make(parent.path()).is_ok_and(|another| another.0 != path && another.0.exists()));
        drop(first);
        assert!(!path.exists());
    }

    #[test]
    fn loopback_only_has_no_name_server() {
        let mut spec = ContainerSpec::new("a", ["true"]);
        let alone = |spec: &ContainerSpec| {
            networks(WayOut::None).of(spec, "m").is_ok_and(|wanted| {
                wanted.config == Config { link_local: true, outside: None }
                    && !wanted.resolv_conf.contains("nameserver")
            })
        };
        assert!(alone(&spec));
        spec.network = Network::Outside;
        assert!(alone(&spec));
        assert_eq!(networks(WayOut::None).name(), None);
    }

    #[test]
    fn a_way_that_fails_says_which_and_why() {
        let words = find(WayOut::Veth, true);
        assert!(words.is_err_and(|words| words.contains("needs root") && words.contains("apt-get install passt")));
        // `env` takes none of the shim's flags.
        let error = networks(WayOut::Pasta).try_way(WayOut::Pasta);
        assert!(error.is_err_and(|words| words.contains("--build-network pasta")));
    }
}
