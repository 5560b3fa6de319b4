//! What a container with `privileged` may do more than others, and what not. A Docker daemon in a build is tested in
//! tests/test_privileged_docker.py.

use engine::{ContainerSpec, Limits};

use crate::bench::Bench;

fn privileged(script: &str) -> ContainerSpec {
    ContainerSpec { privileged: true, ..ContainerSpec::new("job", ["sh", "-c", script]) }
}

#[tokio::test]
async fn has_what_a_daemon_needs() {
    let script = "set -e; mount -t tmpfs none /mnt; unshare -n true; mkdir $(ls -d /sys/fs/cgroup/pids /sys/fs/cgroup | head -n 1)/sub; \
                  echo 1 > /proc/sys/net/ipv4/ip_forward; cd /var/lib/docker; mkdir lower upper work merged; \
                  mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged; umount merged; \
                  grep NoNewPrivs /proc/self/status; findmnt -n -o FSTYPE -T .; echo fine";
    let mut spec = privileged(script);
    spec.limits = Limits { disk_bytes: Some(1 << 30), ..Limits::default() };
    let (exit, output) = Bench::sandbox().await.run_spec(spec).await;
    assert!(exit.success(), "{exit}: {output}");
    assert_eq!(output, "NoNewPrivs:\t0\next4\nfine\n");
}

#[tokio::test]
async fn sees_no_daemon_and_no_disk_of_the_machine() {
    let script = "ls -A /run; ls /var/run/docker.sock 2>/dev/null; ls /sys/class/net; \
                  for disk in $(awk 'NR > 2 {print $1 \":\" $2}' /proc/partitions); do mknod /tmp/d b ${disk%:*} ${disk#*:} || true; \
                  head -c 1 /tmp/d 2>/dev/null && echo disk $disk; rm -f /tmp/d; done; \
                  grep CapBnd /proc/self/status; echo x 2>/dev/null > /proc/sysrq-trigger || echo no-sysrq; ls /proc | grep -c '^[0-9]'";
    let (_, output) = Bench::sandbox().await.run_spec(privileged(script)).await;
    let lines: Vec<_> = output.lines().collect();
    assert_eq!(lines[0], "lo", "{output}");
    assert!(!output.contains("docker.sock") && !output.contains("disk "), "{output}");
    let bounding = u64::from_str_radix(lines[1].trim_start_matches("CapBnd:").trim(), 16).unwrap();
    let (module, rawio, boot, time) = (1 << 16, 1 << 17, 1 << 22, 1 << 25);
    assert_eq!(bounding & (module | rawio | boot | time), 0, "{bounding:x}");
    assert!(lines.contains(&"no-sysrq"), "{output}");
    assert!(lines.last().unwrap().parse::<u32>().unwrap() < 10, "processes of its own alone: {output}");
}
