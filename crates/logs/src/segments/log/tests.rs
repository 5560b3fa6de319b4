use super::*;

fn events(range: std::ops::Range<i64>, size: usize) -> Vec<Event> {
    let message = |n: i64| format!("{n} {}", "x".repeat(size));
    range.map(|n| Event { timestamp: n, ingested: n, message: message(n) }).collect()
}

/// Times of all events; each is at the place of its time.
fn read(log: &StreamLog) -> Vec<i64> {
    let all = all(log);
    assert!(all.iter().all(|(place, time)| i64::try_from(*place).unwrap() == *time));
    all.into_iter().map(|(_, time)| time).collect()
}

/// Place and time of all events.
fn all(log: &StreamLog) -> Vec<(u64, i64)> {
    let mut all = Vec::new();
    for segment in log.segments().iter().filter(|segment| segment.count > 0) {
        let file = File::open(segment.path(log.folder())).unwrap();
        let blocks = (0..segment.blocks.len()).flat_map(|block| segment.read(&file, block).unwrap());
        all.extend(blocks.map(|(place, event)| (place, event.timestamp)));
    }
    all
}

impl StreamLog {
    /// A log with nobody around it.
    pub(crate) fn alone(folder: &Path) -> Self {
        let scope = kernel::Scope::new("111111111111", "eu-west-1");
        let source = Source { scope, group: "g".into(), id: "s".into(), name: "s".into() };
        let removals = Removals::in_folder(folder.parent().unwrap());
        let there = folder.parent().unwrap().ancestors().find(|above| above.is_dir()).unwrap();
        let folders = Folders::below(there);
        let watch = Watch { followers: Followers::default(), stored: Stored::default(), removals, folders };
        Self::open(source, folder.to_owned(), Arc::new(watch)).unwrap()
    }
}

#[tokio::test]
async fn events_outlive_a_restart_over_several_segments() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b");
    let log = Arc::new(StreamLog::alone(&path));
    for start in [0, 10, 20] {
        log.append(events(start..start + 10, 420_000), None).await.unwrap();
    }
    assert!(log.segments().len() > 1);
    let again = StreamLog::alone(&path);
    assert_eq!(again.segments(), log.segments());
    assert_eq!(read(&again), (0..30).collect::<Vec<_>>());
    let summary = log.segments()[0].path(&path).with_extension("summary");
    for damaged in [None, Some("{")] {
        damaged.map_or_else(|| std::fs::remove_file(&summary), |text| std::fs::write(&summary, text)).unwrap();
        assert_eq!(StreamLog::alone(&path).segments(), log.segments(), "{damaged:?}");
    }
}

#[tokio::test]
async fn a_summary_that_does_not_fit_its_segment_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let log = Arc::new(StreamLog::alone(&path));
    log.append(events(0..12, 400_000), None).await.unwrap();
    log.append(events(12..13, 10), None).await.unwrap();
    let first = &log.segments()[0];
    Summary { bytes: first.bytes - 1, count: 3, ..Summary::clone(first) }.keep(&path).unwrap();
    assert_eq!(StreamLog::alone(&path).segments(), log.segments());
}

#[tokio::test]
async fn a_torn_record_is_cut_off_and_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let log = Arc::new(StreamLog::alone(&path));
    log.append(events(0..3, 10), None).await.unwrap();
    let file = log.segments()[0].path(&path);
    let mut bytes = std::fs::read(&file).unwrap();
    let sound = bytes.len();
    bytes.extend_from_slice(&[40, 0, 0, 0, 1, 2]);
    std::fs::write(&file, &bytes).unwrap();
    let again = Arc::new(StreamLog::alone(&path));
    assert_eq!(again.segments()[0].bytes, sound as u64);
    again.append(events(3..5, 10), None).await.unwrap();
    assert_eq!(read(&StreamLog::alone(&path)), [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn puts_at_once_are_all_kept() {
    let folder = tempfile::tempdir().unwrap();
    let log = Arc::new(StreamLog::alone(folder.path()));
    let puts = (0..50).map(|n| {
        let log = Arc::clone(&log);
        tokio::spawn(async move { log.append(events(n..n + 1, 5), None).await })
    });
    for put in puts.collect::<Vec<_>>() {
        put.await.unwrap().unwrap();
    }
    assert_eq!(log.end(), 50);
    let again = StreamLog::alone(folder.path());
    let mut times: Vec<i64> = all(&again).into_iter().map(|(_, time)| time).collect();
    times.sort_unstable();
    assert_eq!(times, (0..50).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_put_that_fails_is_not_acknowledged_and_the_next_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stream");
    let log = Arc::new(StreamLog::alone(&path.join("inner")));
    std::fs::write(&path, "a file where the folder must be").unwrap();
    assert!(log.append(events(0..1, 5), None).await.is_err());
    assert_eq!(log.end(), 0);
    std::fs::remove_file(&path).unwrap();
    log.append(events(0..1, 5), None).await.unwrap();
    assert_eq!(read(&log), [0]);
}

#[tokio::test]
async fn what_expires_leaves_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let log = Arc::new(StreamLog::alone(folder.path()));
    for start in [0, 5, 10] {
        log.append(events(start..start + 5, 1_000_000), None).await.unwrap();
    }
    assert_eq!(log.segments().len(), 3);
    for (before, events, begin) in [(4, 0, 0), (5, 5, 5), (10, 5, 10), (14, 0, 10), (15, 5, 15), (99, 0, 15)] {
        let expired = log.expire(before).await.unwrap();
        assert_eq!((expired.events, log.begin(), log.end()), (events, begin, 15), "{before}");
        let again = StreamLog::alone(folder.path());
        assert_eq!(again.segments(), log.segments(), "{before}");
    }
    log.append(self::events(15..17, 5), None).await.unwrap();
    assert_eq!(read(&StreamLog::alone(folder.path())), [15, 16]);
}

#[tokio::test]
async fn a_put_that_is_given_up_while_it_waits_keeps_no_search_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let log = Arc::new(StreamLog::alone(folder.path()));
    let arrivals = Arc::new(crate::segments::Arrivals::default());
    let another = Arc::clone(&log.writer).lock_owned().await;
    let mut put = Box::pin(log.append(events(0..1, 1), Some(arrivals.begin(1))));
    assert!(futures::poll!(&mut put).is_pending());
    drop(put);
    drop(another);
    assert_eq!(tokio::time::timeout(std::time::Duration::from_secs(10), arrivals.seal(1)).await, Ok(1));
    assert_eq!(read(&log), [0]);
}
