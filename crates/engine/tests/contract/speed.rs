use std::time::{Duration, Instant};

use engine::{ContainerSpec, ImageRequest, RuntimeChoice};

use crate::bench::Bench;

/// `true` from start to known exit: median, and the bound a loaded machine keeps too. docs/BENCHMARKS.md has the
/// numbers of a quiet one.
#[tokio::test]
async fn a_container_starts_and_ends_in_well_under_a_second() {
    for runtime in [RuntimeChoice::Auto, RuntimeChoice::Runc] {
        let mut bench = Bench::sandbox().await;
        bench.options.runtime = runtime;
        bench.restart().await;
        measure(&bench).await;
    }
}

async fn measure(bench: &Bench) {
    bench.engine.prepare(&ImageRequest::of("host")).await.unwrap();
    let mut times = Vec::new();
    for number in 0..10 {
        let spec = ContainerSpec::new(format!("c{number}"), ["true"]);
        let start = Instant::now();
        bench.engine.start(&spec).await.unwrap();
        let started = start.elapsed();
        assert!(bench.engine.wait(&spec.id).await.unwrap().success());
        times.push((start.elapsed(), started));
        bench.engine.remove(&spec.id).await.unwrap();
    }
    times.sort();
    let (ended, started) = times[times.len() / 2];
    let runtime = &bench.options.runtime;
    eprintln!(
        "`true` in the sandbox, {runtime:?}: started after {started:?}, exit known after {ended:?} (medians of 10)"
    );
    assert!(ended < Duration::from_millis(900), "{ended:?}");
}
