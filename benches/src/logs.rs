//! Lines into one log stream: full batches from several connections, beside the bare write and sync of the same bytes, and
//! all of them read back and counted.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::Options;
use crate::report::{Budget, Figure, micros};
use testbed::client::Client;
use testbed::process::Server;

/// Connections that write at once.
const WRITERS: usize = 4;
/// As many lines as a put may have.
const LINES: usize = 10_000;
const BATCHES: usize = 100;
const MOTO_BATCHES: usize = 4;
/// What the issue asks for.
const WANTED: f64 = 100_000.0;
const GROUP: &str = "/bench";
const STREAM: &str = "lines";
const TARGET: &str = "Logs_20140328";

pub(crate) async fn measure(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let server = Server::landfall(&options.landfall, &options.folder, &["--engine", "dummy", "--auth", "enforce"])?;
    let ours = write(&server, BATCHES).await?;
    let begin = Instant::now();
    let read = read_back(&server.client).await?;
    let reading = f64::from(u32::try_from(read)?) / begin.elapsed().as_secs_f64();
    ensure!(read == BATCHES * LINES, "{read} of {} lines are there", BATCHES * LINES);
    let bare = bare(server.folder.path())?;
    drop(server);

    let moto = Server::moto(&options.moto, &options.folder)?;
    moto.answer().await?;
    let peer = write(&moto, MOTO_BATCHES).await?;
    let lines = BATCHES * LINES;
    Ok(vec![
        Figure {
            what: format!(
                "lines of 64 bytes into one log stream, {WRITERS} connections, {LINES} lines a put; all {lines} read back"
            ),
            landfall: format!("{:.0} lines/s", ours.rate),
            beside: format!("write and fdatasync of each put's bytes {bare:.0} lines/s"),
            ratio: ours.rate / bare,
            budget: Budget::new("≥ 100,000 lines/s, none lost", ours.rate >= WANTED),
        },
        Figure {
            what: "the same beside a peer that keeps nothing".to_owned(),
            landfall: format!("{:.0} lines/s, {} of server CPU for 1,000", ours.rate, micros(ours.cpu)),
            beside: format!("moto {:.0} lines/s, {} for 1,000, not durable", peer.rate, micros(peer.cpu)),
            ratio: ours.rate / peer.rate,
            budget: None,
        },
        Figure {
            what: "lines read back from that stream, page by page, one connection".to_owned(),
            landfall: format!("{reading:.0} lines/s"),
            beside: format!("written {:.0} lines/s", ours.rate),
            ratio: reading / ours.rate,
            budget: None,
        },
    ])
}

/// What writing took.
struct Cost {
    /// Lines in a second.
    rate: f64,
    /// Of the server, for 1,000 lines.
    cpu: Duration,
}

async fn write(server: &Server, batches: usize) -> anyhow::Result<Cost> {
    let mut connection = server.client.connection();
    let place = json!({"logGroupName": GROUP, "logStreamName": STREAM});
    connection.json("logs", &format!("{TARGET}.CreateLogGroup"), &json!({"logGroupName": GROUP})).await?;
    connection.json("logs", &format!("{TARGET}.CreateLogStream"), &place).await?;
    let input = Arc::new(put()?);
    let (begin, before, next) = (Instant::now(), server.cpu()?, Arc::new(AtomicUsize::new(0)));
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let (mut connection, input, next) = (server.client.connection(), Arc::clone(&input), Arc::clone(&next));
        writers.spawn(async move {
            while next.fetch_add(1, Ordering::Relaxed) < batches {
                let reply = connection.json("logs", &format!("{TARGET}.PutLogEvents"), &input).await?;
                ensure!(reply.get("rejectedLogEventsInfo").is_none_or(Value::is_null), "lines were rejected: {reply}");
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended??;
    }
    let lines = u32::try_from(batches * LINES)?;
    let rate = f64::from(lines) / begin.elapsed().as_secs_f64();
    Ok(Cost { rate, cpu: (server.cpu()? - before) / (lines / 1_000) })
}

/// A full put; its text is made once, so that the client costs little.
fn put() -> anyhow::Result<Value> {
    let now = testbed::now()?.as_millis();
    let now = u64::try_from(now)?;
    let line = |number: usize| json!({"timestamp": now, "message": format!("line {number:<59}")});
    let events: Vec<Value> = (0..LINES).map(line).collect();
    Ok(json!({"logGroupName": GROUP, "logStreamName": STREAM, "logEvents": events}))
}

/// How many lines the stream has.
async fn read_back(client: &Client) -> anyhow::Result<usize> {
    let mut connection = client.connection();
    let (mut count, mut token) = (0, None::<String>);
    loop {
        let input = json!({"logGroupName": GROUP, "logStreamName": STREAM, "startFromHead": true, "nextToken": token});
        let page = connection.json("logs", &format!("{TARGET}.GetLogEvents"), &input).await?;
        count += page["events"].as_array().context("no events")?.len();
        let next = page["nextForwardToken"].as_str().context("no token")?.to_owned();
        if token.as_ref() == Some(&next) {
            return Ok(count);
        }
        token = Some(next);
    }
}

/// Lines in a second when each put's bytes are only appended and made durable, one after the other.
fn bare(folder: &Path) -> anyhow::Result<f64> {
    let mut file = File::create(folder.join("lines"))?;
    let bytes = vec![7; LINES * 64];
    let begin = Instant::now();
    for _ in 0..BATCHES {
        file.write_all(&bytes)?;
        file.sync_data()?;
    }
    Ok(f64::from(u32::try_from(BATCHES * LINES)?) / begin.elapsed().as_secs_f64())
}
