//! The OCI configuration of a container.

use std::path::Path;

use agent::shim::Bundle;
use oci_spec::OciSpecError;
use oci_spec::runtime::{
    Linux, LinuxBuilder, LinuxNamespaceBuilder, LinuxNamespaceType, Mount, Process, ProcessBuilder, RootBuilder, Spec,
    SpecBuilder, UserBuilder,
};

use super::machine::Machine;
use super::root::Root;
use super::{resources, seccomp, security};
use crate::ContainerSpec;

const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How much sooner than others a build's process is taken when the machine has no memory left, of 1000.
const FIRST_TO_GO: i32 = 500;

/// The whole configuration of a container that the runtime knows as `name`.
pub(super) fn configuration(
    spec: &ContainerSpec,
    name: &str,
    root: &Root,
    machine: &Machine,
    mounts: Vec<Mount>,
) -> Result<Spec, OciSpecError> {
    let path = Path::new("disk").join(Bundle::ROOT);
    SpecBuilder::default()
        .version("1.0.2")
        .hostname(&spec.hostname)
        .root(RootBuilder::default().path(path).readonly(false).build()?)
        .process(process(spec, root, machine)?)
        .mounts(mounts)
        .linux(linux(spec, name, root, machine)?)
        .build()
}

fn process(spec: &ContainerSpec, root: &Root, machine: &Machine) -> Result<Process, OciSpecError> {
    let process = ProcessBuilder::default()
        .terminal(false)
        .user(UserBuilder::default().uid(0_u32).gid(0_u32).build()?)
        .args(spec.argv.clone())
        .env(environment(spec, root))
        .cwd(root.workdir(spec))
        .capabilities(security::capabilities(spec.privileged, grantable(machine))?)
        .rlimits(resources::rlimits(spec.privileged)?)
        // A daemon's containers have programs like sudo and ping.
        .no_new_privileges(!spec.privileged);
    // Where the whole machine wants memory, builds go before what serves. A daemon would have to lower it for its own.
    let process = if spec.privileged { process } else { process.oom_score_adj(FIRST_TO_GO) };
    process.build()
}

/// What this process may give a container: without control groups nothing but the want of this power keeps root inside from the
/// machine's disks.
fn grantable(machine: &Machine) -> u64 {
    if machine.cgroups.is_some() { machine.capabilities } else { security::without_devices(machine.capabilities) }
}

/// The container's environment: defaults, the image's own, then what the description says; the shares' `bin` first on PATH.
fn environment(spec: &ContainerSpec, root: &Root) -> Vec<String> {
    let mut environment = root.environment();
    environment.extend(spec.environment.clone());
    environment.entry("HOME".to_owned()).or_insert_with(|| "/root".to_owned());
    environment.entry("HOSTNAME".to_owned()).or_insert_with(|| spec.hostname.clone());
    let rest = environment.remove("PATH").unwrap_or_else(|| DEFAULT_PATH.to_owned());
    let first = root.first_on_path().into_iter().map(|folder| folder.to_string_lossy().into_owned());
    let path: Vec<String> = first.chain([rest]).collect();
    environment.insert("PATH".to_owned(), path.join(":"));
    environment.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
}

fn linux(spec: &ContainerSpec, name: &str, root: &Root, machine: &Machine) -> Result<Linux, OciSpecError> {
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
    // The network is the shim's, which the runtime was born into. Named here, so that `exec` joins it too: it enters only
    // namespaces of this list, and would else run its command in the machine's own network.
    let network = LinuxNamespaceBuilder::default().typ(LinuxNamespaceType::Network).path("/proc/self/ns/net");
    namespaces.push(network.build()?);
    let mut linux = LinuxBuilder::default()
        .namespaces(namespaces)
        .masked_paths(security::masked(root.masked()))
        .readonly_paths(security::read_only(spec.privileged));
    if let Some(cgroups) = &machine.cgroups {
        linux = linux.cgroups_path(cgroups.path(name));
        linux = linux.resources(resources::resources(spec.limits, cgroups, spec.privileged)?);
    }
    if !spec.privileged {
        linux = linux.seccomp(seccomp::profile()?);
    }
    let mut linux = linux.build()?;
    if machine.cgroups.is_none() {
        // The builder's own would ask for something.
        linux.set_resources(None);
    }
    Ok(linux)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::super::host_image::HostImage;
    use super::*;

    fn host(shares: &[&str]) -> Root {
        let shares = shares.iter().map(PathBuf::from).collect();
        Root::Host(Arc::new(HostImage::new(Path::new("/data"), shares, vec![]).unwrap()))
    }

    fn json(spec: &ContainerSpec, machine: &Machine) -> serde_json::Value {
        serde_json::to_value(configuration(spec, "n-a", &host(&[]), machine, vec![]).unwrap()).unwrap()
    }

    #[test]
    fn shares_go_first_on_path_and_values_win_over_defaults() {
        let mut spec = ContainerSpec::new("a", ["true"]);
        let default = environment(&spec, &host(&["/usr"]));
        assert!(default.contains(&format!("PATH=/usr/bin:{DEFAULT_PATH}")));
        assert!(default.contains(&"HOME=/root".to_owned()));
        spec.environment.insert("PATH".into(), "/x".into());
        spec.environment.insert("HOME".into(), "/h".into());
        let own = environment(&spec, &host(&["/usr", "/etc"]));
        assert!(own.contains(&"PATH=/usr/bin:/etc/bin:/x".to_owned()));
        assert!(own.contains(&"HOME=/h".to_owned()));
    }

    #[test]
    fn has_its_own_namespaces_and_joins_the_shims_network() {
        let config = json(&ContainerSpec::new("a", ["true"]), &Machine::fake());
        let namespaces = config["linux"]["namespaces"].as_array().unwrap();
        let network = namespaces.iter().find(|namespace| namespace["type"] == "network").unwrap();
        assert_eq!(network["path"], "/proc/self/ns/net");
        assert_eq!(namespaces.iter().filter(|namespace| namespace["path"].is_null()).count(), 5);
        assert_eq!(config["process"]["noNewPrivileges"], true);
        assert_eq!(config["process"]["oomScoreAdj"], 500);
        assert_eq!(config["linux"]["cgroupsPath"], "/landfall/n-a");
        let masked = config["linux"]["maskedPaths"].as_array().unwrap();
        assert!(masked.iter().any(|path| path == "/data"));
    }

    #[test]
    fn without_groups_nothing_is_asked_of_them() {
        let machine = Machine { cgroups: None, ..Machine::fake() };
        let config = json(&ContainerSpec::new("a", ["true"]), &machine);
        assert!(config["linux"]["cgroupsPath"].is_null() && config["linux"]["resources"].is_null());
        // Devices are then kept from root inside by this alone.
        assert!(!config["process"]["capabilities"].to_string().contains("CAP_MKNOD"));
        assert!(config["process"]["capabilities"].to_string().contains("CAP_CHOWN"));
    }

    #[test]
    fn a_privileged_container_has_namespaces_of_its_own_too() {
        let spec = ContainerSpec { privileged: true, ..ContainerSpec::new("a", ["true"]) };
        let config = json(&spec, &Machine::fake());
        assert!(config["linux"]["seccomp"].is_null() && config["process"]["oomScoreAdj"].is_null());
        assert_eq!(config["process"]["noNewPrivileges"], false);
        assert_eq!(config["linux"]["namespaces"].as_array().unwrap().len(), 6);
        assert_eq!(config["linux"]["cgroupsPath"], "/landfall/n-a");
    }
}
