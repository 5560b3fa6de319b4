//! What containers reach. `scripts/with-daemons` made the world: a server at 198.51.100.7, and one on the loopback of the
//! daemons' machine.

use std::time::{Duration, Instant};

use engine::{Exec, Network};

use crate::bench::Bench;

/// `ask ADDRESS PORT`: what its server says to be.
const ASK: &str = "ask() { printf 'GET /who HTTP/1.0\r\n\r\n' | nc -w 3 $1 $2 2>&1 | tail -n 1; }; ";
const ASK_THE_WORLD: &str = "ask 198.51.100.7 8080";

/// Asks every address by which a container might reach the machine's own loopback.
const ASK_THE_MACHINE: &str = "for to in 127.0.0.1 10.0.2.2 $(ip route | awk '/default/ {print $3}') 198.51.100.7; do \
                               ask $to 8080; done";

async fn outside(bench: &Bench, script: &str) -> String {
    let mut spec = bench.shell("job", &format!("{ASK}{script}"));
    spec.network = Network::Outside;
    bench.run_spec(spec).await.1
}

pub(crate) async fn loopback_only_is_what_it_says(bench: Bench) {
    let (_, output) = bench
        .run(&format!("{ASK}ls /sys/class/net; {ASK_THE_WORLD}; ip address show lo | grep -c 169.254.170.2/32"))
        .await;
    assert!(output.starts_with("lo\n") && output.ends_with("\n1\n"), "{output}");
    assert!(!output.contains("world"), "{output}");
}

pub(crate) async fn the_way_out_leads_to_the_world_and_not_into_the_machine(bench: Bench) {
    assert_eq!(outside(&bench, ASK_THE_WORLD).await, "world\n");
    let answers = outside(&bench, ASK_THE_MACHINE).await;
    assert!(!answers.contains("machine") && answers.ends_with("world\n"), "{answers}");
}

pub(crate) async fn a_clouds_own_credentials_cannot_be_asked_for(bench: Bench) {
    let started = Instant::now();
    let output = outside(&bench, "nc -w 9 169.254.169.254 80 2>&1; ip route get 169.254.170.2").await;
    assert!(output.contains("unreachable") || output.contains("No route"), "{output}");
    assert!(output.contains("dev lo"), "{output}");
    assert!(started.elapsed() < Duration::from_secs(8), "it is refused, not lost");
}

pub(crate) async fn containers_do_not_reach_each_other(bench: Bench) {
    let mut server = bench.shell("server", "echo found >/tmp/who; exec httpd -f -p 9000 -h /tmp");
    server.network = Network::Outside;
    bench.engine.start(&server).await.unwrap();
    let shell = |script: &str| Exec::new(["sh", "-c", script]);
    let address = shell("ip -4 -o address show scope global | awk '{print $4}' | cut -d/ -f1");
    let address = bench.engine.exec("server", &address, 99).await.unwrap().stdout;
    let address = String::from_utf8(address).unwrap().trim().to_owned();
    let itself = shell(&format!("{ASK}until ask {address} 9000 | grep found; do sleep 0.1; done"));
    assert_eq!(bench.engine.exec("server", &itself, 99).await.unwrap().stdout, b"found\n");
    let other = outside(&bench, &format!("ask {address} 9000")).await;
    assert!(!other.contains("found"), "{other}");
    bench.engine.remove("server").await.unwrap();
}
