//! A container's description in the daemon's terms.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigCgroupnsModeEnum, HostConfigLogConfig, Mount, MountType,
    ResourcesUlimits,
};

use super::daemon::Flavour;
use crate::{AGENT_IN_CONTAINER, ContainerSpec, Limits};
use agent::enter::{OUTPUT, WORD};

/// The label that names the data folder.
pub(super) const DATA_LABEL: &str = "landfall.data";
/// The label that names the container's id.
pub(super) const ID_LABEL: &str = "landfall.container";

/// The usual fourteen, which are Docker's own and a few more than Podman's; and one that the agent gives up before it becomes
/// the container's program ([`agent::enter`]).
const CAPABILITIES: [&str; 15] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// What a container daemon of its own needs besides. None of these leads out of the container's namespaces by itself, but with
/// them and without the daemon's filters of system calls a kernel has more ways to fail.
const MORE_CAPABILITIES: [&str; 8] =
    ["DAC_READ_SEARCH", "IPC_LOCK", "LEASE", "LINUX_IMMUTABLE", "SYS_ADMIN", "SYS_NICE", "SYS_PTRACE", "SYSLOG"];

/// What a daemon gives its own containers, it must have: terminals, and `tun`. No disks.
const DEVICES: [&str; 5] = ["c 5:0 rwm", "c 5:1 rwm", "c 5:2 rwm", "c 136:* rwm", "c 10:200 rwm"];

/// The daemon's filters of system calls and its labels, which forbid mounting.
const FREED: [&str; 3] = ["seccomp=unconfined", "apparmor=unconfined", "label=disable"];

/// The usual read-only paths, but for the network's settings, which are the container's own.
const READ_ONLY: [&str; 11] = [
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys/abi",
    "/proc/sys/debug",
    "/proc/sys/dev",
    "/proc/sys/fs",
    "/proc/sys/kernel",
    "/proc/sys/user",
    "/proc/sys/vm",
    "/proc/sysrq-trigger",
];

/// Processes of a container for which no number was asked: far more than builds have, and so few that a fork bomb is in
/// nobody's way.
const DEFAULT_PIDS: u32 = 4096;

/// The period of the CPU limit, in microseconds. Docker's `NanoCpus` would refuse more processors than there are.
const CPU_PERIOD: i64 = 100_000;

/// What a container gets besides its description.
pub(super) struct Surroundings<'a> {
    pub(super) flavour: Flavour,
    pub(super) identity: &'a str,
    pub(super) agent: &'a Path,
    pub(super) output: PathBuf,
    pub(super) word: PathBuf,
    /// The daemon's network for it.
    pub(super) network: String,
    /// The hard limits of this process on open files and on processes.
    pub(super) hard_limits: (i64, i64),
}

/// The body of `POST /containers/create`.
pub(super) fn body(spec: &ContainerSpec, around: &Surroundings<'_>) -> ContainerCreateBody {
    let environment = spec.environment.iter().map(|(name, value)| format!("{name}={value}"));
    ContainerCreateBody {
        image: Some(spec.image.clone()),
        entrypoint: Some(entry(spec)),
        cmd: Some(spec.argv.clone()),
        env: Some(environment.collect()),
        labels: Some(labels(spec, around.identity)),
        hostname: Some(spec.hostname.clone()),
        user: Some("0:0".to_owned()),
        working_dir: Some(spec.workdir.display().to_string()),
        healthcheck: Some(HealthConfig { test: Some(vec!["NONE".to_owned()]), ..HealthConfig::default() }),
        host_config: Some(host_config(spec, around)),
        ..ContainerCreateBody::default()
    }
}

/// The agent, which becomes the program.
fn entry(spec: &ContainerSpec) -> Vec<String> {
    let flags = [("--link-local", spec.link_local), ("--privileged", spec.privileged)];
    let flags = flags.into_iter().filter_map(|(flag, set)| set.then_some(flag));
    [AGENT_IN_CONTAINER, "enter", "first"].into_iter().chain(flags).map(str::to_owned).collect()
}

