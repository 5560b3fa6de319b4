//! Durable writes of 64 clients at once, with few and with many documents, beside what the disk gives.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::Options;
use crate::report::{Budget, Figure, micros};
use testbed::process::Server;

const CLIENTS: usize = 64;
/// Writes for one figure.
const WRITES: usize = 20_000;
const MOTO_WRITES: usize = 1_000;
const CPU_BUDGET: Duration = Duration::from_micros(150);
/// Above this rate the design asks for no more.
const ENOUGH: f64 = 10_000.0;

pub(crate) async fn measure(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let server = Server::landfall(&options.landfall, &options.folder, &["--engine", "dummy", "--auth", "enforce"])?;
    let writes = Writes::of(&server);
    writes.batch(1_000).await?;
    let disk = syncs_per_second(server.folder.path(), Duration::from_secs(3))?;
    let few = writes.batch(WRITES).await?;
    let missing = options.documents.saturating_sub(writes.written());
    writes.batch(missing.saturating_sub(WRITES)).await?;
    let many = writes.batch(WRITES).await?;
    let written = writes.written();
    drop(server);

    let moto = Server::moto(&options.moto, &options.folder)?;
    moto.answer().await?;
    let peer = Writes::of(&moto).batch(MOTO_WRITES).await?;
    let flat = many.rate / few.rate;
    Ok(vec![
        Figure {
            what: format!("durable writes (iam:CreateUser) of {CLIENTS} clients at once, from an empty store"),
            landfall: format!("{:.0}/s", few.rate),
            beside: format!("the disk's fdatasync {disk:.0}/s"),
            ratio: few.rate / disk,
            budget: Budget::new("≥ 8 × fdatasync/s, up to 10,000/s", few.rate >= ENOUGH.min(8.0 * disk)),
        },
        Figure {
            what: "the same beside a peer that keeps nothing".to_owned(),
            landfall: format!("{:.0}/s", few.rate),
            beside: format!("moto {:.0}/s, not durable", peer.rate),
            ratio: few.rate / peer.rate,
            budget: None,
        },
        Figure {
            what: format!("the same with {written} documents"),
            landfall: format!("{:.0}/s", many.rate),
            beside: format!("with few {:.0}/s", few.rate),
            ratio: flat,
            budget: Budget::new("flat to 100,000 documents", flat >= 0.8),
        },
        Figure {
            what: "server CPU for a durable write".to_owned(),
            landfall: format!("{} ({} with {written} documents)", micros(few.cpu), micros(many.cpu)),
            beside: format!("moto {}", micros(peer.cpu)),
            ratio: few.cpu.as_secs_f64() / peer.cpu.as_secs_f64(),
            budget: Budget::new("≤ 150 µs", few.cpu <= CPU_BUDGET && many.cpu <= CPU_BUDGET),
        },
    ])
}

/// Appended blocks made durable, one after the other.
fn syncs_per_second(folder: &Path, time: Duration) -> anyhow::Result<f64> {
    let mut file = File::create(folder.join("syncs"))?;
    let (begin, mut syncs) = (Instant::now(), 0u32);
    while begin.elapsed() < time {
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        syncs += 1;
    }
    Ok(f64::from(syncs) / begin.elapsed().as_secs_f64())
}

/// Users made at a server, each with a name of its own.
struct Writes<'s> {
    server: &'s Server,
    next: Arc<AtomicUsize>,
}

/// What some writes took.
struct Cost {
    /// Writes in a second.
    rate: f64,
    /// Of the server, for each write.
    cpu: Duration,
}

impl<'s> Writes<'s> {
    fn of(server: &'s Server) -> Self {
        Self { server, next: Arc::new(AtomicUsize::new(0)) }
    }

    fn written(&self) -> usize {
        self.next.load(Ordering::Relaxed)
    }

    /// `count` more writes, by all clients together.
    async fn batch(&self, count: usize) -> anyhow::Result<Cost> {
        let (begin, before) = (Instant::now(), self.server.cpu()?);
        let end = self.written() + count;
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let (mut connection, next) = (self.server.client.connection(), Arc::clone(&self.next));
            clients.spawn(async move {
                let below = |number: usize| (number < end).then_some(number + 1);
                while let Ok(number) = next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, below) {
                    connection.query("iam", "CreateUser", "2010-05-08", &format!("UserName=user-{number}")).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(ended) = clients.join_next().await {
            ended??;
        }
        let count = u32::try_from(count)?.max(1);
        Ok(Cost { rate: f64::from(count) / begin.elapsed().as_secs_f64(), cpu: (self.server.cpu()? - before) / count })
    }
}
