//! What a container that means harm can do to the machine by what it was given.

use std::time::Duration;

use engine::{ContainerSpec, Ending, Limits};

use crate::bench::Bench;

fn on_64_mebibytes(script: &str) -> ContainerSpec {
    let mut spec = ContainerSpec::new("job", ["sh", "-c", script]);
    spec.limits = Limits { disk_bytes: Some(64 << 20), ..Limits::default() };
    spec
}

#[tokio::test]
async fn no_file_of_the_machine_is_behind_its_descriptors() {
    let bench = Bench::sandbox().await;
    let script = "for fd in /proc/1/fd/*; do readlink $fd || :; done; chmod 4777 /proc/1/fd/1; \
                  echo evil > /proc/1/fd/2; /usr/bin/python3 -c 'import os; os.truncate(\"/proc/1/fd/1\", 1 << 40)' 2>&1 | tail -n 1; \
                  sleep 60";
    bench.engine.start(&on_64_mebibytes(script)).await.unwrap();
    let path = bench.folder.path().join("containers/job/output");
    let read = || String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
    while !read().contains("Invalid argument") {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (text, mode) = (read(), std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions()));
    bench.engine.remove("job").await.unwrap();
    assert_eq!(mode & 0o7777, 0o600);
    let behind: Vec<_> = text.lines().filter(|line| line.starts_with('/') || line.contains(":[")).collect();
    assert!(behind.len() >= 3 && behind[0] == "/dev/null", "{text}");
    assert!(behind[1..].iter().all(|link| link.starts_with("pipe:[")), "{text}");
}

#[tokio::test]
async fn who_writes_more_than_the_disk_to_its_output_is_ended() {
    let bench = Bench::sandbox().await;
    bench.engine.start(&on_64_mebibytes("head -c 1G /dev/zero > /proc/1/fd/1; sleep 60")).await.unwrap();
    let exit = bench.engine.wait("job").await.unwrap();
    let output = std::fs::read(bench.folder.path().join("containers/job/output")).unwrap();
    bench.engine.remove("job").await.unwrap();
    assert_eq!(exit.ending, Ending::Signal(9));
    assert!(output.len() < (64 << 20) + 4096, "{} bytes", output.len());
    let last = String::from_utf8_lossy(&output[64 << 20..]).into_owned();
    assert!(last.contains("more than 64 MiB (--build-disk)"), "{last}");
}

/// Where no file system of its own keeps a container's size, its folders are the machine's.
#[tokio::test]
async fn folders_in_folders_without_end_are_removed() {
    let bench = Bench::sandbox().await;
    let script =
        "cd /usr; exec /usr/bin/python3 -c 'import os\nfor i in range(20000): os.mkdir(\"d\"); os.chdir(\"d\")'";
    let (exit, output) = bench.run(script).await;
    assert!(exit.success(), "{output}");
    let left: Vec<_> = std::fs::read_dir(bench.folder.path().join("containers")).unwrap().flatten().collect();
    assert!(left.iter().all(|entry| entry.file_name() == ".runtime.json"), "{left:?}");
}
