//! From the start on an empty folder to the first answer, and the memory of a server that has nothing to do.

use std::time::{Duration, Instant};

use crate::Options;
use crate::report::{Budget, Figure, median, millis};
use testbed::process::Server;

const STARTS: usize = 11;
const MOTO_STARTS: usize = 3;
/// How long a server rests before its memory is read.
const REST: Duration = Duration::from_secs(2);

pub(crate) async fn measure(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let (start, memory) =
        measured(STARTS, || Server::landfall(&options.landfall, &options.folder, &["--engine", "dummy"])).await?;
    let (moto_start, moto_memory) = measured(MOTO_STARTS, || Server::moto(&options.moto, &options.folder)).await?;
    let megabytes = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
    Ok(vec![
        Figure {
            what: format!("start on an empty folder to the first answered request (median of {STARTS})"),
            landfall: millis(start),
            beside: format!("moto {}", millis(moto_start)),
            ratio: start.as_secs_f64() / moto_start.as_secs_f64(),
            budget: Budget::new("≤ 100 ms", start <= Duration::from_millis(100)),
        },
        Figure {
            what: "idle memory (resident)".to_owned(),
            landfall: megabytes(memory),
            beside: format!("moto {}", megabytes(moto_memory)),
            ratio: memory as f64 / moto_memory as f64,
            budget: Budget::new("≤ 20 MB", memory <= 20_000_000),
        },
    ])
}

/// The median time to the first answer, and the memory of the last one started.
async fn measured(starts: usize, start: impl Fn() -> anyhow::Result<Server>) -> anyhow::Result<(Duration, u64)> {
    let mut times = Vec::new();
    loop {
        let begin = Instant::now();
        let server = start()?;
        server.answer().await?;
        times.push(begin.elapsed());
        if times.len() == starts {
            tokio::time::sleep(REST).await;
            return Ok((median(times), server.memory()?));
        }
    }
}