/// The description's, for people who look at the daemon, under our own.
fn labels(spec: &ContainerSpec, identity: &str) -> HashMap<String, String> {
    let mut labels: HashMap<_, _> = spec.labels.clone().into_iter().collect();
    labels.insert(DATA_LABEL.to_owned(), identity.to_owned());
    labels.insert(ID_LABEL.to_owned(), spec.id.clone());
    labels
}

fn host_config(spec: &ContainerSpec, around: &Surroundings<'_>) -> HostConfig {
    let docker = around.flavour == Flavour::Docker;
    let config = HostConfig {
        mounts: Some(mounts(spec, around)),
        network_mode: Some(around.network.clone()),
        // Output goes to a file of ours: both streams in their order, byte for byte and at once.
        log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
        ipc_mode: Some("private".to_owned()),
        // A daemon that maps users would not let the container's root read our sockets.
        userns_mode: docker.then(|| "host".to_owned()),
        cgroupns_mode: docker.then_some(HostConfigCgroupnsModeEnum::PRIVATE),
        ulimits: (!docker).then(|| ulimits(around.hard_limits)),
        ..limits(spec.limits)
    };
    let add = |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect());
    let config = HostConfig { cap_drop: add(&["ALL"]), cap_add: add(&CAPABILITIES), ..config };
    if spec.privileged {
        // Not the daemon's own `Privileged`: that shows all of the machine's devices, its disks among them.
        return HostConfig {
            cap_add: add(&[&CAPABILITIES[..], &MORE_CAPABILITIES[..]].concat()),
            // Podman takes the read-only paths away by name alone.
            security_opt: add(&[&FREED[..], if docker { &[] } else { &["unmask=/proc/sys"] }].concat()),
            device_cgroup_rules: add(&DEVICES),
            readonly_paths: add(&READ_ONLY),
            ..config
        };
    }
    HostConfig { security_opt: add(&["no-new-privileges"]), ..config }
}

/// Podman's own default is above the hard limits of many a machine, and then nothing starts.
fn ulimits((files, processes): (i64, i64)) -> Vec<ResourcesUlimits> {
    let limit = |name: &str, hard| ResourcesUlimits { name: Some(name.to_owned()), soft: Some(hard), hard: Some(hard) };
    vec![limit("nofile", files), limit("nproc", processes)]
}

/// No swap beside the memory, or the limit would be no limit.
fn limits(limits: Limits) -> HostConfig {
    let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let memory = limits.memory_bytes.map(signed);
    HostConfig {
        memory,
        memory_swap: memory,
        cpu_period: limits.cpu_millis.map(|_| CPU_PERIOD),
        cpu_quota: limits.cpu_millis.map(|millis| signed(millis.saturating_mul(CPU_PERIOD.unsigned_abs() / 1000))),
        pids_limit: Some(i64::from(limits.pids.unwrap_or(DEFAULT_PIDS))),
        ..HostConfig::default()
    }
}

fn mounts(spec: &ContainerSpec, around: &Surroundings<'_>) -> Vec<Mount> {
    let mut mounts: Vec<_> =
        spec.mounts.iter().map(|mount| bind(&mount.host, &mount.container, mount.read_only)).collect();
    mounts.push(bind(around.agent, Path::new(AGENT_IN_CONTAINER), true));
    mounts.push(bind(&around.output, Path::new(OUTPUT), false));
    mounts.push(bind(&around.word, Path::new(WORD), false));
    if spec.privileged {
        let storage = Some("/var/lib/docker".to_owned());
        mounts.push(Mount { target: storage, typ: Some(MountType::VOLUME), ..Mount::default() });
    }
    mounts
}

