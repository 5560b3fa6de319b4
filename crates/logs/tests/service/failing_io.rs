//! Every call to the system on segments fails, one after the other: what was acknowledged is there and in order, what was not is
//! wholly there or wholly absent, and so it is when the power is cut.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use aws::logs::*;
use kernel::{ManualClock, SequentialIds, Store, Timestamp};
use logs::{Dependencies, Service};

use crate::ground::{NOW, caller};
use crate::harness::{Faults, fail_each, run_with_faults};

const PUTS: usize = 4;
/// Events of one put; their sizes in bytes are this far apart, so that writes end anywhere in a page.
const EVENTS: usize = 3;
const STEP: usize = 1_777;

/// Some hundred runs: it takes seconds.
#[test]
fn whatever_fails_no_acknowledged_event_is_lost() {
    run_with_faults("failing_io::every_call_on_segments_fails_once");
}

#[test]
#[ignore = "run by the other test as a child process"]
fn every_call_on_segments_fails_once() {
    let faults = Faults::here().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    fail_each(&faults, "/logs/", |folder, arm, case| {
        let mut acknowledged = BTreeSet::new();
        let service = open(folder);
        runtime.block_on(async {
            make(&service.0).await;
            put_all(&service.0, 0, &mut acknowledged).await;
            arm();
            put_all(&service.0, 1, &mut acknowledged).await;
            // Reads may fail, but not lie.
            let _ = read(&service.0).await.map(|read| check(&read, &acknowledged, case));
            faults.rest();
        });
        // A server that dies here takes what is in its memory along.
        drop(service);
        let service = open(folder);
        runtime.block_on(put_all(&service.0, 2, &mut acknowledged));
        let cut = faults.power_cut(folder);
        drop(service);
        for (folder, when) in [(folder, "after a restart"), (&*cut, "after a power cut")] {
            let read = runtime.block_on(read(&open(folder).0)).unwrap();
            check(&read, &acknowledged, &format!("{case}, {when}"));
        }
    });
}

fn open(folder: &Path) -> (Arc<Service>, Arc<Store>) {
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(NOW)));
    let store = Store::open(folder, Arc::clone(&clock) as _).unwrap();
    let ids = Arc::new(SequentialIds::new(0));
    let documents = store.service("logs");
    (Service::new(Dependencies { documents, clock, ids, data_dir: folder.to_owned() }), store)
}

async fn make(service: &Service) {
    let group = CreateLogGroupInput { log_group_name: Some("g".into()), ..Default::default() };
    service.create_log_group(&caller(), group).await.unwrap();
    let stream = CreateLogStreamInput { log_group_name: Some("g".into()), log_stream_name: Some("s".into()) };
    service.create_log_stream(&caller(), stream).await.unwrap();
}

/// Puts that are acknowledged are noted as (day, number).
async fn put_all(service: &Service, day: usize, acknowledged: &mut BTreeSet<(usize, usize)>) {
    for number in 0..PUTS {
        let text = |event| format!("{day} {number} {event} {}", "x".repeat((number * EVENTS + event) * STEP));
        let event = |event| InputLogEvent { timestamp: Some(NOW), message: Some(text(event)) };
        let input = PutLogEventsInput {
            log_group_name: Some("g".into()),
            log_stream_name: Some("s".into()),
            log_events: Some((0..EVENTS).map(event).collect()),
            ..Default::default()
        };
        if service.put_log_events(&caller(), input).await.is_ok() {
            acknowledged.insert((day, number));
        }
    }
}

/// Day, number and event of each line, in order.
async fn read(service: &Service) -> Result<Vec<[usize; 3]>, aws::Error> {
    let (mut all, mut token) = (Vec::new(), None);
    loop {
        let input = GetLogEventsInput {
            log_group_name: Some("g".into()),
            log_stream_name: Some("s".into()),
            start_from_head: Some(true),
            next_token: token.clone(),
            ..Default::default()
        };
        let page = service.get_log_events(&caller(), input).await?;
        let numbers = |event: OutputLogEvent| {
            let message = event.message.unwrap();
            let mut words = message.split(' ').map(|word| word.parse().unwrap());
            [words.next().unwrap(), words.next().unwrap(), words.next().unwrap()]
        };
        all.extend(page.events.unwrap().into_iter().map(numbers));
        if page.next_forward_token == token {
            return Ok(all);
        }
        token = page.next_forward_token;
    }
}

fn check(read: &[[usize; 3]], acknowledged: &BTreeSet<(usize, usize)>, case: &str) {
    assert!(read.is_sorted() && read.windows(2).all(|pair| pair[0] != pair[1]), "{case}: {read:?}");
    let there: BTreeSet<_> = read.iter().map(|[day, number, _]| (*day, *number)).collect();
    assert!(there.is_superset(acknowledged), "{case}: of {acknowledged:?} there are {there:?}");
    assert_eq!(read.len(), there.len() * EVENTS, "{case}: a part of a put");
}
