use engine::{EngineError, ExecChunk, Exit};

use crate::bench::{Bench, Script};

pub(crate) async fn answers_output_and_exit_code(bench: Bench) {
    bench.engine.start(&bench.container("a", Script::sleeps())).await.unwrap();
    let exec = Script { output: "from inside", exit: 4, ..Script::default() }.exec();
    let output = bench.engine.exec("a", &exec, 1024).await.unwrap();
    assert_eq!(output.exit, Exit::code(4));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "from inside");
    assert!(output.stderr.is_empty() && !output.truncated);
    bench.engine.remove("a").await.unwrap();
}

pub(crate) async fn bounds_what_it_keeps(bench: Bench) {
    bench.engine.start(&bench.container("a", Script::sleeps())).await.unwrap();
    let exec = Script { output: "0123456789", ..Script::default() }.exec();
    let output = bench.engine.exec("a", &exec, 4).await.unwrap();
    assert_eq!(output.stdout, b"0123");
    assert!(output.truncated && output.exit.success());
    bench.engine.remove("a").await.unwrap();
}

pub(crate) async fn streams_and_kills_when_dropped(bench: Bench) {
    bench.engine.start(&bench.container("a", Script::sleeps())).await.unwrap();
    let exec = Script { output: "now", ..Script::sleeps() }.exec();
    let mut execution = bench.engine.exec_stream("a", &exec).await.unwrap();
    let first = execution.next().await.unwrap().unwrap();
    assert_eq!(first, ExecChunk::Stdout("now".into()));
    drop(execution);
    // The container itself lives on.
    let alive = bench.engine.exec("a", &Script::default().exec(), 10).await.unwrap();
    assert!(alive.exit.success());
    bench.engine.remove("a").await.unwrap();
}

pub(crate) async fn refuses_an_ended_container(bench: Bench) {
    bench.engine.start(&bench.container("a", Script::default())).await.unwrap();
    bench.engine.wait("a").await.unwrap();
    let late = bench.engine.exec("a", &Script::default().exec(), 10).await;
    assert!(matches!(late, Err(EngineError::Ended(_))), "{late:?}");
}
