//! Clones and pushes of a repository of 50 MB, one and sixteen at once, beside Git's own `git http-backend` behind lighttpd.

use std::fs::{self, File};
use std::io::{BufWriter, Read as _, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::json;
use tempfile::TempDir;

use crate::Options;
use crate::bare::{cpu_with_children, run};
use crate::report::{Budget, Figure, median};
use testbed::process::Server;

/// Each with a file of half a megabyte that nothing makes smaller, and twenty small texts.
const COMMITS: usize = 100;
const FILE: u64 = 500_000;
const TEXTS: usize = 20;
/// Clients at once, and how often.
const ROUNDS: [(usize, usize); 2] = [(1, 5), (16, 2)];
/// The clients and the servers share two cores, which makes times uncertain by some hundredths.
const NO_SLOWER: f64 = 1.1;
const CONFIG: &str = r#"
server.bind = "127.0.0.1"
server.port = PORT
server.document-root = "FOLDER"
server.errorlog = "FOLDER/log"
server.modules = ("mod_setenv", "mod_alias", "mod_cgi")
server.upload-dirs = ("FOLDER")
server.stream-response-body = 1
alias.url = ("/git" => "BACKEND")
cgi.assign = ("" => "")
setenv.set-environment = ("GIT_PROJECT_ROOT" => "FOLDER")
"#;

pub(crate) async fn measure(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let place = TempDir::with_prefix_in("git-bench-", &options.folder)?;
    let origin = origin(place.path())?;
    let server = Server::landfall(&options.landfall, &options.folder, &["--engine", "dummy", "--auth", "open"])?;
    let peer = match Backend::start(&options.folder) {
        Ok(peer) => peer,
        Err(error) => {
            eprintln!("Git is not measured, for its peer cannot be had: {error:#}");
            return Ok(Vec::new());
        }
    };
    let mut figures = Vec::new();
    for (what, deed) in [("push", Deed::Push), ("clone", Deed::Clone)] {
        for (clients, rounds) in ROUNDS {
            let (mut ours, mut theirs) = (Costs::default(), Costs::default());
            for round in 0..rounds {
                let names: Vec<String> = (0..clients).map(|client| format!("r{clients}-{round}-{client}")).collect();
                if deed == Deed::Push {
                    create(&server, &names).await?;
                    peer.create(&names)?;
                }
                ours.add(deed, &names, &origin, place.path(), server.pid(), |name| ours_at(&server, name))?;
                theirs.add(deed, &names, &origin, place.path(), peer.child.id(), |name| peer.url(name))?;
            }
            figures.push(figure(what, clients, ours, theirs));
        }
    }
    Ok(figures)
}

fn figure(what: &str, clients: usize, ours: Costs, theirs: Costs) -> Figure {
    let (ours, theirs) = (ours.medians(), theirs.medians());
    let ratio = ours.0.as_secs_f64() / theirs.0.as_secs_f64();
    let text = |(time, cpu): (Duration, Duration)| {
        format!("{:.2} s ({:.2} s of server CPU)", time.as_secs_f64(), cpu.as_secs_f64())
    };
    Figure {
        what: format!("`git {what}` of 50 MB, {clients} at once"),
        landfall: text(ours),
        beside: format!("git http-backend behind lighttpd {}", text(theirs)),
        ratio,
        budget: Budget::new("≤ 1.1 × git http-backend", ratio <= NO_SLOWER),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Deed {
    Push,
    Clone,
}

/// What rounds took, on the clock and of the server.
#[derive(Default)]
struct Costs {
    times: Vec<Duration>,
    cpu: Vec<Duration>,
}

impl Costs {
    /// All clients at once, each with a repository of its own.
    fn add(
        &mut self,
        deed: Deed,
        names: &[String],
        origin: &Path,
        place: &Path,
        server: u32,
        url: impl Fn(&str) -> String,
    ) -> anyhow::Result<()> {
        let copies = TempDir::with_prefix_in("clones-", place)?;
        let (begin, before) = (Instant::now(), cpu_with_children(server)?);
        let start = |name: &String| {
            let mut git = Command::new("git");
            match deed {
                Deed::Push => git.arg("-C").arg(origin).args(["push", "--quiet", &url(name), "main"]),
                Deed::Clone => git.args(["clone", "--quiet", "--bare", &url(name)]).arg(copies.path().join(name)),
            };
            git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_TERMINAL_PROMPT", "0");
            git.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()
        };
        let clients = names.iter().map(start).collect::<Result<Vec<_>, _>>()?;
        for client in clients {
            let output = client.wait_with_output()?;
            ensure!(output.status.success(), "git: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        self.times.push(begin.elapsed());
        self.cpu.push(cpu_with_children(server)?.saturating_sub(before));
        Ok(())
    }

    fn medians(self) -> (Duration, Duration) {
        (median(self.times), median(self.cpu))
    }
}

async fn create(server: &Server, names: &[String]) -> anyhow::Result<()> {
    let mut connection = server.client.connection();
    for name in names {
        let input = json!({"repositoryName": name});
        connection.json("codecommit", "CodeCommit_20150413.CreateRepository", &input).await?;
    }
    Ok(())
}

fn ours_at(server: &Server, name: &str) -> String {
    format!("http://test:test@{}/v1/repos/{name}", server.client.authority)
}

/// A bare repository of 50 MB.
fn origin(place: &Path) -> anyhow::Result<PathBuf> {
    let origin = place.join("origin.git");
    run(Command::new("git").args(["init", "--quiet", "--bare", "--initial-branch=main"]).arg(&origin))?;
    let mut import = Command::new("git")
        .arg("-C")
        .arg(&origin)
        .args(["fast-import", "--quiet"])
        .stdin(Stdio::piped())
        .spawn()
        .context("git fast-import")?;
    history(BufWriter::new(import.stdin.take().context("no pipe")?))?;
    ensure!(import.wait()?.success(), "git fast-import failed");
    run(Command::new("git").arg("-C").arg(&origin).args(["gc", "--quiet"]))?;
    Ok(origin)
}

fn history(mut import: impl Write) -> anyhow::Result<()> {
    for commit in 1..=COMMITS {
        writeln!(
            import,
            "commit refs/heads/main\nmark :{commit}\ncommitter B <b@example.org> {commit} +0000\ndata 1\nc"
        )?;
        if commit > 1 {
            writeln!(import, "from :{}", commit - 1)?;
        }
        let mut file = Vec::new();
        File::open("/dev/urandom")?.take(FILE).read_to_end(&mut file)?;
        writeln!(import, "M 100644 inline large/{commit}\ndata {}", file.len())?;
        import.write_all(&file)?;
        writeln!(import)?;
        for text in 0..TEXTS {
            let lines: String =
                (0..100).map(|line| format!("line {line} of {text}, as of {}\n", commit + line)).collect();
            writeln!(import, "M 100644 inline src/{}/{text}\ndata {}\n{lines}", commit % 10, lines.len())?;
        }
    }
    Ok(import.flush()?)
}

/// lighttpd with `git http-backend` as its CGI program; ends with this.
struct Backend {
    child: Child,
    folder: TempDir,
    port: u16,
}

impl Backend {
    fn start(place: &Path) -> anyhow::Result<Self> {
        let folder = TempDir::with_prefix_in("http-backend-bench-", place)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let programs = String::from_utf8(run(Command::new("git").arg("--exec-path"))?)?;
        let backend = Path::new(programs.trim()).join("git-http-backend");
        let config = CONFIG.replace("PORT", &port.to_string()).replace("BACKEND", &backend.to_string_lossy());
        let file = folder.path().join("lighttpd.conf");
        fs::write(&file, config.replace("FOLDER", &folder.path().to_string_lossy()))?;
        let child = Command::new("lighttpd").arg("-D").arg("-f").arg(&file).spawn().context("lighttpd")?;
        let mut peer = Self { child, folder, port };
        let deadline = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            ensure!(peer.child.try_wait()?.is_none() && Instant::now() < deadline, "lighttpd does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(peer)
    }

    fn create(&self, names: &[String]) -> anyhow::Result<()> {
        for name in names {
            let folder = self.folder.path().join(name);
            run(Command::new("git").args(["init", "--quiet", "--bare"]).arg(&folder))?;
            run(Command::new("git").arg("-C").arg(&folder).args(["config", "http.receivepack", "true"]))?;
            File::create(folder.join("git-daemon-export-ok"))?;
        }
        Ok(())
    }

    fn url(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}/git/{name}", self.port)
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
