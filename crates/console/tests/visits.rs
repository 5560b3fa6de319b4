//! Visits over time: on the real store and a clock that the test sets, with services of which nothing is built.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws::Error;
use bytes::Bytes;
use console::{Arrival, Body, Dependencies, PATH, Service};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use kernel::{Caller, Document, ManualClock, Page, Scope, SequentialIds, Stop, Store, Timestamp};

const HERE: &str = "http://127.0.0.1:4566";

/// Answers every operation that it is not built.
struct Nothing;

impl aws::codepipeline::CodePipeline for Nothing {}
impl aws::codebuild::CodeBuild for Nothing {}
impl aws::codedeploy::CodeDeploy for Nothing {}
impl aws::logs::Logs for Nothing {}

#[async_trait]
impl aws::internal::codepipeline::PipelineRegions for Nothing {
    async fn regions(&self, _: &Caller) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }
}

struct World {
    console: Arc<Service>,
    clock: ManualClock,
    stop: Stop,
    store: Arc<Store>,
    _folder: tempfile::TempDir,
}

fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(Timestamp::from_seconds(1_000_000));
    let store = Store::open(folder.path(), Arc::new(clock.clone())).unwrap();
    let stop = Stop::new();
    let console = Service::new(Dependencies {
        documents: store.service("console"),
        clock: Arc::new(clock.clone()),
        ids: Arc::new(SequentialIds::new(7)),
        codepipeline: Arc::new(Nothing),
        regions: Arc::new(Nothing),
        codebuild: Arc::new(Nothing),
        logs: Arc::new(Nothing),
        codedeploy: Arc::new(Nothing),
        region: "eu-west-1".to_owned(),
        stop: stop.clone(),
    });
    World { console, clock, stop, store, _folder: folder }
}

impl World {
    async fn link(&self) -> String {
        let caller = Caller::root(&Scope::new("111122223333", "us-east-1"), "r");
        let made = self.console.make_link(&caller).await.unwrap();
        made.path.split_once("token=").unwrap().1.to_owned()
    }

    async fn ask(&self, request: Request<Full<Bytes>>) -> Response<Body> {
        let arrival = Arrival { request_id: "r", source_ip: Some("127.0.0.1"), endpoint: HERE };
        self.console.serve(request, &arrival).await
    }

    async fn kept<T: Document>(&self) -> usize {
        self.store.service("console").list::<T>(&Scope::global(), Page::default()).await.unwrap().len()
    }

    /// Waits until there is none left. A read may be answered without the runtime's turn, so it gets one.
    async fn forgets<T: Document>(&self) {
        let gone = async {
            while self.kept::<T>().await > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), gone).await.unwrap();
    }

    async fn redeem(&self, token: &str) -> Response<Body> {
        let form = Request::post(format!("{PATH}/sign-in")).header("origin", HERE);
        self.ask(form.body(format!("token={token}").into()).unwrap()).await
    }

    async fn sign_in(&self) -> String {
        let answer = self.redeem(&self.link().await).await;
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }

    async fn get(&self, path: &str, cookie: &str) -> Response<Body> {
        let request = Request::get(format!("{PATH}{path}")).header("cookie", cookie);
        self.ask(request.body(Full::default()).unwrap()).await
    }

    async fn follow(&self, path: &str, cookie: &str) -> Response<Body> {
        let request =
            Request::get(format!("{PATH}{path}")).header("cookie", cookie).header("accept", "text/event-stream");
        self.ask(request.body(Full::default()).unwrap()).await
    }
}

/// The console's documents as they lie in the store.
macro_rules! kept {
    ($($Kind:ident = $kind:literal;)*) => {
        $(#[derive(Clone, serde::Serialize, serde::Deserialize)]
        struct $Kind {
            hash: String,
        }

        impl Document for $Kind {
            const KIND: &'static str = $kind;

            fn key(&self) -> String {
                self.hash.clone()
            }
        })*
    };
}

kept! {
    Link = "console.link";
    Session = "console.session";
}

async fn text(answer: Response<Body>) -> String {
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn a_link_is_good_for_five_minutes_and_one_use() {
    let world = world();
    let (first, second) = (world.link().await, world.link().await);
    world.clock.advance(Duration::from_secs(299));
    assert_eq!(world.redeem(&first).await.status(), 303);
    assert_eq!(world.redeem(&first).await.status(), 403);
    world.clock.advance(Duration::from_secs(1));
    let late = world.redeem(&second).await;
    assert_eq!(late.status(), 403);
    assert!(text(late).await.contains("landfall console"));
}

#[tokio::test]
async fn a_session_ends_when_idle_and_after_twelve_hours_in_any_case() {
    let hours = |count: u64| Duration::from_secs(count * 3_600);
    let world = world();
    let (idle, busy) = (world.sign_in().await, world.sign_in().await);
    for _ in 0..3 {
        world.clock.advance(hours(3));
        assert_eq!(world.get("", &busy).await.status(), 303);
    }
    assert_eq!(world.get("", &idle).await.status(), 401);
    world.clock.advance(hours(3));
    assert_eq!(world.get("", &busy).await.status(), 401);
}

#[tokio::test]
async fn what_is_not_built_is_said_in_a_page() {
    let world = world();
    let cookie = world.sign_in().await;
    assert_eq!(world.get("", &cookie).await.headers()["location"], format!("{PATH}/eu-west-1").as_str());
    let answer = world.get("/eu-west-1", &cookie).await;
    assert_eq!(answer.status(), 501);
    assert!(text(answer).await.contains("codepipeline:ListPipelines is not built"));
}

#[tokio::test]
async fn an_open_page_that_cannot_be_read_says_so_once_and_ends() {
    let world = world();
    let cookie = world.sign_in().await;
    let answer = world.follow("/eu-west-1/pipelines/app", &cookie).await;
    let heard = tokio::time::timeout(Duration::from_secs(10), text(answer)).await.unwrap();
    assert_eq!(heard.matches("event: stale").count(), 1);
}

#[tokio::test]
async fn what_is_over_is_forgotten() {
    let world = world();
    world.sign_in().await;
    world.link().await;
    let running = tokio::spawn(Arc::clone(&world.console).run(world.stop.clone()));
    assert_eq!((world.kept::<Link>().await, world.kept::<Session>().await), (1, 1));
    world.clock.advance(Duration::from_secs(5 * 60));
    world.forgets::<Link>().await;
    assert_eq!(world.kept::<Session>().await, 1);
    world.clock.advance(Duration::from_secs(4 * 3_600));
    world.forgets::<Session>().await;
    world.stop.trigger();
    running.await.unwrap();
}
