//! What Linux says of the machine's memory (`proc(5)`, and the kernel's `accounting/psi.rst`).

/// Below this share of all memory a machine is short of it, in per cent.
const SHORT_PERCENT: u64 = 10;
/// And below so many bytes, whatever share that is.
const SHORT_BYTES: u64 = 256 << 20;
/// As is one whose tasks waited for memory during more than so many per cent of the last ten seconds.
const SHORT_WAITING: f64 = 10.0;

/// All memory in bytes, out of `/proc/meminfo`.
#[must_use]
pub fn total(meminfo: &str) -> Option<u64> {
    value(meminfo, "MemTotal:")
}

/// Whether a machine is short of memory, by `/proc/meminfo` and, where the kernel has it, `/proc/pressure/memory`. What
/// cannot be read says nothing.
#[must_use]
pub fn is_short(meminfo: &str, pressure: Option<&str>) -> bool {
    let little = match (total(meminfo), value(meminfo, "MemAvailable:")) {
        (Some(total), Some(available)) => available < SHORT_BYTES || available < total / 100 * SHORT_PERCENT,
        _ => false,
    };
    little || pressure.and_then(waiting).is_some_and(|percent| percent > SHORT_WAITING)
}

fn value(meminfo: &str, name: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// `avg10` of the line `some`.
fn waiting(pressure: &str) -> Option<f64> {
    let some = pressure.lines().find_map(|line| line.strip_prefix("some "))?;
    some.split_whitespace().find_map(|word| word.strip_prefix("avg10="))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meminfo(total_mib: u64, available_mib: u64) -> String {
        format!(
            "MemTotal:       {} kB\nMemFree:            1 kB\nMemAvailable:   {} kB\n",
            total_mib * 1024,
            available_mib * 1024
        )
    }

    #[test]
    fn reads_the_kernels_tables() {
        assert_eq!(total(&meminfo(2, 1)), Some(2 << 20));
        assert_eq!(waiting("some avg10=1.53 avg60=0.87 avg300=1.73 total=1\nfull avg10=9 total=2\n"), Some(1.53));
        assert_eq!((total("nonsense"), waiting("nonsense")), (None, None));
    }

    #[test]
    fn a_machine_is_short_of_memory_by_share_by_size_or_by_waiting() {
        assert!(!is_short(&meminfo(8_000, 4_000), None));
        assert!(is_short(&meminfo(8_000, 700), None));
        assert!(is_short(&meminfo(1_000, 200), None));
        let pressure = |percent: &str| format!("some avg10={percent} avg60=0.00 avg300=0.00 total=0\n");
        assert!(!is_short(&meminfo(8_000, 4_000), Some(&pressure("9.99"))));
        assert!(is_short(&meminfo(8_000, 4_000), Some(&pressure("12.00"))));
        assert!(!is_short("", Some("")), "what cannot be read says nothing");
    }
}
