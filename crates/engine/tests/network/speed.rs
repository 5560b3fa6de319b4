use std::time::{Duration, Instant};

use engine::{ContainerSpec, Network, WayOut};

use crate::world::{Bench, on_a_machine};

/// What a way out adds to a start, as a median: it is made beside the container. docs/BENCHMARKS.md has a quiet machine's
/// numbers; the bound is one that a loaded machine keeps too.
#[test]
fn a_way_out_adds_little_to_a_start() {
    on_a_machine(async |_| {
        let bench = Bench::with(WayOut::Veth).await;
        let mut words = vec![format!("alone {:?}", median(&bench, Network::LoopbackOnly).await)];
        for way in [WayOut::Pasta, WayOut::Slirp4netns, WayOut::Veth] {
            let bench = Bench::with(way).await;
            let time = median(&bench, Network::Outside).await;
            words.push(format!("{} {time:?}", way.name()));
            assert!(time < Duration::from_secs(2), "{words:?}");
        }
        eprintln!("`true` started in the sandbox after: {} (medians of 7)", words.join(", "));
    });
}

async fn median(bench: &Bench, network: Network) -> Duration {
    let mut times = Vec::new();
    for number in 0..8 {
        let spec = ContainerSpec { network, ..ContainerSpec::new(format!("c{number}"), ["true"]) };
        let start = Instant::now();
        bench.engine.start(&spec).await.unwrap();
        times.push(start.elapsed());
        bench.engine.remove(&spec.id).await.unwrap();
    }
    // The first one finds out what works here.
    let measured = &mut times[1..];
    measured.sort();
    measured[measured.len() / 2]
}
