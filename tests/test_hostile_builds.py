"""Builds that mean harm, or act as if: each fails or is cut off within its limits, and leaves nothing behind. Meanwhile the
server answers, and the build beside it does not notice."""

import http.client
import io
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sysconfig
import textwrap
import time
import zipfile

import pytest

import pipelines
from conftest import HOST_IMAGE, eventually

SERVER_GROWTH = 96 << 20
"""How much the server's memory may grow by one hostile build, in bytes."""
DISK = "256M"
"""What a build may write."""
MARK = "landfall-hostile-mark"
"""Stands in the arguments of processes that must not outlive their build."""


def docker_image(url: str) -> str:
    """The tests' own image and a Python, for attacks that a shell cannot make."""
    folder = pathlib.Path(url.removeprefix("unix://")).parent
    root, archive = folder / "hostile", folder / "hostile.tar"
    shutil.copytree(folder / "root", root, symlinks=True)
    library = pathlib.Path(sysconfig.get_path("stdlib", vars={"installed_base": "/usr", "installed_platbase": "/usr"}))
    left_out = shutil.ignore_patterns("test", "idlelib", "lib2to3", "ensurepip", "config-*", "pydoc_data", "__pycache__", "dist-packages")
    shutil.copytree(library, root / library.relative_to("/"), symlinks=True, ignore=left_out, dirs_exist_ok=True)
    (root / "usr/bin").mkdir(exist_ok=True)
    shutil.copy(os.path.realpath("/usr/bin/python3"), root / "usr/bin/python3")
    subprocess.run(["tar", "-C", str(root), "-cf", str(archive), "."], check=True)
    shutil.rmtree(root)
    daemon = http.client.HTTPConnection("daemon", timeout=60)
    daemon.sock = socket.socket(socket.AF_UNIX)
    daemon.sock.connect(url.removeprefix("unix://"))
    with archive.open("rb") as content:
        daemon.request("POST", "/images/create?fromSrc=-&repo=landfall-hostile", content, {"Content-Type": "application/x-tar"})
        reply = daemon.getresponse()
        assert reply.status == 200, reply.read()
        reply.read()
    archive.unlink()
    return "landfall-hostile:latest"


@pytest.fixture(scope="module", params=["sandbox", "docker"])
def server(servers, request):
    if request.param == "sandbox":
        return servers("open", "sandbox", "--build-disk", DISK, *HOST_IMAGE)
    url = os.environ.get("LANDFALL_TEST_DOCKER")
    if not url:
        assert not os.environ.get("CI"), "run tests by scripts/with-daemons"
        pytest.skip("run tests by scripts/with-daemons to have a Docker daemon")
    return servers("open", "docker", "--docker-host", url, "--build-disk", DISK, "--image-map", f"aws/codebuild/*={docker_image(url)}")


@pytest.fixture
def in_sandbox(server) -> bool:
    return "sandbox" in server.command


@pytest.fixture(scope="module")
def codebuild(server):
    client = server.client("codebuild")
    role = pipelines.role(server, "hostile", "codebuild")
    for name in ("hostile", "neighbour"):
        client.create_project(
            name=name,
            source={"type": "NO_SOURCE", "buildspec": "version: 0.2\nphases: {build: {commands: ['true']}}\n"},
            artifacts={"type": "NO_ARTIFACTS"},
            environment={"type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0", "computeType": "BUILD_GENERAL1_SMALL"},
            serviceRole=role,
        )
    server.client("s3").create_bucket(Bucket="hostile-artifacts")
    return client


def buildspec(*commands: str, artifacts: str = "") -> str:
    """Commands as block scalars, so that nothing in them is YAML."""
    listed = "".join("      - |\n" + textwrap.indent(textwrap.dedent(command).strip(), " " * 8) + "\n" for command in commands)
    return f"version: 0.2\nphases:\n  build:\n    commands:\n{listed}{artifacts}"


def python(script: str) -> str:
    """A shell command that runs a Python program, marked."""
    return f"python3 - {MARK} <<'PYTHON'\n{textwrap.dedent(script).strip()}\nPYTHON"


def memory(server) -> int:
    """The server's resident memory, in bytes."""
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) << 10


def marked() -> list[str]:
    """Processes of the machine with the mark among their arguments."""
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            arguments = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if MARK.encode() in arguments and b"pytest" not in arguments:
            found.append(arguments.replace(b"\0", b" ").decode(errors="replace"))
    return found


