//! A container that runs `true`, from the start to its known end, beside a bare process and beside `docker run`.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::ensure;
use engine::{ContainerSpec, EngineKind, EngineOptions};
use tempfile::TempDir;

use crate::Options;
use crate::report::{Budget, Figure, median, millis};

const CONTAINERS: usize = 20;
const PROCESSES: usize = 100;

pub(crate) async fn measure(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let folder = TempDir::with_prefix_in("landfall-bench-", &options.folder)?;
    let sandbox = EngineOptions::new(EngineKind::Sandbox, folder.path(), &options.agent);
    let engine = engine::open(EngineOptions { trust_host_image: true, ..sandbox }).await?;
    let mut times = Vec::new();
    for number in 0..CONTAINERS {
        let spec = ContainerSpec::new(format!("c{number}"), ["true"]);
        let begin = Instant::now();
        engine.start(&spec).await?;
        ensure!(engine.wait(&spec.id).await?.success(), "`true` failed in the sandbox");
        times.push(begin.elapsed());
        engine.remove(&spec.id).await?;
    }
    let ours = median(times);
    let bare = process()?;
    let what = |how: &str| format!("`true` in the sandbox, start to known end (median of {CONTAINERS}), beside {how}");
    let mut figures = vec![Figure {
        what: what("a process"),
        landfall: millis(ours),
        beside: format!("fork and exec {}", millis(bare)),
        ratio: ours.as_secs_f64() / bare.as_secs_f64(),
        budget: None,
    }];
    figures.extend(docker().map(|docker| Figure {
        what: what("Docker"),
        landfall: millis(ours),
        beside: format!("docker run --rm {}", millis(docker)),
        ratio: ours.as_secs_f64() / docker.as_secs_f64(),
        budget: Budget::new("≥ 8 × faster than docker run", ours * 8 <= docker),
    }));
    Ok(figures)
}

fn process() -> anyhow::Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..PROCESSES {
        let begin = Instant::now();
        ensure!(Command::new("true").status()?.success(), "`true` failed");
        times.push(begin.elapsed());
    }
    Ok(median(times))
}

/// Packs `true` with the libraries that it needs into an image, with no registry.
const IMPORT: &str = "ldd /usr/bin/true | grep -o '/[^ ]*' | xargs readlink -e /usr/bin/true | \
                      tar --create --dereference --files-from - --absolute-names \
                          --transform 's,^/usr/lib/\\(.*\\)/\\(ld-linux.*\\),/lib64/\\2,' | \
                      docker import - landfall-benches:true";

/// The median of `docker run`; nothing where no Docker answers.
fn docker() -> Option<Duration> {
    let run = |program: &str, arguments: &[&str]| {
        let status = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success()).then_some(())
    };
    run("docker", &["info"])?;
    run("sh", &["-c", IMPORT])?;
    let mut times = Vec::new();
    for _ in 0..CONTAINERS {
        let begin = Instant::now();
        run("docker", &["run", "--rm", "landfall-benches:true", "/usr/bin/true"])?;
        times.push(begin.elapsed());
    }
    run("docker", &["image", "rm", "landfall-benches:true"])?;
    Some(median(times))
}
