use oci_spec::OciSpecError;
use oci_spec::runtime::{
    Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArgBuilder, LinuxSeccompBuilder, LinuxSeccompOperator,
    LinuxSyscall, LinuxSyscallBuilder,
};

/// The calls that are allowed whatever their arguments.
const ALLOWED: &str = include_str!("seccomp-allow.txt");

/// `clone` flags that make namespaces: NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET.
const CLONE_NAMESPACES: u64 = 0x7e02_0000;

/// Execution domains that need no privilege: Linux, 32-bit Linux, both with UNAME26, and "only ask".
const PERSONALITIES: [u64; 5] = [0x0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// Address families of sockets that are in use and keep to the network namespace; all others (AF_VSOCK, which
/// reaches the hypervisor, AF_ALG, and protocols that nobody speaks any more) are refused.
const SOCKET_FAMILIES: &[std::ops::RangeInclusive<u64>] =
    &[0..=11, 13..=18, 21..=22, 24..=24, 26..=33, 35..=36, 39..=39, 41..=45];

const EPERM: u32 = 1;
const ENOSYS: u32 = 38;

/// The containers' usual filter: what is not allowed fails with EPERM.
pub(super) fn profile() -> Result<LinuxSeccomp, OciSpecError> {
    let mut rules = vec![allow(allowed_names(), None)?];
    rules.push(allow(["clone"], Some((LinuxSeccompOperator::ScmpCmpMaskedEq, CLONE_NAMESPACES)))?);
    rules.push(without_clone3()?);
    for personality in PERSONALITIES {
        rules.push(allow(["personality"], Some((LinuxSeccompOperator::ScmpCmpEq, personality)))?);
    }
    for family in SOCKET_FAMILIES.iter().cloned().flatten() {
        rules.push(allow(["socket"], Some((LinuxSeccompOperator::ScmpCmpEq, family)))?);
    }
    LinuxSeccompBuilder::default()
        .default_action(LinuxSeccompAction::ScmpActErrno)
        .default_errno_ret(EPERM)
        .architectures(architectures())
        .syscalls(rules)
        .build()
}

fn allowed_names() -> impl Iterator<Item = &'static str> {
    let plain = |line: &&str| !line.starts_with(['#', '[']);
    ALLOWED.lines().filter(plain).flat_map(str::split_whitespace)
}

/// Allows the calls, if given only when the first argument compares so (masked: with none of the bits).
fn allow(
    names: impl IntoIterator<Item = &'static str>,
    first: Option<(LinuxSeccompOperator, u64)>,
) -> Result<LinuxSyscall, OciSpecError> {
    let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
    let rule = LinuxSyscallBuilder::default().names(names).action(LinuxSeccompAction::ScmpActAllow);
    let Some((op, value)) = first else { return rule.build() };
    let argument = LinuxSeccompArgBuilder::default().index(0_usize).value(value).op(op).build()?;
    rule.args(vec![argument]).build()
}

/// The flags of clone3 are behind a pointer that a filter cannot read; with ENOSYS, libc takes clone.
fn without_clone3() -> Result<LinuxSyscall, OciSpecError> {
    LinuxSyscallBuilder::default()
        .names(vec!["clone3".to_owned()])
        .action(LinuxSeccompAction::ScmpActErrno)
        .errno_ret(ENOSYS)
        .build()
}

/// The machine's architecture and the 32-bit ones that its kernel runs too.
fn architectures() -> Vec<Arch> {
    match std::env::consts::ARCH {
        // Not x32: kernels have it switched off, and each architecture costs runc some milliseconds.
        "x86_64" => vec![Arch::ScmpArchX86_64, Arch::ScmpArchX86],
        "aarch64" => vec![Arch::ScmpArchAarch64, Arch::ScmpArchArm],
        // None named: the filter is for the native architecture.
        _ => Vec::new(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_call_is_named_once() {
        let names: Vec<_> = allowed_names().collect();
        let set: BTreeSet<_> = names.iter().collect();
        assert_eq!(set.len(), names.len());
        assert!(set.len() > 350, "{}", set.len());
    }

    #[test]
    fn what_reaches_the_whole_machine_is_not_allowed() {
        let names: BTreeSet<_> = allowed_names().collect();
        for call in [
            "mount",
            "umount2",
            "pivot_root",
            "unshare",
            "setns",
            "bpf",
            "keyctl",
            "add_key",
            "init_module",
            "finit_module",
            "kexec_load",
            "reboot",
            "swapon",
            "perf_event_open",
            "userfaultfd",
            "io_uring_setup",
            "open_by_handle_at",
            "settimeofday",
            "clock_settime",
            "clone",
            "clone3",
            "personality",
            "socket",
        ] {
            assert!(!names.contains(call), "{call}");
        }
    }

    #[test]
    fn vsock_and_alg_are_refused() {
        let allowed = |family: u64| SOCKET_FAMILIES.iter().any(|range| range.contains(&family));
        let (unix, inet, inet6, netlink, packet, alg, vsock) = (1, 2, 10, 16, 17, 38, 40);
        assert!([unix, inet, inet6, netlink, packet].into_iter().all(allowed));
        assert!(!allowed(alg) && !allowed(vsock));
    }

    #[test]
    fn makes_a_profile() {
        let profile = serde_json::to_value(profile().unwrap()).unwrap();
        assert_eq!(profile["defaultAction"], "SCMP_ACT_ERRNO");
        let rules = profile["syscalls"].as_array().unwrap();
        assert!(rules.iter().any(|rule| rule["names"][0] == "clone3" && rule["errnoRet"] == 38));
    }
}