class Attack:
    """A hostile build, and a build beside it that must not notice."""

    def __init__(self, server, codebuild):
        self.server, self.codebuild = server, codebuild
        self.before = memory(server)

    def start(self, spec: str, **overrides) -> str:
        return self.codebuild.start_build(projectName="hostile", buildspecOverride=spec, **overrides)["build"]["id"]

    def finished(self, build_id: str, seconds: float = 60) -> dict:
        def done():
            asked = time.monotonic()
            [build] = self.codebuild.batch_get_builds(ids=[build_id])["builds"]
            assert time.monotonic() - asked < 5, "the server is held up"
            return build["buildComplete"] and build

        return eventually(done, seconds, f"the end of {build_id}")

    def run(self, spec: str, seconds: float = 60, stop_when: str | None = None, **overrides) -> tuple[dict, str]:
        """Runs it to its end, beside a neighbour; `stop_when`: stopped once its log says so."""
        beside = self.codebuild.start_build(projectName="neighbour", buildspecOverride=buildspec(
            "for i in 1 2 3 4 5; do date; done | sort | uniq | wc -l"))["build"]["id"]
        build_id = self.start(spec, **overrides)
        if stop_when:
            eventually(lambda: stop_when in self.log(build_id), seconds, f"{stop_when!r} in the log")
            self.codebuild.stop_build(id=build_id)
        build = self.finished(build_id, seconds)
        neighbour = self.finished(beside)
        assert neighbour["buildStatus"] == "SUCCEEDED", neighbour["phases"]
        self.leaves_nothing()
        return build, self.log(build_id)

    def log(self, build_id: str, limit: int = 200) -> str:
        """The first events of the build's log."""
        [build] = self.codebuild.batch_get_builds(ids=[build_id])["builds"]
        if "streamName" not in build.get("logs", {}):
            return ""
        events = self.server.client("logs").get_log_events(
            logGroupName=build["logs"]["groupName"], logStreamName=build["logs"]["streamName"], startFromHead=True, limit=limit)
        return "".join(event["message"] for event in events["events"])

    def leaves_nothing(self) -> None:
        assert self.server.process.poll() is None, self.server.tail()
        eventually(lambda: not marked(), 20, "the end of all that the build started")
        assert memory(self.server) - self.before < SERVER_GROWTH


@pytest.fixture
def attack(server, codebuild) -> Attack:
    return Attack(server, codebuild)


def phase(build: dict, name: str) -> dict:
    return next(phase for phase in build["phases"] if phase["phaseType"] == name)


def test_a_fork_bomb_ends_at_the_limit_of_processes(attack):
    """A shell's, since it is small: thousands of interpreters would be a bomb of memory instead."""
    build, log = attack.run(buildspec(
        # As many as may be, counted by a shell that need not start anything for it; then a bomb where nothing is left.
        f"sh -c 'while :; do sleep 300 & done; : {MARK}' 2>/dev/null || {{ set -- /proc/[0-9]*; echo refused \"at\" $#; }}; "
        "bomb() { bomb | bomb & }; bomb; while :; do :; done",
    ), stop_when="refused at")
    # It may have failed before it was stopped, since its agent needs a process after each command.
    assert build["buildStatus"] in ("STOPPED", "FAILED")
    assert int(log.split("refused at")[1].split()[0]) < 10_000, "a limit of its own, not the machine's"


def test_a_memory_hog_is_killed_and_told_so(attack):
    build, log = attack.run(buildspec("echo before", python("""
        hog = []
        while True:
            hog.append(bytearray(64 << 20))
    """)))
    assert build["buildStatus"] == "FAILED" and "before" in log
    assert "137" in phase(build, "BUILD")["contexts"][0]["message"], build["phases"]


def test_files_in_memory_count_as_memory(attack, in_sandbox):
    """The kernel cannot free them, so it ends the whole container. Docker's only tmpfs has 64 MB."""
    build, log = attack.run(buildspec(f"dd if=/dev/zero of={'/tmp' if in_sandbox else '/dev/shm'}/fill bs=1M count=6000"))
    message = phase(build, "BUILD")["contexts"][0]["message"]
    if in_sandbox:
        assert build["buildStatus"] == "FAULT" and "out of memory" in message
        assert "Phase complete: BUILD State: FAULT" in log
    else:
        assert build["buildStatus"] == "FAILED" and "No space left" in log


def test_a_disk_filler_is_cut_off(server, attack):
    """A limit in the sandbox; Docker's storage has none, so the build is ended when it has written too much."""
    free = os.statvfs(server.data_dir).f_bavail * os.statvfs(server.data_dir).f_frsize
    build, log = attack.run(buildspec("cd /usr && dd if=/dev/zero of=fill bs=1M count=8000; ls -l fill; sleep 5"), seconds=90)
    assert build["buildStatus"] in ("FAILED", "FAULT") or "No space left" in log, log
    assert build["buildStatus"] != "SUCCEEDED" or "8388608000" not in log
    eventually(lambda: free - os.statvfs(server.data_dir).f_bavail * os.statvfs(server.data_dir).f_frsize < 512 << 20, 30, "the disk's return")


