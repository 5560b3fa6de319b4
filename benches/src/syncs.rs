//! How often the store made something durable in a span of time, by the server's own log.

use std::time::Duration;

/// What `--log` must say for it.
pub(crate) const LOG: &str = "info,kernel::store=trace";
/// What the log says of each time.
const SYNCED: &str = " synced ";
const DAY: Duration = Duration::from_secs(86_400);

/// Counts in a log whose lines begin with the time, as `2026-11-23T07:05:14.123456Z`; both ends are since the epoch.
pub(crate) fn between(log: &str, from: Duration, to: Duration) -> usize {
    let length = to.saturating_sub(from);
    let times = log.lines().filter(|line| format!("{line} ").contains(SYNCED)).filter_map(time_of_day);
    // Midnight may be in between.
    let since = |time: Duration| (time + DAY).saturating_sub(within_day(from));
    times.map(since).filter(|since| if *since >= DAY { *since - DAY <= length } else { *since <= length }).count()
}

fn within_day(time: Duration) -> Duration {
    Duration::new(time.as_secs() % DAY.as_secs(), time.subsec_nanos())
}

fn time_of_day(line: &str) -> Option<Duration> {
    let time = line.split_once('T')?.1.split_once('Z')?.0;
    let mut parts = time.split(':');
    let mut number = || parts.next()?.parse::<f64>().ok();
    let (hours, minutes, seconds) = (number()?, number()?, number()?);
    Some(Duration::from_secs_f64(hours * 3600.0 + minutes * 60.0 + seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_is_in_the_span() {
        let line =
            |time: &str, says: &str| format!("2026-11-23T{time}Z TRACE kernel::store::writer: {says} changes=1\n");
        let log = line("23:59:58.5", "synced")
            + &line("23:59:59.5", "synced")
            + &line("23:59:59.6", "something")
            + &line("00:00:00.25", "synced")
            + &line("00:00:02.0", "synced");
        let (from, to) = (DAY - Duration::from_secs(1), DAY + Duration::from_secs(1));
        assert_eq!(between(&log, from, to), 2);
        assert_eq!(between("no time\n", from, to), 0);
    }
}
