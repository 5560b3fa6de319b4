//! What is mounted in a container, besides the overlays that its shim has mounted before.

use std::path::Path;

use agent::shim::Bundle;
use oci_spec::OciSpecError;
use oci_spec::runtime::{Mount, MountBuilder};

use super::machine::Machine;
use super::privileged;
use super::root::Root;
use crate::options::AGENT_IN_CONTAINER;
use crate::{ContainerSpec, EngineError, mount_point};

/// All mounts, in the order in which they are made: each may lie in one before it.
pub(super) fn mounts(
    spec: &ContainerSpec,
    root: &Root,
    bundle: &Bundle,
    machine: &Machine,
) -> Result<Vec<Mount>, EngineError> {
    let mut mounts = Vec::new();
    for fresh in root.fresh() {
        mounts.push(tmpfs(fresh.path, fresh.mode)?);
    }
    mounts.extend(kernel_mounts(machine, spec.privileged)?);
    if spec.privileged {
        mounts.push(privileged::scratch(bundle)?);
    }
    for share in root.shares() {
        mounts.push(bind(share, share, true)?);
    }
    let mut own: Vec<_> = spec.mounts.iter().collect();
    own.sort_by_key(|mount| mount.container.components().count());
    for mount in &own {
        mounts.push(bind(&mount.host, &mount.container, mount.read_only)?);
    }
    mount_point::make(&spec.mounts)?;
    mounts.push(bind(&machine.agent, Path::new(AGENT_IN_CONTAINER), true)?);
    Ok(mounts)
}

pub(super) fn mount(destination: &Path, kind: &str, source: &Path, options: &[&str]) -> Result<Mount, OciSpecError> {
    let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
    MountBuilder::default().destination(destination).typ(kind).source(source).options(options).build()
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

/// The kernel's own file systems. An ordinary user's container has its groups' only where there is version 2 alone.
fn kernel_mounts(machine: &Machine, privileged: bool) -> Result<Vec<Mount>, OciSpecError> {
    let safe = ["nosuid", "noexec", "nodev"];
    let with = |more: &[&'static str]| [&safe[..], more].concat();
    let terminals: &[&str] = if machine.has_group(5) { &["gid=5"] } else { &[] };
    let terminals = [&["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"], terminals].concat();
    let mut table = vec![
        ("/proc", "proc", safe.to_vec()),
        ("/dev", "tmpfs", vec!["nosuid", "strictatime", "mode=755", "size=65536k"]),
        ("/dev/pts", "devpts", terminals),
        ("/dev/shm", "tmpfs", with(&["mode=1777", "size=65536k"])),
        ("/dev/mqueue", "mqueue", safe.to_vec()),
        ("/sys", "sysfs", with(&["ro"])),
    ];
    if machine.shows_groups() {
        table.push(("/sys/fs/cgroup", "cgroup", with(if privileged { &["rw"] } else { &["ro"] })));
    }
    table.iter().map(|(path, kind, options)| mount(Path::new(path), kind, Path::new(kind), options)).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use super::super::host_image::HostImage;
    use super::*;

    #[test]
    fn outer_mounts_come_first_and_the_agent_last() {
        let folder = tempfile::tempdir().unwrap();
        let host = folder.path().join("run");
        fs::create_dir(&host).unwrap();
        let mut spec = ContainerSpec::new("a", ["true"]);
        let at = |container: &str| crate::Mount { host: host.clone(), container: container.into(), read_only: true };
        spec.mounts = vec![at("/landfall/deep/er"), at("/landfall")];
        let bundle = Bundle::new(folder.path().to_path_buf());
        let root = Root::Host(Arc::new(HostImage::new(Path::new("/data"), vec!["/usr".into()], vec![]).unwrap()));
        let mounts = mounts(&spec, &root, &bundle, &Machine::fake()).unwrap();
        let order: Vec<_> = mounts.iter().map(|mount| mount.destination().to_string_lossy()).collect();
        let place = |path: &str| order.iter().position(|destination| destination == path).unwrap();
        assert!(place("/landfall") < place("/landfall/deep/er"));
        assert!(place("/tmp") < place("/usr"));
        assert_eq!(order.last().unwrap(), AGENT_IN_CONTAINER);
        assert!(host.join("bin/landfall-agent").is_file());
    }

    #[test]
    fn says_which_mount_is_not_there() {
        let error = bind(Path::new("/nowhere"), Path::new("/x"), false).unwrap_err();
        assert!(error.to_string().contains("/nowhere"));
    }

    #[test]
    fn only_a_privileged_container_writes_its_groups() {
        let groups = |privileged| {
            let mounts = kernel_mounts(&Machine::fake(), privileged).unwrap();
            let found = mounts.into_iter().find(|mount| mount.destination() == Path::new("/sys/fs/cgroup"));
            found.unwrap().options().clone().unwrap()
        };
        assert!(groups(false).contains(&"ro".to_owned()) && groups(true).contains(&"rw".to_owned()));
    }
}