def test_endless_output_without_a_newline_is_taken_in_pieces(attack):
    build, log = attack.run(buildspec(python("""
        import sys
        piece = "x" * 65536
        while True:
            sys.stdout.write(piece)
    """)), stop_when="xxxxxxxx")
    assert build["buildStatus"] == "STOPPED"


def test_a_line_of_a_gigabyte_does_not_grow_the_server(attack, in_sandbox):
    """Slow (half a minute): the whole line goes through the agent and into the log. Over Docker a tenth of it."""
    size = 1_000_000_000 if in_sandbox else 100_000_000
    build, log = attack.run(buildspec(f"head -c {size} /dev/zero | tr '\\0' y", "echo after"), seconds=240)
    assert build["buildStatus"] == "SUCCEEDED", build["phases"]


def test_background_processes_end_with_their_build(attack):
    build, _ = attack.run(buildspec(
        f"nohup sh -c 'sleep 300; : {MARK}' >/dev/null 2>&1 &",
        f"setsid sh -c 'trap \"\" TERM HUP INT; while :; do sleep 1; : {MARK}; done' </dev/null >/dev/null 2>&1 &",
        f"(setsid sh -c '(sleep 300; : {MARK}) & (sleep 300; : {MARK}) & wait' &) ; echo left",
    ))
    assert build["buildStatus"] == "SUCCEEDED"


def test_an_agent_that_is_killed_ends_its_build_alone(server, codebuild, attack):
    build_id = attack.start(buildspec(f"echo here; sh -c 'sleep 300; : {MARK}'"))
    [agent] = eventually(lambda: agents_of(MARK), 30, "the command")
    os.kill(int(agent.name), signal.SIGKILL)
    build = attack.finished(build_id)
    assert build["buildStatus"] in ("FAILED", "FAULT"), build
    attack.leaves_nothing()


def agents_of(mark: str) -> list[pathlib.Path]:
    """The first process of each container in which a process has the mark."""
    namespaces = set()
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (process / "cmdline").read_bytes() and (process / "ns/pid").readlink() != pathlib.Path("/proc/self/ns/pid").readlink():
                namespaces.add((process / "ns/pid").readlink())
        except OSError:
            continue
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            first = (process / "status").read_text().split("NSpid:")[1].splitlines()[0].split()[-1] == "1"
            if first and (process / "ns/pid").readlink() in namespaces:
                found.append(process)
        except (OSError, IndexError):
            continue
    return found


def test_a_flood_of_strangers_at_the_agents_socket(attack):
    """Connections that are not the agent's, with garbage, huge frames and silence: the build goes on."""
    build, log = attack.run(buildspec(python("""
        import os, socket, struct
        held = []
        for number in range(200):
            stranger = socket.socket(socket.AF_UNIX)
            stranger.setblocking(False)
            try:
                stranger.connect("/landfall/agent.sock")
                stranger.send([os.urandom(512), struct.pack(">II", 0xffffffff, 4), b"", b"GET / HTTP/1.0\\r\\n\\r\\n"][number % 4])
            except OSError:
                pass
            held.append(stranger)
        print("knocked")
    """), "echo still here"))
    assert build["buildStatus"] == "SUCCEEDED" and "still here" in log


def test_links_and_devices_are_no_artifacts(server, attack):
    spec = buildspec(
        "mkdir -p out && cd out && echo fine > fine.txt",
        "ln -s /etc/shadow shadow; ln -s / root; ln -s ../../../.. up; ln -s loop loop",
        "mkfifo pipe; mknod zero c 1 5 2>/dev/null; mknod disk b 8 0 2>/dev/null; python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"sock\")'; true",
        artifacts="artifacts:\n  base-directory: out\n  files: ['**/*']\n",
    )
    build, log = attack.run(spec, artifactsOverride={
        "type": "S3", "location": "hostile-artifacts", "packaging": "ZIP", "name": "links.zip", "path": "", "namespaceType": "NONE"})
    assert build["buildStatus"] == "SUCCEEDED", log
    content = server.client("s3").get_object(Bucket="hostile-artifacts", Key="links.zip")["Body"].read()
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert "fine.txt" in archive.namelist()
    assert not {"pipe", "zero", "disk", "sock"} & set(archive.namelist())
    assert all(b":$" not in archive.read(name) for name in archive.namelist() if not name.endswith("/")), "a password"


def test_hard_links_to_the_machines_files_change_nothing_outside(attack):
    names = [name for name in ("/etc/hostname", "/etc/passwd", "/etc/os-release") if pathlib.Path(name).exists()]
    before = {name: (pathlib.Path(name).read_bytes(), pathlib.Path(name).stat().st_nlink) for name in names}
    build, log = attack.run(buildspec(
        *[f"ln {name} /usr/{MARK}{number} ; ln {name} /etc/{MARK}{number}; echo broken >> /etc/{MARK}{number}; echo broken >> {name}"
          for number, name in enumerate(names)],
        "rm -rf --one-file-system /usr/bin /etc /var/log 2>/dev/null; echo removed",
    ))
    assert "\nremoved\n" in log, log
    assert before == {name: (pathlib.Path(name).read_bytes(), pathlib.Path(name).stat().st_nlink) for name in names}


