//! The OCI configuration of a container: pure but for the mount points that it makes in given folders.

use std::fs;
use std::path::{Path, PathBuf};

use agent::shim::Bundle;
use oci_spec::OciSpecError;
use oci_spec::runtime::{
    Linux, LinuxBuilder, LinuxCpuBuilder, LinuxDeviceCgroupBuilder, LinuxMemoryBuilder, LinuxNamespaceBuilder,
    LinuxNamespaceType, LinuxPidsBuilder, LinuxResources, LinuxResourcesBuilder, Mount, MountBuilder, Process,
    ProcessBuilder, RootBuilder, Spec, SpecBuilder, UserBuilder,
};

use super::host_image::{self, FRESH, HostImage};
use super::{seccomp, security};
use crate::options::AGENT_IN_CONTAINER;
use crate::{ContainerSpec, EngineError, Limits};

const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The period over which processor time is limited, in microseconds: the kernel's default.
const CPU_PERIOD: u64 = 100_000;

/// The whole configuration of a container that runc knows as `name`.
pub(super) fn configuration(
    spec: &ContainerSpec,
    name: &str,
    image: &HostImage,
    mounts: Vec<Mount>,
) -> Result<Spec, OciSpecError> {
    SpecBuilder::default()
        .version("1.0.2")
        .hostname(&spec.hostname)
        .root(RootBuilder::default().path("rootfs").readonly(false).build()?)
        .process(process(spec, image)?)
        .mounts(mounts)
        .linux(linux(spec, name, image)?)
        .build()
}

/// No limits of ours on open files and the like: they are inherited, for they may only be lowered here.
fn process(spec: &ContainerSpec, image: &HostImage) -> Result<Process, OciSpecError> {
    ProcessBuilder::default()
        .terminal(false)
        .user(UserBuilder::default().uid(0_u32).gid(0_u32).build()?)
        .args(spec.argv.clone())
        .env(environment(spec, image))
        .cwd(&spec.workdir)
        .capabilities(security::capabilities()?)
        .rlimits(Vec::new())
        .no_new_privileges(true)
        .build()
}

/// The container's environment: defaults, then what the description says; the shares' `bin` first on PATH.
fn environment(spec: &ContainerSpec, image: &HostImage) -> Vec<String> {
    let mut environment = spec.environment.clone();
    environment.entry("HOME".to_owned()).or_insert_with(|| "/root".to_owned());
    environment.entry("HOSTNAME".to_owned()).or_insert_with(|| spec.hostname.clone());
    let rest = environment.remove("PATH").unwrap_or_else(|| DEFAULT_PATH.to_owned());
    let shares = image.shares().iter().map(|share| share.join("bin").to_string_lossy().into_owned());
    let path: Vec<String> = shares.chain([rest]).collect();
    environment.insert("PATH".to_owned(), path.join(":"));
    environment.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
}

fn linux(spec: &ContainerSpec, name: &str, image: &HostImage) -> Result<Linux, OciSpecError> {
    let made = [
        LinuxNamespaceType::Pid,
        LinuxNamespaceType::Mount,
        LinuxNamespaceType::Ipc,
        LinuxNamespaceType::Uts,
        LinuxNamespaceType::Cgroup,
    ];
    let mut namespaces = made
        .into_iter()
        .map(|kind| LinuxNamespaceBuilder::default().typ(kind).build())
        .collect::<Result<Vec<_>, _>>()?;
    // The network is the shim's, which runc was born into. Named here, so that `runc exec` joins it too: it enters only
    // namespaces of this list, and would else run its command in the machine's own network.
    let network = LinuxNamespaceBuilder::default().typ(LinuxNamespaceType::Network).path("/proc/self/ns/net");
    namespaces.push(network.build()?);
    LinuxBuilder::default()
        .namespaces(namespaces)
        .cgroups_path(Path::new("/landfall").join(name))
        .resources(resources(spec.limits)?)
        .seccomp(seccomp::profile()?)
        .masked_paths(security::masked(image.masked()))
        .readonly_paths(security::read_only())
        .build()
}

/// Limits, and no devices but the few that runc always allows.
fn resources(limits: Limits) -> Result<LinuxResources, OciSpecError> {
    let no_devices = LinuxDeviceCgroupBuilder::default().allow(false).access("rwm").build()?;
    let mut resources = LinuxResourcesBuilder::default().devices(vec![no_devices]);
    if let Some(bytes) = limits.memory_bytes {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        resources = resources.memory(LinuxMemoryBuilder::default().limit(bytes).build()?);
    }
    if let Some(millis) = limits.cpu_millis {
        let quota = i64::try_from(millis.saturating_mul(CPU_PERIOD / 1000)).unwrap_or(i64::MAX);
        resources = resources.cpu(LinuxCpuBuilder::default().quota(quota).period(CPU_PERIOD).build()?);
    }
    if let Some(count) = limits.pids {
        resources = resources.pids(LinuxPidsBuilder::default().limit(i64::from(count)).build()?);
    }
    resources.build()
}

