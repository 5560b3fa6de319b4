//! What is left of a container's network: nothing, whoever was killed.

use std::fs;
use std::time::{Duration, Instant};

use engine::{Exit, WayOut};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::world::{Bench, World, on_a_machine, outside, programs};

const SLEEPS: &str = "print('up', flush=True); import time; time.sleep(60)";

async fn goes_with_the_container(world: World, way: WayOut) {
    let bench = Bench::with(way).await;
    assert_eq!(world.left_behind(), Vec::<String>::new(), "after the trial");
    bench.engine.start(&outside("a", SLEEPS)).await.unwrap();
    assert!(!world.left_behind().is_empty());
    bench.engine.remove("a").await.unwrap();
    assert_eq!(world.left_behind(), Vec::<String>::new());
    bench.engine.start(&outside("b", "pass")).await.unwrap();
    assert_eq!(bench.engine.wait("b").await.unwrap(), Exit::code(0));
    assert_eq!(world.left_behind(), Vec::<String>::new(), "ended by itself, and not yet removed");
}

async fn goes_when_the_shim_was_killed(world: World, way: WayOut) {
    let mut bench = Bench::with(way).await;
    for restarts in [false, true] {
        let id = format!("a{restarts}");
        bench.engine.start(&outside(&id, SLEEPS)).await.unwrap();
        bench.first_line(&id).await;
        let pid = fs::read_to_string(bench.folder.path().join(format!("containers/{id}/shim.pid"))).unwrap();
        kill(Pid::from_raw(pid.trim().parse().unwrap()), Signal::SIGKILL).unwrap();
        if restarts {
            bench.restart().await;
        }
        assert_eq!(bench.engine.wait(&id).await.unwrap(), Exit::vanished());
        // The kernel takes devices off their namespaces a moment after the last process.
        let begin = Instant::now();
        while !world.left_behind().is_empty() && begin.elapsed() < Duration::from_secs(5) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(world.left_behind(), Vec::<String>::new());
        bench.engine.remove(&id).await.unwrap();
    }
}

/// The container goes on without a way out, and all is cleared in the end.
async fn goes_when_the_helper_was_killed(world: World, way: WayOut) {
    let bench = Bench::with(way).await;
    bench.engine.start(&outside("a", SLEEPS)).await.unwrap();
    bench.first_line("a").await;
    assert_eq!(programs().len(), usize::from(way != WayOut::Veth), "{:?}", programs());
    let record = fs::read_to_string(bench.folder.path().join("containers/a/network.json")).unwrap();
    if let Some((_, number)) = record.split_once("\"pid\":") {
        let number: String = number.chars().take_while(char::is_ascii_digit).collect();
        kill(Pid::from_raw(number.parse().unwrap()), Signal::SIGKILL).unwrap();
    }
    let alive = bench.engine.exec("a", &engine::Exec::new(["true"]), 10).await.unwrap();
    assert!(alive.exit.success());
    bench.engine.remove("a").await.unwrap();
    assert_eq!(world.left_behind(), Vec::<String>::new());
}

async fn goes_when_the_container_cannot_start(world: World, way: WayOut) {
    let bench = Bench::with(way).await;
    let mut spec = outside("a", "");
    spec.argv = vec!["no-such-program".to_owned()];
    let error = bench.engine.start(&spec).await.unwrap_err().to_string();
    assert!(error.contains("no-such-program"), "{error}");
    assert_eq!(world.left_behind(), Vec::<String>::new());
    bench.engine.start(&outside("a", "pass")).await.unwrap();
    assert_eq!(bench.engine.wait("a").await.unwrap(), Exit::code(0));
}

macro_rules! each_way {
    ($($test:ident),+) => {
        each_way!(@ pasta Pasta $($test),+);
        each_way!(@ slirp4netns Slirp4netns $($test),+);
        each_way!(@ veth Veth $($test),+);
    };
    (@ $module:ident $way:ident $($test:ident),+) => {
        mod $module {
            $(#[test] fn $test() { super::on_a_machine(|world| super::$test(world, engine::WayOut::$way)) })+
        }
    };
}

each_way!(
    goes_with_the_container,
    goes_when_the_shim_was_killed,
    goes_when_the_helper_was_killed,
    goes_when_the_container_cannot_start
);

mod veth_by_nft {
    use super::{WayOut, on_a_machine};

    #[test]
    fn goes_with_the_container() {
        on_a_machine(|world| super::goes_with_the_container(world.without_iptables(), WayOut::Veth));
    }

    #[test]
    fn goes_when_the_shim_was_killed() {
        on_a_machine(|world| super::goes_when_the_shim_was_killed(world.without_iptables(), WayOut::Veth));
    }
}
