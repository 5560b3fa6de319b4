//! Making images ready.

use engine::{EngineError, ImageRequest, Password, PullPolicy, RegistryCredentials};

use crate::bench::{Bench, Script};

pub(crate) async fn an_image_is_known_by_its_id(bench: Bench) {
    assert!(bench.image.starts_with("sha256:"), "{}", bench.image);
    let again = bench.engine.prepare(&ImageRequest::of(&bench.image)).await.unwrap();
    assert_eq!(again, bench.image);
}

pub(crate) async fn an_image_that_was_not_prepared_is_refused(bench: Bench) {
    for image in ["landfall-test".to_owned(), format!("sha256:{}", "0".repeat(64))] {
        let mut spec = bench.container("a", Script::default());
        spec.image = image;
        let refused = bench.engine.start(&spec).await;
        assert!(matches!(refused, Err(EngineError::Image(_))), "{refused:?}");
    }
    assert!(matches!(bench.engine.wait("a").await, Err(EngineError::NoContainer(_))));
}

pub(crate) async fn a_registry_that_does_not_answer_is_told_in_its_words(bench: Bench) {
    let refused = bench.engine.prepare(&ImageRequest::of("127.0.0.1:1/team/app:1")).await;
    let Err(EngineError::Image(reason)) = refused else { panic!("{refused:?}") };
    assert!(reason.starts_with("Error response from daemon: ") && reason.contains("refused"), "{reason}");
}

/// The registry asks for a password; whose it is not is told so.
pub(crate) async fn pulls_with_a_users_password(bench: Bench) {
    let reference = std::env::var("LANDFALL_TEST_PRIVATE_IMAGE").unwrap();
    let request = |password: &str| {
        let password = Password(password.to_owned());
        let credentials = Some(RegistryCredentials { username: "builder".to_owned(), password });
        ImageRequest { credentials, ..ImageRequest::of(&reference) }
    };
    for wrong in [ImageRequest::of(&reference), request("wrong")] {
        let refused = bench.engine.prepare(&wrong).await;
        let Err(EngineError::Image(reason)) = refused else { panic!("{refused:?}") };
        assert!(["auth", "denied"].iter().any(|word| reason.contains(word)) && !reason.contains("wrong"), "{reason}");
    }
    let image = bench.engine.prepare(&request("secret")).await.unwrap();
    assert_eq!(bench.engine.prepare(&ImageRequest::of(&reference)).await.unwrap(), image, "it is here now");
    let mut spec = bench.shell("job", "echo pulled");
    spec.image = image;
    assert_eq!(bench.run_spec(spec).await.1, "pulled\n");
}

pub(crate) async fn what_is_not_to_be_pulled_is_not(bench: Bench) {
    let request = ImageRequest { pull: PullPolicy::Never, ..ImageRequest::of("127.0.0.1:1/team/app:1") };
    let refused = bench.engine.prepare(&request).await;
    assert!(matches!(&refused, Err(EngineError::Image(reason)) if reason.contains("not to be pulled")), "{refused:?}");
}

pub(crate) async fn image_host_is_the_sandboxs(bench: Bench) {
    assert_eq!(bench.engine.prepare(&ImageRequest::of("host")).await.unwrap(), "host");
    let mut here = bench.container("here", Script { output: "sandbox", ..Script::default() });
    here.image = "host".to_owned();
    here.labels.insert("build".into(), "1".into());
    let mut there = bench.container("there", Script { output: "daemon", ..Script::default() });
    there.labels = here.labels.clone();
    for spec in [&here, &there] {
        bench.engine.start(spec).await.unwrap();
        assert!(bench.engine.wait(&spec.id).await.unwrap().success());
    }
    let output = bench.engine.output("here", 0).await.unwrap();
    assert_eq!(crate::bench::text(output).await, "sandbox");
    let listed = bench.engine.list("build", "1").await.unwrap();
    assert_eq!(listed.iter().map(|container| container.id.as_str()).collect::<Vec<_>>(), ["here", "there"]);
    assert!(bench.folder.path().join("docker/there").exists() && !bench.folder.path().join("docker/here").exists());
    for id in ["here", "there"] {
        bench.engine.remove(id).await.unwrap();
    }
    assert!(bench.engine.list("build", "1").await.unwrap().is_empty());
}