/// All mounts, in the order in which they are made: each may lie in one before it.
pub(super) fn mounts(
    spec: &ContainerSpec,
    image: &HostImage,
    top: &[String],
    bundle: &Bundle,
    agent: &Path,
) -> Result<Vec<Mount>, EngineError> {
    let mut mounts = Vec::new();
    for name in top {
        mounts.push(overlay(bundle, name)?);
    }
    for (folder, mode) in FRESH {
        let in_top = folder.split('/').next().is_some_and(|first| top.iter().any(|name| name == first));
        if in_top || !folder.contains('/') {
            mounts.push(tmpfs(folder, mode)?);
        }
    }
    mounts.extend(kernel_mounts()?);
    for share in image.shares() {
        mounts.push(bind(share, share, true)?);
    }
    let mut own: Vec<_> = spec.mounts.iter().collect();
    own.sort_by_key(|mount| mount.container.components().count());
    for mount in &own {
        mounts.push(bind(&mount.host, &mount.container, mount.read_only)?);
    }
    make_mount_point(&own)?;
    mounts.push(bind(agent, Path::new(AGENT_IN_CONTAINER), true)?);
    Ok(mounts)
}

fn mount(destination: &Path, kind: &str, source: &Path, options: &[&str]) -> Result<Mount, OciSpecError> {
    let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
    MountBuilder::default().destination(destination).typ(kind).source(source).options(options).build()
}

/// One top-level folder of the machine under a layer of the container's own. `volatile`: nobody reads that layer
/// after a crash of the machine, so the container's fsyncs need not reach the disk.
fn overlay(bundle: &Bundle, name: &str) -> Result<Mount, EngineError> {
    let lower = Path::new("/").join(name);
    let [upper, work] = [host_image::upper(bundle, name), host_image::work(bundle, name)];
    let options = [
        format!("lowerdir={}", lower.display()),
        format!("upperdir={}", upper.display()),
        format!("workdir={}", work.display()),
        "volatile".to_owned(),
    ];
    if bundle.path().to_string_lossy().contains([',', ':', '\\']) {
        return Err(EngineError::Unusable(format!(
            "the data folder's path {} has a comma, colon or backslash, which overlays cannot take",
            bundle.path().display()
        )));
    }
    Ok(mount(&lower, "overlay", Path::new("overlay"), &options.each_ref().map(String::as_str))?)
}

fn tmpfs(folder: &str, mode: u32) -> Result<Mount, OciSpecError> {
    let mode = format!("mode={mode:o}");
    mount(&Path::new("/").join(folder), "tmpfs", Path::new("tmpfs"), &["nosuid", "nodev", &mode])
}

fn bind(host: &Path, container: &Path, read_only: bool) -> Result<Mount, EngineError> {
    if !host.exists() {
        return Err(EngineError::Spec(crate::SpecError(format!(
            "{} is to be mounted, but is not there",
            host.display()
        ))));
    }
    let access = if read_only { "ro" } else { "rw" };
    Ok(mount(container, "bind", host, &["rbind", "rprivate", "nosuid", "nodev", access])?)
}

