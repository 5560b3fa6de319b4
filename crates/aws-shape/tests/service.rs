//! A generated service behind its gate: what is validated, refused, answered and streamed.
#![expect(missing_docs, reason = "the macros make public items")]
#![expect(clippy::unwrap_used, reason = "tests")]

use async_trait::async_trait;
use aws_shape::{
    Answer, Audit, AuditEntry, Authorization, Authorizer, Bytes, Dispatch, Error, EventStream, Field, Gate, Guard,
    Kind, Model, PASS_ROLE, Passing, Protocol, Shape, Timestamp, service, structure,
};
use futures::StreamExt as _;
use kernel::{Caller, Scope};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

static NAME: Shape = Shape::new("Name", Kind::String).bounds(Some(1.0), Some(5.0));
static COUNT: Shape = Shape::new("Count", Kind::Integer);

structure!(GreetInput = GREET_INPUT "GreetRequest" {
    name: String, "name", NAME, required;
});
structure!(GreetOutput = GREET_OUTPUT "GreetResponse" {
    text: String, "text", NAME;
});
structure!(CountInput = COUNT_INPUT "CountRequest" {
    count: i32, "count", COUNT;
});
structure!(Counted = COUNTED "Counted" {
    tick: i32, "tick", COUNT;
});

static MODEL: Model = Model {
    id: "greeter",
    signing_name: "greeter",
    target_prefix: "Greeter",
    protocol: Protocol::Json { version: "1.1" },
    operations: &["Count", "Greet", "Leave"],
};

service! {
    pub trait Greeter = MODEL {
        count = "Count" (CountInput) -> Counted, events "";
        greet = "Greet" (GreetInput) -> GreetOutput, body "";
        leave = "Leave" (GreetInput) -> GreetOutput, empty "";
    }
}

struct Friendly;

#[async_trait]
impl Greeter for Friendly {
    async fn greet(&self, _: &Caller, input: GreetInput) -> Result<GreetOutput, Error> {
        Ok(GreetOutput { text: input.name.map(|name| format!("hi {name}")) })
    }

    async fn count(&self, _: &Caller, input: CountInput) -> Result<EventStream<Counted>, Error> {
        let count = input.count.ok_or_else(|| Error::new("NoCount", "There is no count."))?;
        let ticks = futures::stream::iter(0..count).map(|tick| Ok(Counted { tick: Some(tick) }));
        Ok(Box::pin(ticks.chain(futures::stream::iter([Err(Error::new("Over", "It is over."))]))))
    }
}

/// Denies whoever greets a thief, and remembers what was asked, and the roles that were handed over.
#[derive(Default)]
struct Porter(Mutex<Vec<String>>, Mutex<Vec<String>>);

#[async_trait]
impl Authorizer for Porter {
    async fn authorize(&self, _: &Caller, action: &str, resources: &[String]) -> Result<(), Error> {
        match resources.iter().any(|resource| resource == "thief") {
            true => Err(Error::new("AccessDeniedException", format!("no {action}"))),
            false => Ok(()),
        }
    }
}

impl Audit for Porter {
    fn record(&self, entry: &AuditEntry<'_>) {
        self.0.lock().unwrap().push(format!("{} {:?}", entry.operation, entry.denied));
        if entry.action == PASS_ROLE {
            self.1.lock().unwrap().push(format!("{} {} {:?}", entry.operation, entry.action, entry.resources));
        }
    }
}

static ROWS: &[Authorization] = &[
    Authorization { operation: "Count", action: "greeter:Count", resources: |_, _| vec![] },
    Authorization {
        operation: "Greet",
        action: "greeter:Greet",
        resources: |_, input| vec![aws_shape::text(input, "name").to_owned()],
    },
];

fn gated() -> (Gated, Arc<Porter>) {
    let porter = Arc::new(Porter::default());
    let gate = Gate::new(&MODEL, OPERATIONS, ROWS, Guard::new(Arc::clone(&porter) as _, Arc::clone(&porter) as _));
    (Gated::new(Arc::new(Friendly), gate.unwrap()), porter)
}

fn caller() -> Caller {
    Caller::root(&Scope::new("111111111111", "eu-west-1"), "r")
}

async fn call(service: &Gated, operation: &str, input: Value) -> Result<Value, String> {
    match service.dispatch(operation, &caller(), input).await {
        Ok(Answer::Output(output)) => Ok(output.value()),
        Ok(Answer::Events(events)) => {
            let events = events.map(|event| event.unwrap_or_else(|error| error.code.into()));
            Ok(events.collect::<Vec<Value>>().await.into())
        }
        Err(error) => Err(error.code),
    }
}

static NESTED: Shape = Shape::new("Nested", Kind::Structure(&[]));
structure!(Everything = EVERYTHING "Everything" {
    text: String, "text", NAME;
    flag: bool, "flag", NAME;
    small: i32, "small", COUNT;
    large: i64, "large", COUNT;
    ratio: f64, "ratio", COUNT;
    time: Timestamp, "time", NAME;
    blob: Bytes, "blob", NAME;
    names: Vec<String>, "names", NAME;
    by_name: BTreeMap<String, String>, "byName", NAME;
    inner: Box<Everything>, "inner", NESTED;
    inners: Vec<Everything>, "inners", NESTED;
});