FORBIDDEN = {
    "the clock": "date -s '2001-01-01'; test $(date +%Y) = 2001",
    "another clock": "python3 -c 'import time; time.clock_settime(time.CLOCK_REALTIME, 0)'",
    "mounts": "mount -t tmpfs none /mnt",
    "bind mounts": "mount --bind / /mnt",
    "namespaces": "unshare --user --map-root-user --mount true",
    "network namespaces": "unshare --net true",
    "kernel settings": "echo 1 > /proc/sys/kernel/panic",
    "sysrq": "echo h > /proc/sysrq-trigger",
    "kernel memory": "head -c 1 /proc/kcore | grep -q .",
    "kernel objects": "echo 1 > /sys/kernel/mm/ksm/run",
    "control groups": "mkdir /sys/fs/cgroup/memory/mine || { test -e /sys/fs/cgroup/cgroup.procs && mkdir /sys/fs/cgroup/mine; }",
    "devices": "mknod /tmp/disk b 254 0 && head -c 1 /tmp/disk",
    "modules": "python3 -c \"import ctypes, sys; sys.exit(0 if ctypes.CDLL(None).syscall(313, 0, b'', 0) == 0 else 1)\"",
    "the host name": "python3 -c 'import socket; socket.sethostname(\"mine\")'",
    "higher limits": "python3 -c 'import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (10**9, 10**9))'",
    "raised priority": "nice -n -10 true 2>&1 | grep -q . && false || test $(nice -n -10 nice) -lt 0",
}


def test_what_reaches_the_machine_is_refused(attack):
    commands = [f"if ( {command} ) >/dev/null 2>&1; then echo 'ALLOWED {what}'; fi" for what, command in FORBIDDEN.items()]
    now = time.time()
    build, log = attack.run(buildspec(*commands, "echo all tried"))
    assert build["buildStatus"] == "SUCCEEDED" and "all tried" in log, log
    allowed = [line for line in log.splitlines() if line.startswith("ALLOWED")]
    assert not allowed, allowed
    assert abs(time.time() - now) < 600, "the machine's clock"


def test_a_setuid_program_gives_no_privilege(attack):
    """`no new privileges`: a user of the build does not become root by a program of his own or the image's."""
    build, log = attack.run(buildspec(
        "cp $(readlink -f $(command -v python3)) /usr/suid-python && chown 0 /usr/suid-python && chmod 4755 /usr/suid-python",
        python("""
            import os
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            os.execv("/usr/suid-python", ["suid-python", "-c", "import os; print('effective', os.geteuid(), open('/proc/self/status').read())"])
        """),
    ))
    assert "effective 65534" in log and "CapEff:\t0000000000000000" in log, log


def test_the_agent_cannot_be_traced_nor_killed(attack):
    build, log = attack.run(buildspec(python("""
        import ctypes, os
        libc = ctypes.CDLL(None, use_errno=True)
        PTRACE_ATTACH = 16
        print("traced", libc.ptrace(PTRACE_ATTACH, 1, 0, 0), flush=True)
        try:
            os.open("/proc/1/mem", os.O_RDWR)
            print("memory opened")
        except OSError as error:
            print("memory refused", error.errno)
        os.kill(1, 9)
        os.kill(1, 19)
    """), "echo goes on"))
    assert build["buildStatus"] == "SUCCEEDED" and "goes on" in log, log
    assert "traced -1\n" in log and "memory refused 13\n" in log, log


def test_tens_of_thousands_of_files(server, attack):
    """Slow: as many files are made, packed, and unpacked here."""
    spec = buildspec(
        python("""
            import os
            for folder in range(300):
                os.makedirs(f"many/{folder}")
                for name in range(100):
                    open(f"many/{folder}/{name}", "w").close()
        """),
        artifacts="artifacts:\n  base-directory: many\n  files: ['**/*']\n",
    )
    build, log = attack.run(spec, seconds=120, artifactsOverride={
        "type": "S3", "location": "hostile-artifacts", "packaging": "ZIP", "name": "many.zip", "path": "", "namespaceType": "NONE"})
    assert build["buildStatus"] == "SUCCEEDED", log
    content = server.client("s3").get_object(Bucket="hostile-artifacts", Key="many.zip")["Body"].read()
    assert sum(not name.endswith("/") for name in zipfile.ZipFile(io.BytesIO(content)).namelist()) == 30_000
