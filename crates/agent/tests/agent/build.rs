//! A real agent runs real builds.

use crate::harness::{Agent, phase, with};
use agent::protocol::{Environment, OnFailure, Phase, PhaseStatus, Secret, Shell, StopReason, ToAgent};

use Phase::{Build, Install, PostBuild, PreBuild};
use PhaseStatus::{Failed, Stopped, Succeeded, TimedOut};

/// Runs one BUILD phase and gives the agent back.
async fn build(commands: &[&str]) -> Agent {
    let mut agent = Agent::start().await;
    let job = agent.job(vec![phase(Build, commands)]);
    agent.run(job).await;
    agent
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn one_shell_carries_its_state_over_commands_and_phases() {
    for shell in [Shell::Sh, Shell::Bash] {
        let mut agent = Agent::start().await;
        let mut job = agent.job(vec![
            phase(
                Install,
                &["mkdir -p sub && cd sub", "export A=\"it's me\"", "say() { echo \"said $1\"; }", "B=plain"],
            ),
            phase(Build, &["pwd", "echo \"$A $B $GREETING\"", "say so", "echo 'two'\necho lines"]),
        ]);
        job.shell = shell;
        job.exported_variables = vec!["A".into(), "B".into(), "NONE".into()];
        job.expressions = vec!["app-$(echo $A)".into(), "plain".into()];
        agent.run(job).await;
        let folder = agent.work().join("sub").display().to_string();
        // `echo lines` is the second line of the command that the log shows.
        assert_eq!(agent.seen.output(), [&folder, "it's me plain hello", "said so", "echo lines", "two", "lines"]);
        assert_eq!(agent.seen.statuses(), [(Install, Succeeded), (Build, Succeeded)]);
        assert_eq!(agent.seen.exported, [("A".to_owned(), "it's me".to_owned())]);
        assert_eq!(agent.seen.expressions, [Some("app-it's me".to_owned()), Some("plain".to_owned())]);
        assert_eq!(agent.seen.done, Some(Succeeded));
        agent.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn version_0_1_gives_each_command_a_shell() {
    let mut agent = Agent::start().await;
    let mut job = agent.job(vec![phase(Build, &["cd / && export A=1", "echo \"[$A]$(pwd)\""])]);
    job.shell_per_command = true;
    agent.run(job).await;
    assert_eq!(agent.seen.output(), [format!("[]{}", agent.work().display())]);
    agent.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_failed_command_is_told_in_aws_words() {
    let agent = build(&["echo before", "sh -c 'exit 3'", "echo never"]).await;
    let (_, status, context, exit_code) = &agent.seen.phases[0];
    assert_eq!((*status, *exit_code, context.code.as_str()), (Failed, Some(3), "COMMAND_EXECUTION_ERROR"));
    assert_eq!(context.message, "Error while executing command: sh -c 'exit 3'. Reason: exit status 3");
    let log = &agent.seen.log;
    for text in [
        " Entering phase BUILD\n",
        " Running command echo before\n",
        " Command did not exit successfully sh -c 'exit 3' exit status 3\n",
        " Phase complete: BUILD State: FAILED\n",
        " Phase context status code: COMMAND_EXECUTION_ERROR Message: Error while executing command: sh -c",
    ] {
        assert!(log.contains(text), "{text:?} in {log}");
    }
    assert!(!log.contains("never\n"), "{log}");
    agent.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn commands_that_end_the_shell_fail_with_their_status() {
    let table = [
        ("exit 3", 3),
        ("set -e; false; echo no", 1),
        ("kill -9 $$", 137),
        ("exec sh -c 'exit 4'", 4),
        ("if", 2),
        ("no-such-program-anywhere", 127),
    ];
    for (command, exit_code) in table {
        let mut agent = Agent::start().await;
        let finally = with(
            phase(Build, &["export A=kept", "mkdir -p d; cd d", command]),
            &["echo \"$A\"; pwd"],
            OnFailure::Standard,
        );
        let job = agent.job(vec![finally]);
        agent.run(job).await;
        assert_eq!(agent.seen.phases[0].3, Some(exit_code), "{command}: {}", agent.seen.log);
        // What was exported before is there in the next shell.
        let folder = agent.work().join("d").display().to_string();
        assert!(agent.seen.log.contains(&format!("kept\n{folder}\n")), "{command}: {}", agent.seen.log);
        agent.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn which_phases_run_after_a_failure() {
    use OnFailure::{Abort, Continue, Standard};
    type Ran = &'static [(Phase, PhaseStatus)];
    let table: &[(Phase, OnFailure, Ran)] = &[
        (Install, Standard, &[(Install, Failed)]),
        (PreBuild, Standard, &[(Install, Succeeded), (PreBuild, Failed)]),
        (Build, Standard, &[(Install, Succeeded), (PreBuild, Succeeded), (Build, Failed), (PostBuild, Succeeded)]),
        (Build, Abort, &[(Install, Succeeded), (PreBuild, Succeeded), (Build, Failed)]),
        (Install, Continue, &[(Install, Failed), (PreBuild, Succeeded), (Build, Succeeded), (PostBuild, Succeeded)]),
    ];
    for (fails, on_failure, expected) in table {
        let mut agent = Agent::start().await;
        let phases = Phase::ALL.map(|each| {
            let command = if each == *fails { "false" } else { "echo $CODEBUILD_BUILD_SUCCEEDING" };
            with(phase(each, &[command]), &["echo finally"], *on_failure)
        });
        let job = agent.job(phases.to_vec());
        agent.run(job).await;
        assert_eq!(agent.seen.statuses(), *expected, "{fails} {on_failure:?}");
        assert_eq!(agent.seen.done, Some(Failed));
        let finally = agent.seen.output().iter().filter(|line| **line == "finally").count();
        assert_eq!(finally, expected.len(), "`finally` runs in each phase");
        let after = expected.iter().filter(|(ran, _)| ran > fails).count();
        assert_eq!(agent.seen.output().iter().filter(|line| **line == "0").count(), after);
        agent.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_failing_finally_fails_its_phase() {
    let mut agent = Agent::start().await;
    let job = agent.job(vec![
        with(phase(Build, &["true"]), &["exit 5"], OnFailure::Standard),
        phase(PostBuild, &["echo $CODEBUILD_BUILD_SUCCEEDING"]),
    ]);
    agent.run(job).await;
    assert_eq!(agent.seen.statuses(), [(Build, Failed), (PostBuild, Succeeded)]);
    assert_eq!(agent.seen.output(), ["0"]);
    agent.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn output_is_whole_and_in_order() {
    let agent = build(&[
        "printf 'no newline'",
        "echo out; echo err >&2; echo out",
        "cat",
        "(sleep 300; echo late) &",
        "seq 1 20000",
        "echo end",
    ])
    .await;
    let output = agent.seen.output();
    assert_eq!(output[..4], ["no newline", "out", "err", "out"]);
    assert_eq!((output.len(), output[20_003], output[20_004]), (20_005, "20000", "end"));
    agent.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn stop_kills_the_running_command_and_everything_below_it() {
    let mut agent = Agent::start().await;
    let mark = agent.folder.path().join("pid");
    let command = format!("setsid sleep 300 & echo $! > {}; echo started; sleep 300", mark.display());
    let job = agent.job(vec![
        with(phase(Build, &[&command]), &["echo finally"], OnFailure::Standard),
        phase(PostBuild, &["echo post"]),
    ]);
    agent.send(ToAgent::Job(Box::new(job))).await;
    agent.until_log("\nstarted\n").await;
    agent.send(ToAgent::Stop { reason: StopReason::Stopped }).await;
    agent.until_done().await;
    assert_eq!((agent.seen.statuses(), agent.seen.done), (vec![(Build, Stopped)], Some(Stopped)));
    assert_eq!(agent.seen.output(), ["started"]);
    let pid = std::fs::read_to_string(mark).unwrap();
    assert!(!std::path::Path::new("/proc").join(pid.trim()).join("exe").exists(), "process {pid} lives on");
    agent.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn time_runs_out() {
    let mut agent = Agent::start().await;
    let mut job = agent.job(vec![phase(Build, &["sleep 300"]), phase(PostBuild, &["echo post"])]);
    job.timeout_ms = 300;
    agent.run(job).await;
    let (_, status, context, _) = &agent.seen.phases[0];
    assert_eq!((agent.seen.phases.len(), *status), (1, TimedOut));
    assert_eq!((context.code.as_str(), context.message.as_str()), ("BUILD_TIMED_OUT", "Build has timed out. "));
    agent.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn secrets_are_masked_and_given() {
    let mut agent = Agent::start().await;
    let mut job = agent.job(vec![phase(Build, &["echo \"token $TOKEN\"", "echo hunter2 | tr 2 3"])]);
    job.environment = Environment::from([("TOKEN", "hunter2")]);
    job.masked = vec![Secret("hunter2".into())];
    agent.run(job).await;
    assert_eq!(agent.seen.output(), ["token ***", "hunter3"]);
    assert!(!agent.seen.log.contains("hunter2"), "{}", agent.seen.log);
    agent.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_server_that_restarts_misses_nothing() {
    let mut agent = Agent::start().await;
    let gate = agent.folder.path().join("gate");
    let wait = format!("echo one; while [ ! -e {} ]; do sleep 0.02; done; echo two", gate.display());
    let job = agent.job(vec![phase(Build, &[&wait, "echo three"])]);
    agent.send(ToAgent::Job(Box::new(job))).await;
    agent.until_log("one\n").await;
    // Read, but lost with the server before it was recorded.
    std::fs::write(gate, "").unwrap();
    agent.next().await;
    agent.restart_server().await;
    assert_eq!(agent.connection.2.build.as_deref(), Some("project:1"));
    agent.until_done().await;
    assert_eq!(agent.seen.output(), ["one", "two", "three"]);
    agent.restart_server().await;
    agent.finish().await;
}

/// Namespaces and other users need root; elsewhere there is nothing to test.
fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_first_process_reaps_orphans_and_ends_everything() {
    if !is_root() {
        return;
    }
    let mut agent = Agent::start_as_first_process().await;
    let zombies = "while ps -o stat= -A | grep -q Z; do :; done";
    let job = agent.job(vec![phase(Build, &["echo $PPID", "(sleep 0.05 &)", zombies, "setsid sleep 300 & sleep 300"])]);
    agent.send(ToAgent::Job(Box::new(job))).await;
    agent.until_log("Running command setsid").await;
    agent.send(ToAgent::Stop { reason: StopReason::Stopped }).await;
    agent.until_done().await;
    assert_eq!((agent.seen.output(), agent.seen.done), (vec!["1"], Some(Stopped)));
    agent.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn phases_run_as_the_user_they_name() {
    if !is_root() {
        return;
    }
    let mut agent = Agent::start().await;
    let who = "echo $(id -un) $HOME $A";
    let mut phases = vec![phase(Install, &["export A=kept", who]), phase(Build, &[who]), phase(PostBuild, &["true"])];
    phases[1].run_as = Some("nobody".into());
    phases[2].run_as = Some("no-such-user".into());
    let job = agent.job(phases);
    agent.run(job).await;
    let home = std::env::var("HOME").unwrap_or_else(|_| "/root".into());
    assert_eq!(agent.seen.output(), [format!("root {home} kept"), "nobody /nonexistent kept".into()]);
    assert_eq!(agent.seen.statuses(), [(Install, Succeeded), (Build, Succeeded), (PostBuild, Failed)]);
    assert!(agent.seen.log.contains("user no-such-user does not exist"), "{}", agent.seen.log);
    agent.finish().await;
}
