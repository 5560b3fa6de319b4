use engine::{ContainerSpec, Ending, EngineError, Exit, ImageRequest, Signal, Started};

use crate::bench::{Bench, Script, text};

pub(crate) async fn streams_output_and_tells_the_exit_code(bench: Bench) {
    let script = Script { output: "hello", sleep_ms: 300, exit: 3, ..Script::default() };
    let spec = bench.container("a", script);
    bench.engine.prepare(&ImageRequest::of("host")).await.unwrap();
    assert_eq!(bench.engine.start(&spec).await.unwrap(), Started::Now);
    let mut output = bench.engine.output("a", 0).await.unwrap();
    let first = futures::StreamExt::next(&mut output).await.unwrap().unwrap();
    assert_eq!(first, "hello");
    let running = bench.engine.exec("a", &Script::default().exec(), 10).await;
    assert!(running.is_ok(), "output came only after the end");
    assert_eq!(text(output).await, "");
    assert_eq!(bench.engine.wait("a").await.unwrap(), Exit::code(3));
}

pub(crate) async fn tells_the_signal(bench: Bench) {
    bench.engine.start(&bench.container("a", Script::sleeps())).await.unwrap();
    bench.engine.signal("a", Signal::Kill).await.unwrap();
    assert_eq!(bench.engine.wait("a").await.unwrap(), Exit::signal(9));
}

pub(crate) async fn waits_again_and_in_parallel(bench: Bench) {
    let script = Script { sleep_ms: 200, exit: 7, ..Script::default() };
    bench.engine.start(&bench.container("a", script)).await.unwrap();
    let (one, two) = tokio::join!(bench.engine.wait("a"), bench.engine.wait("a"));
    assert_eq!((one.unwrap(), two.unwrap()), (Exit::code(7), Exit::code(7)));
    assert_eq!(bench.engine.wait("a").await.unwrap(), Exit::code(7));
}

pub(crate) async fn passes_signals_on(bench: Bench) {
    let script = Script { output: "ready", exit_on_term: Some(5), ..Script::sleeps() };
    bench.engine.start(&bench.container("a", script)).await.unwrap();
    let mut output = bench.engine.output("a", 0).await.unwrap();
    // The trap is set before the output is written.
    futures::StreamExt::next(&mut output).await.unwrap().unwrap();
    bench.engine.signal("a", Signal::Term).await.unwrap();
    assert_eq!(bench.engine.wait("a").await.unwrap(), Exit::code(5));
    let late = bench.engine.signal("a", Signal::Term).await;
    assert!(matches!(late, Err(EngineError::Ended(_))), "{late:?}");
}

pub(crate) async fn kill_cannot_be_refused(bench: Bench) {
    let script = Script { exit_on_term: Some(5), ..Script::sleeps() };
    bench.engine.start(&bench.container("a", script)).await.unwrap();
    bench.engine.signal("a", Signal::Kill).await.unwrap();
    assert_eq!(bench.engine.wait("a").await.unwrap().ending, Ending::Signal(9));
}

pub(crate) async fn second_start_finds_the_first(bench: Bench) {
    let script = Script { sleep_ms: 200, exit: 1, ..Script::default() };
    let spec = bench.container("a", script);
    let (one, two) = tokio::join!(bench.engine.start(&spec), bench.engine.start(&spec));
    let mut started = [one.unwrap(), two.unwrap()];
    started.sort_by_key(|started| *started == Started::Before);
    assert_eq!(started, [Started::Now, Started::Before]);
    assert_eq!(bench.engine.wait("a").await.unwrap(), Exit::code(1));
    assert_eq!(bench.engine.start(&spec).await.unwrap(), Started::Before);
    assert_eq!(bench.engine.wait("a").await.unwrap(), Exit::code(1));
}

pub(crate) async fn remove_is_idempotent_and_kills(bench: Bench) {
    bench.engine.remove("never-there").await.unwrap();
    bench.engine.start(&bench.container("a", Script::sleeps())).await.unwrap();
    bench.engine.remove("a").await.unwrap();
    bench.engine.remove("a").await.unwrap();
    let gone = bench.engine.wait("a").await;
    assert!(matches!(gone, Err(EngineError::NoContainer(_))), "{gone:?}");
    let again = bench.container("a", Script { exit: 2, ..Script::default() });
    assert_eq!(bench.engine.start(&again).await.unwrap(), Started::Now);
    assert_eq!(bench.engine.wait("a").await.unwrap(), Exit::code(2));
}

pub(crate) async fn output_from_any_byte(bench: Bench) {
    bench.engine.start(&bench.container("a", Script { output: "0123456789", ..Script::default() })).await.unwrap();
    bench.engine.wait("a").await.unwrap();
    for (from, expected) in [(0, "0123456789"), (4, "456789"), (10, ""), (99, "")] {
        assert_eq!(text(bench.engine.output("a", from).await.unwrap()).await, expected);
    }
}

pub(crate) async fn refuses_unknown_containers_and_images(bench: Bench) {
    let missing = |result: Result<(), EngineError>| {
        assert!(matches!(result, Err(EngineError::NoContainer(_))), "{result:?}");
    };
    missing(bench.engine.wait("x").await.map(drop));
    missing(bench.engine.output("x", 0).await.map(drop));
    missing(bench.engine.signal("x", Signal::Term).await);
    missing(bench.engine.exec_stream("x", &Script::default().exec()).await.map(drop));
    let bad = ContainerSpec::new("../x", ["true"]);
    assert!(matches!(bench.engine.start(&bad).await, Err(EngineError::Spec(_))));
}

pub(crate) async fn runs_eight_at_once(bench: Bench) {
    let one = |number: i32| {
        let bench = &bench;
        async move {
            let id = format!("c{number}");
            let spec = bench.container(&id, Script { exit: number, output: "x", ..Script::default() });
            bench.engine.start(&spec).await.unwrap();
            assert_eq!(bench.engine.wait(&id).await.unwrap(), Exit::code(number));
            assert_eq!(text(bench.engine.output(&id, 0).await.unwrap()).await, "x");
            bench.engine.remove(&id).await.unwrap();
        }
    };
    futures::future::join_all((0..8).map(one)).await;
}