fn kernel_mounts() -> Result<Vec<Mount>, OciSpecError> {
    let safe = ["nosuid", "noexec", "nodev"];
    let with = |more: &[&'static str]| [&safe[..], more].concat();
    let table = [
        ("/proc", "proc", safe.to_vec()),
        ("/dev", "tmpfs", vec!["nosuid", "strictatime", "mode=755", "size=65536k"]),
        ("/dev/pts", "devpts", vec!["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
        ("/dev/shm", "tmpfs", with(&["mode=1777", "size=65536k"])),
        ("/dev/mqueue", "mqueue", safe.to_vec()),
        ("/sys", "sysfs", with(&["ro"])),
        ("/sys/fs/cgroup", "cgroup", with(&["ro"])),
    ];
    table.iter().map(|(path, kind, options)| mount(Path::new(path), kind, Path::new(kind), options)).collect()
}

/// The agent is mounted over a file, which must be there where a folder of the machine is mounted around it: that
/// folder may be read-only for the container.
fn make_mount_point(mounts: &[&crate::Mount]) -> Result<(), EngineError> {
    let agent = Path::new(AGENT_IN_CONTAINER);
    let around = mounts.iter().rev().find_map(|mount| Some((mount, agent.strip_prefix(&mount.container).ok()?)));
    let Some((mount, inside)) = around else { return Ok(()) };
    let point: PathBuf = mount.host.join(inside);
    let made = || -> std::io::Result<()> {
        if let Some(folder) = point.parent() {
            fs::create_dir_all(folder)?;
        }
        if point.exists() { Ok(()) } else { fs::write(&point, "") }
    };
    made().map_err(EngineError::io("cannot make the agent's mount point", &point))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn image(shares: &[&str]) -> HostImage {
        HostImage::new(Path::new("/data"), shares.iter().map(PathBuf::from).collect(), vec![]).unwrap()
    }

    fn json(spec: &ContainerSpec, image: &HostImage) -> serde_json::Value {
        serde_json::to_value(configuration(spec, "n-a", image, vec![]).unwrap()).unwrap()
    }

    #[test]
    fn shares_go_first_on_path_and_values_win_over_defaults() {
        let mut spec = ContainerSpec::new("a", ["true"]);
        let default = environment(&spec, &image(&["/usr"]));
        assert!(default.contains(&format!("PATH=/usr/bin:{DEFAULT_PATH}")));
        assert!(default.contains(&"HOME=/root".to_owned()));
        spec.environment.insert("PATH".into(), "/x".into());
        spec.environment.insert("HOME".into(), "/h".into());
        let own = environment(&spec, &image(&["/usr", "/etc"]));
        assert!(own.contains(&"PATH=/usr/bin:/etc/bin:/x".to_owned()));
        assert!(own.contains(&"HOME=/h".to_owned()));
    }

    #[test]
    fn limits_are_in_the_kernels_units() {
        let mut spec = ContainerSpec::new("a", ["true"]);
        let none = json(&spec, &image(&[]));
        assert_eq!(none["linux"]["resources"].as_object().unwrap().keys().collect::<Vec<_>>(), ["devices"]);
        spec.limits =
            Limits { memory_bytes: Some(1 << 30), cpu_millis: Some(1500), pids: Some(99), ..Limits::default() };
        let resources = json(&spec, &image(&[]))["linux"]["resources"].clone();
        assert_eq!(resources["memory"]["limit"], 1_i64 << 30);
        assert_eq!(resources["cpu"]["quota"], 150_000);
        assert_eq!(resources["pids"]["limit"], 99);
    }

    #[test]
    fn has_its_own_namespaces_and_joins_the_shims_network() {
        let config = json(&ContainerSpec::new("a", ["true"]), &image(&[]));
        let namespaces = config["linux"]["namespaces"].as_array().unwrap();
        let network = namespaces.iter().find(|namespace| namespace["type"] == "network").unwrap();
        assert_eq!(network["path"], "/proc/self/ns/net");
        assert_eq!(namespaces.iter().filter(|namespace| namespace["path"].is_null()).count(), 5);
        assert_eq!(config["process"]["noNewPrivileges"], true);
        assert_eq!(config["linux"]["cgroupsPath"], "/landfall/n-a");
        let masked = config["linux"]["maskedPaths"].as_array().unwrap();
        assert!(masked.iter().any(|path| path == "/data"));
    }

    #[test]
    fn outer_mounts_come_first_and_the_agent_last() {
        let folder = tempfile::tempdir().unwrap();
        let host = folder.path().join("run");
        fs::create_dir(&host).unwrap();
        let mut spec = ContainerSpec::new("a", ["true"]);
        let at = |container: &str| crate::Mount { host: host.clone(), container: container.into(), read_only: true };
        spec.mounts = vec![at("/landfall/deep/er"), at("/landfall")];
        let bundle = Bundle::new(folder.path().to_path_buf());
        let top = ["usr".to_owned(), "var".to_owned()];
        let mounts = mounts(&spec, &image(&["/usr"]), &top, &bundle, Path::new("/usr/bin/env")).unwrap();
        let order: Vec<_> = mounts.iter().map(|mount| mount.destination().to_string_lossy()).collect();
        let place = |path: &str| order.iter().position(|destination| destination == path).unwrap();
        assert!(place("/var") < place("/var/tmp"));
        assert!(place("/landfall") < place("/landfall/deep/er"));
        assert_eq!(order.last().unwrap(), AGENT_IN_CONTAINER);
        assert!(host.join("bin/landfall-agent").is_file());
    }

    #[test]
    fn says_which_mount_is_not_there() {
        let error = bind(Path::new("/nowhere"), Path::new("/x"), false).unwrap_err();
        assert!(error.to_string().contains("/nowhere"));
    }
}