#[test]
fn json_that_is_written_at_once_says_what_the_value_says() {
    let leaf = Everything {
        text: Some("a \"quoted\" {\n} \u{1F6A2} \u{1}".to_owned()),
        flag: Some(false),
        small: Some(i32::MIN),
        large: Some(i64::MAX),
        ratio: Some(f64::NAN),
        time: Some(Timestamp::from_millis(1_700_000_000_250)),
        blob: Some(Bytes::from_static(b"\0{[\xff")),
        names: Some(vec!["{".to_owned(), "[".to_owned(), String::new()]),
        by_name: Some(BTreeMap::from([("{\"".to_owned(), "[".to_owned()), (String::new(), "{".to_owned())])),
        inner: None,
        inners: Some(Vec::new()),
    };
    let inners = Some(vec![leaf.clone(), Everything::default(), leaf.clone()]);
    let whole = Everything { inner: Some(Box::new(leaf.clone())), inners, ..Everything::default() };
    for output in [Everything::default(), leaf, whole] {
        let mut json = Vec::new();
        Field::json(&output, &mut json);
        assert_eq!(serde_json::from_slice::<Value>(&json).unwrap(), output.write());
    }
}

#[tokio::test]
async fn what_is_called_from_outside_passes_the_gate_as_it_came() {
    let (service, porter) = gated();
    for (operation, input, answer) in [
        ("Greet", json!({"name": "anna"}), Ok(json!({"text": "hi anna"}))),
        ("Greet", json!({"name": "anna", "unknown": 1}), Ok(json!({"text": "hi anna"}))),
        ("Greet", json!({}), Err("ValidationException")),
        ("Greet", json!({"name": "too long"}), Err("ValidationException")),
        ("Greet", json!({"name": ["wrong"]}), Err("SerializationException")),
        ("Greet", json!({"name": "thief"}), Err("AccessDeniedException")),
        ("Leave", json!({"name": "anna"}), Err("NotImplementedException")),
        ("Nothing", json!({}), Err("NotImplementedException")),
        ("Count", json!({"count": 2}), Ok(json!([{"tick": 0}, {"tick": 1}, "Over"]))),
        ("Count", json!({}), Err("NoCount")),
    ] {
        assert_eq!(
            call(&service, operation, input.clone()).await,
            answer.map_err(str::to_owned),
            "{operation} {input}"
        );
    }
    let asked =
        ["Greet None", "Greet None", "Greet None", "Greet Some(\"AccessDeniedException\")", "Count None", "Count None"];
    assert_eq!(*porter.0.lock().unwrap(), asked, "only what is within bounds and built is asked and written down");
}

#[tokio::test]
async fn roles_that_a_call_hands_over_are_asked_for() {
    let porter = Arc::new(Porter::default());
    let gate = Gate::new(&MODEL, OPERATIONS, ROWS, Guard::new(Arc::clone(&porter) as _, Arc::clone(&porter) as _));
    // The roles of two accounts; only one's own can be handed over.
    let roles = |operation: &str, _: &Value| match operation {
        "Greet" => vec!["arn:aws:iam::111111111111:role/a".to_owned(), "arn:aws:iam::222222222222:role/b".to_owned()],
        _ => vec![],
    };
    let service = Gated::new(Arc::new(Friendly), gate.unwrap().passing(Passing { service: "greeter", roles }));
    assert!(call(&service, "Greet", json!({"name": "anna"})).await.is_ok());
    assert!(call(&service, "Count", json!({"count": 1})).await.is_ok());
    assert_eq!(call(&service, "Greet", json!({"name": "thief"})).await, Err("AccessDeniedException".to_owned()));
    let asked = porter.0.lock().unwrap().clone();
    let passed = "Greet iam:PassRole [\"arn:aws:iam::111111111111:role/a\"]";
    assert_eq!(porter.1.lock().unwrap().clone(), [passed], "{asked:?}");
}

#[tokio::test]
async fn what_sisters_call_passes_the_same_gate() {
    let (service, porter) = gated();
    let greet = async |name: &str| {
        let input = GreetInput { name: Some(name.into()) };
        service.greet(&caller(), input).await.map(|output| output.text.unwrap()).map_err(|error| error.code)
    };
    assert_eq!(greet("anna").await.as_deref(), Ok("hi anna"));
    assert_eq!(greet("").await.unwrap_err(), "ValidationException");
    assert_eq!(greet("thief").await.unwrap_err(), "AccessDeniedException");
    let ticks = service.count(&caller(), CountInput { count: Some(3) }).await.map(|ticks| ticks.count());
    assert_eq!(ticks.ok().unwrap().await, 4);
    assert_eq!(service.built(), ["Count", "Greet"]);
    assert_eq!(porter.0.lock().unwrap().len(), 3);
}

#[test]
fn rows_that_do_not_fit_the_model_are_refused() {
    static WRONG: &[Authorization] =
        &[Authorization { operation: "Nothing", action: "greeter:Nothing", resources: |_, _| vec![] }];
    static TWICE: &[Authorization] = &[
        Authorization { operation: "Greet", action: "greeter:Greet", resources: |_, _| vec![] },
        Authorization { operation: "Greet", action: "greeter:Greet", resources: |_, _| vec![] },
    ];
    for (rows, text) in [(WRONG, "names no operation"), (TWICE, "two authorization rows")] {
        let porter = Arc::new(Porter::default());
        let gate = Gate::new(&MODEL, OPERATIONS, rows, Guard::new(Arc::clone(&porter) as _, porter as _));
        assert!(gate.err().is_some_and(|error| error.contains(text)), "{text}");
    }
}
