//! What this machine has, and whether it is short of it.

use std::fs::read_to_string;

use crate::rules::compute::Machine;
use crate::rules::memory;

const MEMINFO: &str = "/proc/meminfo";
/// Only where the kernel counts it.
const PRESSURE: &str = "/proc/pressure/memory";

/// What this machine has. Memory that cannot be told is no limit.
pub(super) fn this() -> Machine {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let meminfo = read_to_string(MEMINFO).unwrap_or_default();
    Machine { cpus: u32::try_from(cpus).unwrap_or(u32::MAX), memory_bytes: memory::total(&meminfo).unwrap_or(u64::MAX) }
}

/// Whether memory is short now. Both files are the kernel's own and cost no disk.
pub(super) fn is_short_of_memory() -> bool {
    let meminfo = read_to_string(MEMINFO).unwrap_or_default();
    memory::is_short(&meminfo, read_to_string(PRESSURE).ok().as_deref())
}
