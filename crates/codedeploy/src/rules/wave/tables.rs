//! The examples of AWS's user guide, as tables.

use super::*;

const ALL_AT_ONCE: MinimumHealthy = MinimumHealthy::HostCount(0);
const HALF_AT_A_TIME: MinimumHealthy = MinimumHealthy::FleetPercent(50);

/// A fleet written as one letter per host: `.` pending, `>` in progress, `+` succeeded, `x` failed, `-` skipped.
fn fleet(letters: &str) -> Vec<Host> {
    let progress = |letter| match letter {
        '.' => Progress::Pending,
        '>' => Progress::InProgress,
        '+' => Progress::Succeeded,
        'x' => Progress::Failed,
        _ => Progress::Skipped,
    };
    let host = |(index, letter)| Host {
        id: format!("h{index:02}"),
        standing: Standing::Unhealthy,
        progress: progress(letter),
    };
    letters.chars().enumerate().map(host).collect()
}

fn ids(numbers: &[usize]) -> Vec<String> {
    numbers.iter().map(|number| format!("h{number:02}")).collect()
}

#[test]
fn a_minimum_becomes_hosts_in_flight_and_successes_needed() {
    for (minimum, size, concurrency, successes) in [
        (MinimumHealthy::OneAtATime, 1, 1, 1),
        (MinimumHealthy::OneAtATime, 2, 1, 1),
        (MinimumHealthy::OneAtATime, 10, 1, 9),
        (HALF_AT_A_TIME, 9, 4, 5),
        (HALF_AT_A_TIME, 2, 1, 1),
        (ALL_AT_ONCE, 9, 9, 1),
        (MinimumHealthy::HostCount(6), 9, 3, 6),
        (MinimumHealthy::FleetPercent(40), 9, 5, 4),
        (MinimumHealthy::FleetPercent(95), 10, 0, 10),
        (MinimumHealthy::HostCount(1), 1, 0, 1),
        (MinimumHealthy::HostCount(12), 10, 0, 12),
    ] {
        assert_eq!(minimum.concurrency(size), concurrency, "{minimum:?} of {size}");
        assert_eq!(minimum.successes(size), successes, "{minimum:?} of {size}");
        assert_eq!(minimum.can_start(size), concurrency > 0, "{minimum:?} of {size}");
    }
    assert!(!MinimumHealthy::OneAtATime.can_start(0));
}

#[test]
fn waves_start_as_large_as_the_minimum_lets_them() {
    for (minimum, letters, started) in [
        (MinimumHealthy::OneAtATime, "..", vec![0]),
        (MinimumHealthy::OneAtATime, "+.", vec![1]),
        (HALF_AT_A_TIME, ".........", vec![0, 1, 2, 3]),
        (HALF_AT_A_TIME, "+>x......", vec![3, 4]),
        (ALL_AT_ONCE, "...", vec![0, 1, 2]),
        (MinimumHealthy::HostCount(6), ".........", vec![0, 1, 2]),
        (MinimumHealthy::HostCount(8), "x.........", vec![1]),
    ] {
        assert_eq!(next(minimum, &fleet(letters)), Decision::Start(ids(&started)), "{minimum:?} of {letters}");
    }
}

#[test]
fn a_full_wave_waits() {
    for (minimum, letters) in [
        (MinimumHealthy::OneAtATime, ">."),
        (MinimumHealthy::HostCount(8), "x>........"),
        (ALL_AT_ONCE, ">>>"),
        (ALL_AT_ONCE, "xx>"),
        (MinimumHealthy::HostCount(6), "xxx>--"),
    ] {
        assert_eq!(next(minimum, &fleet(letters)), Decision::Wait, "{minimum:?} of {letters}");
    }
}

#[test]
fn a_deployment_gives_up_when_the_healthy_hosts_are_down_to_the_minimum() {
    for (minimum, letters, skipped) in [
        (MinimumHealthy::OneAtATime, "x..", vec![1, 2]),
        (MinimumHealthy::HostCount(9), "+++++x....", vec![6, 7, 8, 9]),
        (HALF_AT_A_TIME, "xxxx.....", vec![4, 5, 6, 7, 8]),
        (MinimumHealthy::HostCount(6), "xx>x.....", vec![4, 5, 6, 7, 8]),
        (MinimumHealthy::FleetPercent(95), "..........", (0..10).collect()),
    ] {
        assert_eq!(next(minimum, &fleet(letters)), Decision::GiveUp(ids(&skipped)), "{minimum:?} of {letters}");
    }
}

#[test]
fn the_last_hosts_may_fail_when_the_minimum_succeeded() {
    for (minimum, letters, decision) in [
        (MinimumHealthy::HostCount(9), "+++++++++x", Decision::Succeed),
        (MinimumHealthy::HostCount(8), "x++++++++x", Decision::Succeed),
        (MinimumHealthy::OneAtATime, "+x", Decision::Succeed),
        (MinimumHealthy::OneAtATime, "x", Decision::Fail),
        (HALF_AT_A_TIME, "++++xxxx+", Decision::Succeed),
        (HALF_AT_A_TIME, "++++xxxxx", Decision::Fail),
        (ALL_AT_ONCE, "xx+", Decision::Succeed),
        (ALL_AT_ONCE, "xxx", Decision::Fail),
        (MinimumHealthy::OneAtATime, "x-", Decision::Fail),
    ] {
        assert_eq!(next(minimum, &fleet(letters)), decision, "{minimum:?} of {letters}");
    }
}

#[test]
fn unhealthy_hosts_go_first_and_current_ones_last() {
    let mut hosts = fleet("....");
    let order = [Standing::CurrentRevision, Standing::OldRevision, Standing::Unhealthy, Standing::UnknownRevision];
    for (host, standing) in hosts.iter_mut().zip(order) {
        host.standing = standing;
    }
    assert_eq!(next(ALL_AT_ONCE, &hosts), Decision::Start(ids(&[2, 3, 1, 0])));
}
