//! AWS's names, where a real agent is the first process of something like a container. What clients make of them is told by
//! `tests/test_names.py`, with a server behind them.

use crate::harness::{Agent, phase};
use agent::protocol::{Environment, Phase, PhaseStatus};

const AUTHORITY: &str = include_str!("../../src/names/trust/authority.pem");

/// Runs commands where AWS's names lead to Landfall; `None` without the rights to make a container of one's own.
async fn run(more: &str, commands: &[&str]) -> Option<Agent> {
    if !nix::unistd::geteuid().is_root() {
        return None;
    }
    let mut agent = Agent::start_with_names(AUTHORITY, more).await;
    let mut job = agent.job(vec![phase(Phase::Build, commands)]);
    job.environment = Environment::from([
        ("CODEBUILD_BUILD_ARN", "arn:aws:codebuild:eu-west-1:123456789012:build/app:1"),
        ("REQUESTS_CA_BUNDLE", "/own.pem"),
    ]);
    agent.run(job).await;
    assert_eq!(agent.seen.done, Some(PhaseStatus::Succeeded), "{}", agent.seen.log);
    Some(agent)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_resolver_stands_before_the_containers_own() {
    let names = [
        "cat /etc/resolv.conf /run/systemd/resolve/resolv.conf",
        "getent ahostsv4 any.bucket.s3.eu-west-1.amazonaws.com | grep STREAM",
        "getent hosts example.org || echo $?",
        "grep amazonaws /etc/hosts || echo no lines",
    ];
    let Some(agent) = run("", &names).await else { return };
    let expected = [
        "search build.example",
        "nameserver 127.0.0.53",
        "search build.example",
        "127.0.45.66     STREAM any.bucket.s3.eu-west-1.amazonaws.com",
        "2",
        "no lines",
    ];
    assert_eq!(agent.seen.output(), expected);
    agent.finish().await;
}

/// Answers every question with 10.9.8.7.
const NAME_SERVER: &str = r#"
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.77", 53))
open("/run/ready", "w").close()
while True:
    query, client = server.recvfrom(4096)
    end = query.index(0, 12) + 5
    record = bytes((0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 10, 9, 8, 7))
    server.sendto(query[:2] + bytes((0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0)) + query[12:end] + record, client)
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_containers_own_name_servers_are_asked_for_other_names() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("name_server.py");
    std::fs::write(&program, NAME_SERVER).unwrap();
    let own = format!(
        "echo nameserver 127.0.0.77 >>/etc/resolv.conf; python3 {} & while [ ! -e /run/ready ]; do sleep 0.01; done;",
        program.display()
    );
    let names = [
        "getent ahostsv4 dynamodb.eu-west-1.amazonaws.com | grep STREAM",
        "getent ahostsv4 sts.eu-west-1.amazonaws.com | grep STREAM",
        "grep nameserver /etc/resolv.conf /run/systemd/resolve/resolv.conf",
    ];
    let Some(agent) = run(&own, &names).await else { return };
    let expected = [
        "10.9.8.7        STREAM dynamodb.eu-west-1.amazonaws.com",
        "127.0.45.66     STREAM sts.eu-west-1.amazonaws.com",
        "/etc/resolv.conf:nameserver 127.0.0.53",
        "/run/systemd/resolve/resolv.conf:nameserver 127.0.0.77",
    ];
    assert_eq!(agent.seen.output(), expected);
    agent.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn programs_are_told_of_the_authority_and_what_the_project_says_wins() {
    let variables = [
        "env | grep -E '^(AWS_CA_BUNDLE|REQUESTS_CA_BUNDLE|NODE_EXTRA_CA_CERTS)=' | sort",
        "cmp \"$NODE_EXTRA_CA_CERTS\" /etc/docker/certs.d/123456789012.dkr.ecr.eu-west-1.amazonaws.com/ca.crt",
        "tail -c 200 \"$AWS_CA_BUNDLE\" >end; tail -c 200 \"$NODE_EXTRA_CA_CERTS\" | cmp - end",
        "openssl verify -CApath /etc/ssl/certs -no-CAfile \"$NODE_EXTRA_CA_CERTS\"",
    ];
    let Some(agent) = run("", &variables).await else { return };
    let expected = [
        "AWS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt",
        "NODE_EXTRA_CA_CERTS=/usr/local/share/landfall/authority.pem",
        "REQUESTS_CA_BUNDLE=/own.pem",
        "/usr/local/share/landfall/authority.pem: OK",
    ];
    assert_eq!(agent.seen.output(), expected);
    agent.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn without_a_resolver_the_usual_names_are_in_the_hosts_file() {
    let read_only = "mount --bind /etc/resolv.conf /etc/resolv.conf; mount -o remount,bind,ro /etc/resolv.conf;";
    let names = [
        "cat /etc/resolv.conf",
        "getent hosts 123456789012.dkr.ecr.eu-west-1.amazonaws.com git-codecommit.eu-west-1.amazonaws.com sts.amazonaws.com",
        "getent hosts bucket.s3.amazonaws.com || echo no patterns",
    ];
    let Some(agent) = run(read_only, &names).await else { return };
    let expected = [
        "search build.example",
        "127.0.45.66     123456789012.dkr.ecr.eu-west-1.amazonaws.com",
        "127.0.45.66     git-codecommit.eu-west-1.amazonaws.com",
        "127.0.45.66     sts.amazonaws.com",
        "no patterns",
    ];
    assert_eq!(agent.seen.output(), expected);
    let note = "only AWS's usual names lead to Landfall, by /etc/hosts: no resolver can be here: Read-only file system";
    assert!(agent.seen.log.contains(note), "{}", agent.seen.log);
    agent.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_container_that_cannot_be_changed_at_all_still_builds() {
    let read_only = "mount -o remount,ro /etc; mount -o remount,ro /usr;";
    let Some(agent) = run(read_only, &["getent hosts sts.amazonaws.com || echo not known", "echo built"]).await else {
        return;
    };
    assert_eq!(agent.seen.output(), ["not known", "built"]);
    assert!(agent.seen.log.contains("AWS's names do not lead to Landfall: /etc/hosts"), "{}", agent.seen.log);
    agent.finish().await;
}
