use engine::{ContainerSpec, Ending, Limits};

use crate::bench::Bench;

fn limited(script: &str, limits: Limits) -> ContainerSpec {
    let mut spec = ContainerSpec::new("job", ["sh", "-c", script]);
    spec.limits = limits;
    spec
}

#[tokio::test]
async fn want_of_memory_is_told() {
    let limits = Limits { memory_bytes: Some(64 << 20), ..Limits::default() };
    let greedy = "exec /usr/bin/python3 -c 'x = bytearray(300 << 20); print(len(x))'";
    let (exit, output) = Bench::sandbox().await.run_spec(limited(greedy, limits)).await;
    assert!(exit.oom, "{exit}: {output}");
    assert_eq!(exit.ending, Ending::Signal(9));
}

#[tokio::test]
async fn processes_are_limited() {
    let limits = Limits { pids: Some(16), ..Limits::default() };
    let many = "for i in $(seq 40); do sleep 2 & done 2>/dev/null; echo started";
    let (_, output) = Bench::sandbox().await.run_spec(limited(many, limits)).await;
    assert!(output.contains("fork") || !output.contains("started"), "{output}");
}

#[tokio::test]
async fn processor_time_is_limited() {
    let limits = Limits { cpu_millis: Some(100), ..Limits::default() };
    let busy = "/usr/bin/python3 -c 'import time; end = time.time() + 1\nwhile time.time() < end: pass\n\
                print(time.process_time())'";
    let (_, output) = Bench::sandbox().await.run_spec(limited(busy, limits)).await;
    let used: f64 = output.trim().parse().unwrap();
    assert!(used < 0.5, "{used} s of processor time in one second");
}
