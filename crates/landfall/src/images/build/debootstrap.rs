//! `mmdebstrap`: it makes a Debian root out of packages, as root or without, and writes it as a tar.

use crate::exit::user_error;
use std::collections::VecDeque;
use std::io::{self, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

/// How many of its last lines an error shows.
const LAST: usize = 12;
/// What builds do not read, for a third less.
const LEFT_OUT: [&str; 5] =
    ["/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/doc/*", "/usr/share/lintian/*"];
/// Licences stay.
const KEPT: &str = "/usr/share/doc/*/copyright";
/// Java's packages put links to manual pages there, whether there are any or not.
const MANUALS: &str = "mkdir -p \"$1/usr/share/man/man1\"";

/// What it is to make.
#[derive(Debug)]
pub(super) struct Root {
    pub(super) suite: String,
    /// Lines of a sources.list; none: Debian's own servers.
    pub(super) sources: Vec<String>,
    pub(super) packages: Vec<String>,
    /// Runs at the end, with the root's folder as its argument.
    pub(super) hook: String,
    /// Settings of apt, such as proxies.
    pub(super) apt: Vec<String>,
}

impl Root {
    /// The arguments; the tar goes to standard output, without device files: containers get theirs from the engine.
    fn arguments(&self) -> Vec<String> {
        // Without root only a user namespace makes a root as it is: what else there is feigns it.
        let mode = if nix::unistd::geteuid().is_root() { "--mode=root" } else { "--mode=unshare" };
        let mut arguments: Vec<_> =
            [mode, "--variant=minbase", "--format=tar", "--skip=output/dev"].map(str::to_owned).into();
        arguments.push(format!("--include={}", self.packages.join(",")));
        arguments.extend(LEFT_OUT.iter().map(|path| format!("--dpkgopt=path-exclude={path}")));
        arguments.push(format!("--dpkgopt=path-include={KEPT}"));
        arguments.push(format!("--setup-hook={MANUALS}"));
        // A root that is only half there is thrown away; and so is a container after its build.
        arguments.push("--dpkgopt=force-unsafe-io".to_owned());
        arguments.extend(self.apt.iter().map(|setting| format!("--aptopt={setting}")));
        arguments.push(format!("--customize-hook={}", self.hook));
        arguments.extend([self.suite.clone(), "-".to_owned()]);
        arguments.extend(self.sources.iter().cloned());
        arguments
    }

    /// Starts it; `hear` gets what it says of its progress.
    ///
    /// # Errors
    /// The program is not there; the sentence says how to get it.
    pub(super) fn begin(&self, hear: impl Fn(&str) + Send + 'static) -> anyhow::Result<Tar> {
        let mut command = Command::new(program()?);
        command.args(self.arguments()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let (Some(tar), Some(talk)) = (child.stdout.take(), child.stderr.take()) else {
            anyhow::bail!("mmdebstrap has no pipes");
        };
        let listener = std::thread::spawn(move || listen(BufReader::new(talk), &hear));
        Ok(Tar { tar, child, listener: Some(listener) })
    }
}

/// Hands on what it says of its progress, and keeps the last lines.
fn listen(talk: impl io::BufRead, hear: &impl Fn(&str)) -> Vec<String> {
    let mut last = VecDeque::with_capacity(LAST);
    // It repeats the script that it runs, to `' exec FOLDER`, which is nobody's news.
    let mut script = false;
    for line in talk.split(b'\n').map_while(Result::ok) {
        let line = crate::terminal::printable(String::from_utf8_lossy(&line).trim_end());
        if let Some(step) = line.strip_prefix("I: ") {
            hear(step);
            script = step.starts_with("running --");
        }
        if script {
            script = !line.contains("' exec ");
            continue;
        }
        if last.len() == LAST {
            last.pop_front();
        }
        last.push_back(line);
    }
    last.into()
}

/// The tar that comes out. Its end is an error where the program failed: half a root is no image.
pub(super) struct Tar {
    tar: ChildStdout,
    child: Child,
    listener: Option<JoinHandle<Vec<String>>>,
}

impl Read for Tar {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.tar.read(buffer)?;
        if count == 0 && !buffer.is_empty() && !self.child.wait()?.success() {
            return Err(io::Error::other("mmdebstrap failed"));
        }
        Ok(count)
    }
}

impl Tar {
    /// Waits for its end.
    ///
    /// # Errors
    /// It failed; its last words are in the sentence.
    pub(super) fn end(&mut self) -> anyhow::Result<()> {
        io::copy(&mut self.tar, &mut io::sink())?;
        self.verdict()
    }

    /// After its tar could not be taken: whether that was its fault. Where it goes on, it is ended.
    ///
    /// # Errors
    /// As [`end`](Self::end).
    pub(super) fn failed(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            Some(_) => self.verdict(),
            None => Ok(()),
        }
    }

    fn verdict(&mut self) -> anyhow::Result<()> {
        let status = self.child.wait()?;
        let last = self.listener.take().and_then(|listener| listener.join().ok()).unwrap_or_default();
        if status.success() { Ok(()) } else { Err(user_error(failure(&last))) }
    }
}

