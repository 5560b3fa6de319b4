//! The ways out of an ordinary user: `nobody`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::world::{MACHINE, NAME, World, on_a_machine, secret_at};

/// What a script writes in a container of that user's, and how it ends.
fn run(way: &str, script: &str) -> String {
    // What cargo builds may lie in somebody's home, where this user cannot go.
    let (folder, place) = (tempfile::tempdir_in("/var/tmp").unwrap(), tempfile::tempdir_in("/var/tmp").unwrap());
    std::os::unix::fs::chown(folder.path(), Some(65534), Some(65534)).unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = place.path().join("program");
    fs::copy(env!("CARGO_BIN_EXE_engine-test-program"), &program).unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
        .arg(program)
        .arg("rootless")
        .arg(folder.path())
        .arg(format!("exec /usr/bin/python3 -c \"{script}\""))
        .env("TEST_WAY_OUT", way)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn reaches_the_world_and_not_the_machine(world: &World, way: &str) {
    world.set_tunnels(0o666);
    let port = secret_at("0.0.0.0");
    let script = format!(
        "import socket, urllib.request
print(urllib.request.urlopen('http://{NAME}/', timeout=5).read().decode())
for host in ('127.0.0.1', '{MACHINE}'):
    try:
        print(socket.create_connection((host, {port}), 1).recv(9))
    except OSError:
        print('no')"
    );
    assert_eq!(run(way, &script), format!("hello {MACHINE}\nno\nno\nexit code 0\n"));
    assert_eq!(world.left_behind(), Vec::<String>::new());
}

#[test]
fn pasta() {
    on_a_machine(async |world| reaches_the_world_and_not_the_machine(&world, "pasta"));
}

#[test]
fn slirp4netns() {
    on_a_machine(async |world| reaches_the_world_and_not_the_machine(&world, "slirp4netns"));
}

#[test]
fn what_needs_root_or_a_device_is_refused_in_words() {
    on_a_machine(async |world| {
        world.set_tunnels(0o600);
        let veth = run("veth", "");
        assert!(veth.starts_with("error: --build-network veth needs root"), "{veth}");
        let pasta = run("pasta", "");
        assert!(pasta.contains("may not open /dev/net/tun: `chmod 0666 /dev/net/tun`"), "{pasta}");
    });
}
