//! Landfall measured beside a peer, or beside what the machine itself needs for the same thing.
//!
//! Each group is one file with one `measure`, which gives [`Figure`]s. `benches/run` builds what this needs.

mod artifacts;
mod bare;
mod containers;
mod git;
mod gitlab;
mod hosts;
mod leaks;
mod load;
mod load_builds;
mod load_plant;
mod logs;
mod peers;
mod pipelines;
mod reads;
mod report;
mod start;
mod store_filling;
mod store_size;
mod syncs;
mod writes;

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use report::Figure;

/// Measures Landfall beside its peers and prints one Markdown table.
#[derive(Parser)]
struct Options {
    /// What to measure; everything without any
    groups: Vec<Group>,
    /// The release of Landfall
    #[arg(long, value_name = "FILE")]
    landfall: PathBuf,
    /// The release's landfall-agent, which runs containers' first processes
    #[arg(long, value_name = "FILE")]
    agent: PathBuf,
    /// The moto_server to compare with
    #[arg(long, value_name = "FILE")]
    moto: PathBuf,
    /// Another release of Landfall to compare `reads` with, in moto's place
    #[arg(long, value_name = "FILE")]
    before: Option<PathBuf>,
    /// The gitlab-ci-local to compare with; one on PATH without
    #[arg(long, value_name = "FILE")]
    gitlab: Option<PathBuf>,
    /// Where to put data folders: the disk that is measured
    #[arg(long, value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// How many documents to write for the last figure of `writes`
    #[arg(long, value_name = "NUMBER", default_value_t = 100_000)]
    documents: usize,
    /// How many executions of pipelines `load` runs
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000)]
    executions: usize,
    /// How many builds `builds` queues
    #[arg(long, value_name = "NUMBER", default_value_t = 200)]
    builds: usize,
    /// How many executions `store-size` has in the store; a tenth as many pipelines, builds and deployments
    #[arg(long, value_name = "NUMBER", default_value_t = 100_000)]
    stored: usize,
    /// How many hosts `hosts` polls with
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000)]
    hosts: usize,
    /// How many builds, and how many deployments, `leaks` runs between its counts
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000)]
    leaks: usize,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Group {
    Start,
    Reads,
    Writes,
    Logs,
    Containers,
    Pipelines,
    Git,
    Artifacts,
    Load,
    Builds,
    StoreSize,
    Hosts,
    Leaks,
}

impl Group {
    async fn measure(self, options: &Options) -> anyhow::Result<Vec<Figure>> {
        match self {
            Self::Start => start::measure(options).await,
            Self::Reads => reads::measure(options).await,
            Self::Writes => writes::measure(options).await,
            Self::Logs => logs::measure(options).await,
            Self::Containers => containers::measure(options).await,
            Self::Pipelines => pipelines::measure(options).await,
            Self::Git => git::measure(options).await,
            Self::Artifacts => artifacts::measure(options).await,
            Self::Load => load::measure(options).await,
            Self::Builds => load_builds::measure(options).await,
            Self::StoreSize => store_size::measure(options).await,
            Self::Hosts => hosts::measure(options).await,
            Self::Leaks => leaks::measure(options).await,
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut options = Options::parse();
    for path in [&mut options.landfall, &mut options.agent, &mut options.moto, &mut options.folder] {
        *path = std::path::absolute(&path)?;
    }
    options.before = options.before.map(std::path::absolute).transpose()?;
    let all = Group::value_variants();
    println!("{}", report::HEAD);
    for group in all.iter().filter(|group| options.groups.is_empty() || options.groups.contains(group)) {
        for figure in group.measure(&options).await? {
            println!("{figure}");
        }
    }
    Ok(())
}