impl Drop for Tar {
    /// It clears up after itself when it is told to end.
    fn drop(&mut self) {
        if let (Ok(None), Ok(pid)) = (self.child.try_wait(), i32::try_from(self.child.id())) {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM);
            let _ = self.child.wait();
        }
    }
}

/// What went wrong, and what would help.
fn failure(last: &[String]) -> String {
    let said = last.iter().filter(|line| !line.starts_with("I: ")).map(|line| format!("  {line}"));
    let said = said.collect::<Vec<_>>().join("\n");
    let has = |part: &str| last.iter().any(|line| line.contains(part));
    let step = if has("pip") || has("PyPI") || has("awscli") {
        "PyPI was not reached: leave the aws command line out with --without aws, or name an index in PIP_INDEX_URL"
    } else if has("does not have a Release file") {
        "the archive has no such release: choose another --suite, or another archive with --mirror URL"
    } else if has("Unable to locate package") {
        "the suite lacks a package: leave its part out with --without, or choose another --suite"
    } else if has("subuid") || has("newuidmap") || has("unshare") {
        "without root it needs subordinate ids: run this as root, or apt-get install uidmap and a line in /etc/subuid and \
         /etc/subgid"
    } else if has("connect") || has("resolve") || has("Failed to fetch") {
        "no packages were reached: name an archive with --mirror URL"
    } else {
        "its lines above say why"
    };
    format!("mmdebstrap failed:\n{said}\n{step}")
}

fn program() -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join("mmdebstrap")).find(|path| path.is_file());
    found.ok_or_else(|| {
        user_error(
            "mmdebstrap makes the image out of Debian's packages, and it is not here: apt-get install mmdebstrap (Debian and \
             Ubuntu), or make the image on a machine that has it and bring it here: landfall images load FILE",
        )
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[test]
    fn the_arguments_are_what_it_understands() {
        let root = Root {
            suite: "bookworm".into(),
            sources: vec!["deb http://a.example bookworm main".into()],
            packages: vec!["git".into(), "jq".into()],
            hook: "true".into(),
            apt: vec!["Acquire::http::Proxy \"http://p.example\";".into()],
        };
        let arguments = root.arguments();
        assert!(arguments.contains(&"--include=git,jq".to_owned()), "{arguments:?}");
        assert_eq!(arguments[arguments.len() - 3..], ["bookworm", "-", "deb http://a.example bookworm main"]);
    }

    #[test]
    fn progress_is_heard_and_the_last_lines_are_kept() {
        let heard = Arc::new(Mutex::new(vec![]));
        let to = Arc::clone(&heard);
        let talk: String = (0..20).map(|n| format!("Get:{n} x\n")).collect();
        let last =
            listen(format!("I: running apt-get update...\n{talk}E: no\x1b[1m").as_bytes(), &move |step: &str| {
                to.lock().unwrap().push(step.to_owned());
            });
        assert_eq!(*heard.lock().unwrap(), ["running apt-get update..."]);
        assert_eq!((last.len(), last.last().map(String::as_str)), (LAST, Some("E: no [1m")));
    }

    #[test]
    fn a_failure_says_what_would_help() {
        for (line, part) in [
            ("Could not connect to deb.example:80", "--mirror"),
            ("E: Unable to locate package cobol", "--suite"),
            ("ERROR: Could not find a version that satisfies the requirement awscli", "--without aws"),
            ("E: invalid configuration in /etc/subuid", "subordinate ids"),
            ("E: The repository 'http://a b Release' does not have a Release file.", "--suite"),
            ("E: something", "lines above"),
        ] {
            let said = failure(&[line.to_owned()]);
            assert!(said.contains(line) && said.contains(part), "{said}");
        }
    }

    #[test]
    fn the_end_of_a_program_that_failed_is_no_end() {
        let tar = |script: &str| {
            let mut child = Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
            Tar { tar: child.stdout.take().unwrap(), child, listener: None }
        };
        let mut text = String::new();
        tar("printf all").read_to_string(&mut text).unwrap();
        assert_eq!(text, "all");
        assert!(tar("printf half; exit 1").read_to_string(&mut text).is_err());
    }
}
