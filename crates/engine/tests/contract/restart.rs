use engine::{Container, Exit, Started, State};

use crate::bench::{Bench, Script, text};

pub(crate) async fn finds_running_and_ended_containers_by_label(mut bench: Bench) {
    let labelled = |id: &str, script: Script, label: &str| {
        let mut spec = bench.container(id, script);
        spec.labels.insert("build".to_owned(), label.to_owned());
        spec
    };
    let runs = labelled("runs", Script::sleeps(), "mine");
    let ended = labelled("ended", Script { exit: 3, output: "bye", ..Script::default() }, "mine");
    let other = labelled("other", Script::default(), "other");
    for spec in [&runs, &ended, &other] {
        bench.engine.start(spec).await.unwrap();
    }
    bench.engine.wait("ended").await.unwrap();
    bench.restart().await;
    let found = bench.engine.list("build", "mine").await.unwrap();
    let container =
        |spec: &engine::ContainerSpec, state| Container { id: spec.id.clone(), labels: spec.labels.clone(), state };
    let expected = [container(&ended, State::Ended(Exit::code(3))), container(&runs, State::Running)];
    assert_eq!(found, expected);
    assert_eq!(text(bench.engine.output("ended", 0).await.unwrap()).await, "bye");
    assert_eq!(bench.engine.start(&runs).await.unwrap(), Started::Before);
    let alive = bench.engine.exec("runs", &Script::default().exec(), 10).await.unwrap();
    assert!(alive.exit.success());
    for id in ["runs", "ended", "other"] {
        bench.engine.remove(id).await.unwrap();
    }
    assert!(bench.engine.list("build", "mine").await.unwrap().is_empty());
}

pub(crate) async fn wait_goes_on_over_a_restart(mut bench: Bench) {
    let script = Script { output: "done", sleep_ms: 400, exit: 6, ..Script::default() };
    bench.engine.start(&bench.container("a", script)).await.unwrap();
    bench.restart().await;
    assert_eq!(bench.engine.wait("a").await.unwrap(), Exit::code(6));
    assert_eq!(text(bench.engine.output("a", 0).await.unwrap()).await, "done");
}
