//! What is lost behind the engine's back, and whose containers are left alone.

use engine::{Container, EngineKind, EngineOptions, Exit, Started, State};
use futures::FutureExt;

use super::proxy::Proxy;
use crate::bench::{Bench, Script, text};

/// The daemon of a bench, as its own clients see it.
async fn client(bench: &Bench) -> bollard::Docker {
    let socket = bench.options.docker_host.as_deref().unwrap();
    let client = bollard::Docker::connect_with_unix(socket, 60, bollard::API_DEFAULT_VERSION).unwrap();
    client.negotiate_version().await.unwrap()
}

/// The daemon's names of the containers whose names end so.
async fn names(client: &bollard::Docker, end: &str) -> Vec<String> {
    let all = bollard::query_parameters::ListContainersOptions { all: true, ..Default::default() };
    let listed = loop {
        // Podman's word for a container that has just ended is not Docker's, until it is tidied up.
        match client.list_containers(Some(all.clone())).await {
            Err(bollard::errors::Error::JsonDataError { .. }) => {}
            listed => break listed.unwrap(),
        }
    };
    let names = listed.into_iter().filter_map(|container| container.names?.into_iter().next());
    names.map(|name| name.trim_start_matches('/').to_owned()).filter(|name| name.ends_with(end)).collect()
}

async fn remove(client: &bollard::Docker, name: &str) {
    let force = bollard::query_parameters::RemoveContainerOptions { force: true, ..Default::default() };
    client.remove_container(name, Some(force)).await.unwrap();
}

/// A container id that no other test uses: the daemon is shared.
fn unique(name: &str, bench: &Bench) -> String {
    let folder = bench.folder.path().file_name().unwrap().to_string_lossy().replace('.', "");
    format!("{name}-{folder}")
}

pub(crate) async fn a_container_that_the_daemon_lost_has_vanished(bench: Bench) {
    let id = unique("lost", &bench);
    let mut spec = bench.container(&id, Script::sleeps());
    spec.labels.insert("build".into(), "1".into());
    bench.engine.start(&spec).await.unwrap();
    let client = client(&bench).await;
    let [name] = &names(&client, &id).await[..] else { panic!("one container") };
    remove(&client, name).await;
    assert_eq!(bench.engine.start(&spec).await.unwrap(), Started::Before);
    assert_eq!(bench.engine.wait(&id).await.unwrap(), Exit::vanished());
    let expected = Container { id: id.clone(), labels: spec.labels.clone(), state: State::Ended(Exit::vanished()) };
    assert_eq!(bench.engine.list("build", "1").await.unwrap(), [expected]);
    bench.engine.remove(&id).await.unwrap();
    assert!(bench.engine.list("build", "1").await.unwrap().is_empty());
}

pub(crate) async fn an_end_stays_known_when_the_daemon_forgets_it(bench: Bench) {
    let id = unique("pruned", &bench);
    bench.engine.start(&bench.container(&id, Script { output: "said", exit: 5, ..Script::default() })).await.unwrap();
    assert_eq!(bench.engine.wait(&id).await.unwrap(), Exit::code(5));
    let client = client(&bench).await;
    for name in names(&client, &id).await {
        remove(&client, &name).await;
    }
    assert_eq!(bench.engine.wait(&id).await.unwrap(), Exit::code(5));
    assert_eq!(text(bench.engine.output(&id, 1).await.unwrap()).await, "aid");
    bench.engine.remove(&id).await.unwrap();
}

pub(crate) async fn containers_of_others_are_left_alone(bench: Bench) {
    let id = unique("mine", &bench);
    let mut spec = bench.container(&id, Script::sleeps());
    spec.labels.insert("build".into(), "1".into());
    bench.engine.start(&spec).await.unwrap();
    let other = tempfile::tempdir().unwrap();
    let options = EngineOptions { data_dir: other.path().into(), kind: EngineKind::Docker, ..bench.options.clone() };
    let other = engine::open(options).await.unwrap();
    assert!(other.list("build", "1").await.unwrap().is_empty());
    other.remove(&id).await.unwrap();
    assert!(other.wait(&id).await.is_err());
    assert_eq!(bench.engine.list("build", "1").await.unwrap()[0].state, State::Running);
    bench.engine.remove(&id).await.unwrap();
}

pub(crate) async fn what_an_interrupted_removal_left_is_removed_at_the_next_start(mut bench: Bench) {
    let id = unique("stray", &bench);
    bench.engine.start(&bench.container(&id, Script::sleeps())).await.unwrap();
    std::fs::remove_dir_all(bench.folder.path().join("docker").join(&id)).unwrap();
    let client = client(&bench).await;
    assert_eq!(names(&client, &id).await.len(), 1);
    bench.restart().await;
    assert_eq!(names(&client, &id).await.len(), 0);
}

pub(crate) async fn what_an_interrupted_start_left_is_started_anew(bench: Bench) {
    let id = unique("half", &bench);
    let spec = bench.container(&id, Script { exit: 9, ..Script::default() });
    bench.engine.start(&spec).await.unwrap();
    bench.engine.wait(&id).await.unwrap();
    // As if it had been killed before the container was made.
    let client = client(&bench).await;
    for name in names(&client, &id).await {
        remove(&client, &name).await;
    }
    for mark in ["launched", "exit.json"] {
        std::fs::remove_file(bench.folder.path().join("docker").join(&id).join(mark)).unwrap();
    }
    assert!(bench.engine.wait(&id).await.is_err());
    assert_eq!(bench.engine.start(&spec).await.unwrap(), Started::Now);
    assert_eq!(bench.engine.wait(&id).await.unwrap(), Exit::code(9));
    bench.engine.remove(&id).await.unwrap();
}

pub(crate) async fn waiting_rides_over_a_daemon_that_is_away(bench: Bench) {
    let socket = bench.options.docker_host.clone().unwrap();
    let proxy = Proxy::start(bench.folder.path().join("proxy.sock"), socket.trim_start_matches("unix://").into());
    let docker_host = Some(proxy.path().display().to_string());
    let engine = engine::open(EngineOptions { docker_host, ..bench.options.clone() }).await.unwrap();
    let id = unique("away", &bench);
    engine.start(&bench.container(&id, Script { sleep_ms: 600, exit: 4, ..Script::default() })).await.unwrap();
    let waiting = tokio::spawn({
        let (engine, id) = (engine.clone(), id.clone());
        async move { engine.wait(&id).await }
    });
    proxy.stop();
    let refused = engine.signal(&id, engine::Signal::Term).await.unwrap_err().to_string();
    assert!(refused.contains("does not answer") && refused.contains("systemctl start docker"), "{refused}");
    // The container ends meanwhile.
    assert_eq!(bench.engine.wait(&id).await.unwrap(), Exit::code(4));
    std::fs::remove_file(bench.folder.path().join("docker").join(&id).join("exit.json")).unwrap();
    let mut waiting = waiting;
    assert!((&mut waiting).now_or_never().is_none(), "it waits for the daemon");
    let _proxy = proxy.start_again();
    assert_eq!(waiting.await.unwrap().unwrap(), Exit::code(4));
    bench.engine.remove(&id).await.unwrap();
}