/// Of this type the daemon makes no source that is not there, but says so.
fn bind(host: &Path, container: &Path, read_only: bool) -> Mount {
    Mount {
        source: Some(host.display().to_string()),
        target: Some(container.display().to_string()),
        typ: Some(MountType::BIND),
        read_only: Some(read_only),
        ..Mount::default()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn made(flavour: Flavour, change: fn(&mut ContainerSpec)) -> ContainerCreateBody {
        let mut spec = ContainerSpec::new("a", ["tool", "x y"]);
        change(&mut spec);
        let around = Surroundings {
            flavour,
            identity: "f00d",
            agent: Path::new("/agent"),
            output: "/data/output".into(),
            word: "/data/word".into(),
            network: "none".into(),
            hard_limits: (20_000, 96_000),
        };
        body(&spec, &around)
    }

    fn host(flavour: Flavour, change: fn(&mut ContainerSpec)) -> HostConfig {
        made(flavour, change).host_config.unwrap()
    }

    #[test]
    fn the_agent_becomes_the_program() {
        let body = made(Flavour::Docker, |_| {});
        assert_eq!(body.cmd.unwrap(), ["tool", "x y"]);
        assert_eq!(body.entrypoint.unwrap(), [AGENT_IN_CONTAINER, "enter", "first", "--link-local"]);
        let privileged = made(Flavour::Docker, |spec| (spec.privileged, spec.link_local) = (true, false));
        assert_eq!(privileged.entrypoint.unwrap(), [AGENT_IN_CONTAINER, "enter", "first", "--privileged"]);
    }

    #[test]
    fn our_labels_win() {
        let labels = made(Flavour::Docker, |spec| {
            spec.labels.insert(DATA_LABEL.to_owned(), "forged".to_owned());
            spec.labels.insert("landfall.build".to_owned(), "demo:1".to_owned());
        });
        let labels = labels.labels.unwrap();
        assert_eq!((labels[DATA_LABEL].as_str(), labels[ID_LABEL].as_str()), ("f00d", "a"));
        assert_eq!(labels["landfall.build"], "demo:1");
    }

    #[test]
    fn limits_are_in_the_daemons_units() {
        let limited = host(Flavour::Docker, |spec| {
            spec.limits =
                Limits { memory_bytes: Some(1 << 30), cpu_millis: Some(4_000), pids: Some(99), ..Limits::default() };
        });
        assert_eq!((limited.memory, limited.memory_swap), (Some(1 << 30), Some(1 << 30)));
        assert_eq!((limited.cpu_quota, limited.cpu_period), (Some(400_000), Some(100_000)));
        assert_eq!((limited.pids_limit, limited.nano_cpus), (Some(99), None));
        let free = host(Flavour::Docker, |_| {});
        assert_eq!((free.memory, free.memory_swap, free.cpu_quota), (None, None, None));
        assert_eq!(free.pids_limit, Some(4096));
    }

    #[test]
    fn root_inside_is_not_root_outside() {
        let usual = host(Flavour::Docker, |_| {});
        assert_eq!(usual.cap_drop.unwrap(), ["ALL"]);
        assert!(!usual.cap_add.unwrap().iter().any(|name| name == "SYS_ADMIN"));
        assert_eq!(usual.security_opt.unwrap(), ["no-new-privileges"]);
        let privileged = host(Flavour::Docker, |spec| spec.privileged = true);
        assert!(privileged.cap_add.unwrap().iter().any(|name| name == "SYS_ADMIN"));
        assert_eq!((privileged.privileged, privileged.devices), (None, None));
        let storage = privileged.mounts.unwrap().pop().unwrap();
        assert_eq!((storage.typ, storage.source), (Some(MountType::VOLUME), None));
    }

    #[test]
    fn no_daemons_socket_is_ever_mounted() {
        for privileged in [false, true] {
            let config = host(Flavour::Docker, if privileged { |spec| spec.privileged = true } else { |_| {} });
            let sources: Vec<_> = config.mounts.unwrap().into_iter().filter_map(|mount| mount.source).collect();
            assert_eq!(sources, ["/agent", "/data/output", "/data/word"]);
            assert_eq!(config.binds, None);
        }
    }

    #[test]
    fn podman_gets_limits_that_it_may_set() {
        let podman = host(Flavour::Podman(4), |_| {});
        let limits: Vec<_> =
            podman.ulimits.unwrap().into_iter().map(|limit| (limit.name.unwrap(), limit.hard)).collect();
        assert_eq!(limits, [("nofile".to_owned(), Some(20_000)), ("nproc".to_owned(), Some(96_000))]);
        assert_eq!(podman.userns_mode, None);
        assert_eq!(host(Flavour::Docker, |_| {}).ulimits, None);
    }
}
