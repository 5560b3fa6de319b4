"""`landfall run`: folders built and pipelines run here and now, without a server."""

import json
import os
import pathlib
import pty
import re
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

import image_files
from commands import CLEAN, run
from conftest import LANDFALL, ROOT, eventually, git
from pipelines import action
from test_docker_engine import Daemon
from test_images_builds import image, registry  # noqa: F401

GREET = """version: 0.2
env:
  variables: {NAME: nobody}
  exported-variables: [GREETING]
phases:
  install:
    commands: []
  build:
    commands:
      - export GREETING="hello $NAME"
      - mkdir -p out/bin && printf '#!/bin/sh\\necho %s\\n' "$GREETING" > out/bin/greet && chmod 755 out/bin/greet
      - echo notes > out/notes.txt
artifacts:
  name: greet-$NAME
  base-directory: out
  files: ['**/*']
"""
FAIL = """version: 0.2
phases:
  build:
    commands:
      - echo before
      - sh -c 'exit 42'
      - echo never
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Where the runs of this file live."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def app(tmp_path):
    """Makes a folder with these files."""

    def make(buildspec: str | None = GREET, name: str = "app", **files: str) -> pathlib.Path:
        folder = tmp_path / name
        files = {**files, **({"buildspec.yml": buildspec} if buildspec else {})}
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        return folder

    return make


@pytest.fixture
def build(cache):
    """Runs `landfall run` in a folder to its end."""

    def call(folder: pathlib.Path, *arguments, check: bool = False, **environment: str):
        return run("run", *arguments, cwd=folder, check=check, XDG_CACHE_HOME=str(cache), **environment)

    return call


def left(cache: pathlib.Path) -> list[str]:
    """What runs have left in their cache."""
    return os.listdir(cache / "landfall/runs")


def sandboxes_of(folder: pathlib.Path) -> list[str]:
    """The processes that have the folder in their command line."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in command and "landfall run" not in command:
            found.append(command)
    return found


def test_a_folder_is_built_and_its_artifacts_lie_beside(app, build, cache):
    # Longer than 2 s: two builds.
    folder = app()
    done = build(folder, "--env", "NAME=world")
    assert done.returncode == 0, done.stderr
    # What is built and on what, then the log, then the phases.
    assert re.search(r"^source    .*/app, 1 file, ", done.stderr, re.M) and "image     host" in done.stderr
    assert '▸ BUILD\n$ export GREETING="hello $NAME"\n' in done.stdout
    assert re.search(r"^✓ BUILD +SUCCEEDED +\d+\.\d s$", done.stdout, re.M)
    assert "exported  GREETING=hello world" in done.stdout and "(greet-world)" in done.stdout
    assert re.search(r"^✓ SUCCEEDED in ", done.stdout, re.M)
    assert "\x1b" not in done.stdout + done.stderr, "colours are for terminals"
    made = folder / "landfall-out/bin/greet"
    assert subprocess.run([made], capture_output=True, text=True, check=True).stdout == "hello world\n"
    # The next one takes the place of what this one made, and of nothing else.
    (folder / "landfall-out/mine").write_text("mine")
    (folder / "buildspec.yml").write_text(GREET.replace("echo notes > out/notes.txt", "find . -name landfall-out"))
    done = build(folder)
    assert done.returncode == 0 and "landfall-out" not in done.stdout.split("$ find")[1].split("\n\n")[0].splitlines()[1:]
    assert sorted(os.listdir(folder / "landfall-out")) == [".gitignore", ".landfall-run.json", "bin", "mine"]
    assert left(cache) == []


def test_one_document_is_all_that_a_program_reads(app, build):
    folder = app(GREET + "  secondary-artifacts:\n    Notes: {files: [notes.txt], base-directory: out}\n")
    done = build(folder, "--json", "--artifacts", "made", "--env", "NAME=x")
    document = json.loads(done.stdout)
    assert (document["status"], document["failure"], document["image"]) == ("SUCCEEDED", None, "host")
    assert document["exportedVariables"] == {"GREETING": "hello x"}
    paths = [file["path"] for file in document["artifacts"]["files"]]
    assert paths == ["Notes/notes.txt", "bin/greet", "notes.txt"]
    assert document["artifacts"]["sets"] == [{"identifier": None, "name": "greet-x"}, {"identifier": "Notes", "name": None}]
    assert [phase["phase"] for phase in document["phases"]][:3] == ["SUBMITTED", "QUEUED", "PROVISIONING"]
    assert "$ export GREETING" in done.stderr and (folder / "made/Notes/notes.txt").read_text() == "notes\n"


def test_a_failed_command_is_named_with_its_line(app, build, cache):
    # Longer than 2 s: four builds.
    folder = app(FAIL)
    done = build(folder)
    assert done.returncode == 1
    assert re.search(r"^✗ FAILED in .*: BUILD: `sh -c 'exit 42'` ended with exit status 42\n  buildspec.yml:6: ", done.stdout, re.M)
    assert "never" not in done.stdout.replace("echo never", "") and not (folder / "landfall-out").exists()
    failure = json.loads(build(folder, "--json").stdout)["failure"]
    assert (failure["phase"], failure["command"], failure["exitStatus"], failure["line"]) == ("BUILD", "sh -c 'exit 42'", 42, 6)
    # Quiet: nothing but what matters.
    quiet = build(folder, "-q")
    assert quiet.returncode == 1 and "before" in quiet.stdout and quiet.stderr == ""
    missing = build(app(FAIL.replace("sh -c 'exit 42'", "no-such-program"), name="other"))
    assert missing.returncode == 1 and "--share" in missing.stdout
    assert left(cache) == []


@pytest.mark.parametrize("buildspec, said", [
    (None, r"there is no buildspec.yml here\. .*Write one, or name another file with --buildspec"),
    ("version: 0.2\nphases:\n  biuld:\n    commands: [make]\n", r"buildspec.yml:4:5: Invalid buildspec phase name: biuld.*\n +4 \| "),
    ("version: 0.2\nphases: [\n", r"buildspec.yml:\d+:\d+: "),
    ("version: 0.9\nphases: {}\n", r"buildspec.yml:1:\d+: Invalid buildspec version: 0.9"),
], ids=["none", "key", "syntax", "version"])
def test_what_is_wrong_with_the_buildspec_is_said_before_anything_starts(app, build, buildspec, said):
    done = build(app(buildspec, **{"Makefile": "test:\n"}))
    assert done.returncode == 1 and done.stdout == ""
    assert re.search(said, done.stderr, re.S), done.stderr


def test_another_buildspec_is_found_here_or_there(app, build, tmp_path):
    folder = app(None, **{"ci/buildspec-test.yml": "version: 0.2\nphases: {build: {commands: [echo within]}}\n"})
    assert "--buildspec ci/buildspec-test.yml" in build(folder).stderr
    assert "within" in build(folder, "--buildspec", "ci/buildspec-test.yml", check=True).stdout
    (tmp_path / "outside.yml").write_text("version: 0.2\nphases: {build: {commands: [echo outside, ls]}}\n")
    shown = build(tmp_path, "app", "--buildspec", "outside.yml", check=True).stdout
    assert "outside" in shown and "\nci\n" in shown


def test_variables_come_from_the_line_files_and_this_shell_and_are_not_told(app, build):
    # Longer than 2 s: three builds.
    show = "version: 0.2\nphases: {build: {commands: ['test \"$A-$B-$TOKEN\" = line-file-s3cret && echo right']}}\n"
    folder = app(show, **{".env": "# of the team\nexport A=file\nB='file'\n"})
    arguments = ("--env-file", ".env", "--env", "A=line", "--env", "TOKEN", "-v")
    done = build(folder, *arguments, TOKEN="s3cret", check=True)
    assert "right" in done.stdout and "s3cret" not in done.stdout.replace("line-file-s3cret", "") + done.stderr
    refused = build(folder, *arguments)
    assert refused.returncode == 1 and "this shell has no variable TOKEN" in refused.stderr
    stored = app("version: 0.2\nenv: {parameter-store: {TOKEN: /team/token}}\nphases: {build: {commands: ['echo \"got $TOKEN\"']}}\n", name="stored")
    assert "--env NAME=VALUE" in build(stored).stdout
    assert "got it" in build(stored, "--env", "TOKEN=it", check=True).stdout
    for wrong in ("A-B=s3cret", "CODEBUILD_SRC_DIR=s3cret"):
        refused = build(folder, "--env", wrong)
        # clap shows what it was given: the value is the user's own, on the user's own screen.
        assert refused.returncode == 2 and "names that begin" in refused.stderr or "letters, digits" in refused.stderr


def test_the_working_tree_is_built_as_it_is_or_as_it_was(app, build):
    # Longer than 2 s: four builds.
    listing = "version: 0.2\nphases: {build: {commands: ['ls; cat file', 'git describe --tags', 'echo at $CODEBUILD_RESOLVED_SOURCE_VERSION']}}\n"
    folder = app(listing, **{"file": "first\n", ".gitignore": "ignored\n", "ignored": "", "part/buildspec.yml": "version: 0.2\nphases: {build: {commands: [ls]}}\n"})
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "first")
    git(folder, "tag", "v1")
    commit = git(folder, "rev-parse", "HEAD").stdout.strip()
    (folder / "file").write_text("second\n")
    (folder / "new").write_text("")
    before = git(folder, "status", "--porcelain").stdout

    now = build(folder, check=True)
    assert f"at {commit[:7]} with changes" in now.stderr and f"at {commit}" in now.stdout
    assert "second" in now.stdout and "\nnew\n" in now.stdout and "\nignored\n" not in now.stdout and "\nv1\n" in now.stdout
    assert "\nignored\n" in build(folder, "--include-ignored", check=True).stdout
    then = build(folder, "--source-version", "v1", check=True)
    assert "first" in then.stdout and "\nnew\n" not in then.stdout and "\nv1\n" in then.stdout
    assert "file" not in build(folder, "part", "--source-version", commit, check=True).stdout.split("$ ls")[1]
    refused = build(folder, "--source-version", "v2")
    assert refused.returncode == 1 and "no such commit, branch or tag" in refused.stderr
    assert git(folder, "status", "--porcelain").stdout == before, "nothing in the folder has changed"


def test_links_and_modes_arrive_and_what_leads_out_is_told(app, build):
    folder = app("version: 0.2\nphases: {build: {commands: [./run.sh, 'cat link', 'test ! -e out']}}\n", **{"run.sh": "#!/bin/sh\necho ran\n"})
    (folder / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("run.sh")
    (folder / "out").symlink_to("/etc/passwd")
    done = build(folder, check=True)
    assert "\nran\n" in done.stdout and "left out: out" in done.stderr


def test_a_folder_of_somebody_else_is_not_written_into(app, build):
    folder = app()
    (folder / "landfall-out").mkdir()
    (folder / "landfall-out/precious").write_text("")
    done = build(folder)
    assert done.returncode == 1 and "--artifacts" in done.stderr and done.stdout == ""
    assert os.listdir(folder / "landfall-out") == ["precious"]


def test_a_time_limit_ends_it(app, build, cache):
    folder = app("version: 0.2\nphases: {build: {commands: [echo waiting, sleep 600]}}\n")
    done = build(folder, "--timeout", "1s")
    assert done.returncode == 1 and re.search(r"✗ TIMED_OUT .*--timeout", done.stdout), done.stdout
    assert left(cache) == []


def start(folder: pathlib.Path, cache: pathlib.Path, *arguments: str, **environment: str) -> subprocess.Popen:
    """Starts `landfall run`; its output goes to the file `log` beside the folder."""
    with (folder.parent / "log").open("wb") as log:
        command = [str(LANDFALL), "run", *arguments]
        return subprocess.Popen(command, cwd=folder, env={**CLEAN, "XDG_CACHE_HOME": str(cache), **environment}, stdout=log, stderr=log)


SLEEP = "version: 0.2\nphases: {build: {commands: [echo begun, sleep 600]}}\n"


def began(folder: pathlib.Path) -> bool:
    return "\nbegun\n" in (folder.parent / "log").read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "term"])
def test_ctrl_c_stops_the_build_and_leaves_nothing(app, cache, number):
    folder = app(SLEEP)
    process = start(folder, cache)
    try:
        eventually(lambda: began(folder))
        process.send_signal(number)
        assert process.wait(timeout=60) == 130
        assert left(cache) == [] and not sandboxes_of(cache)
    finally:
        process.kill()


def test_who_has_read_enough_of_what_is_said_beside_does_not_end_it(app, cache):
    """As `2>&1 | head -1` does to stderr, here with stdout read on."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([str(LANDFALL), "run"], cwd=app(), env={**CLEAN, "XDG_CACHE_HOME": str(cache)},
                          stdout=subprocess.PIPE, stderr=writer, text=True, timeout=60, check=False)
    os.close(writer)
    assert done.returncode == 0 and "SUCCEEDED" in done.stdout
    assert left(cache) == []


def test_what_a_killed_run_leaves_is_cleared_by_the_next(app, build, tmp_path):
    # Longer than 2 s: a build that is killed, and one that clears up.
    cache = tmp_path / "cache"
    folder = app(SLEEP)
    process = start(folder, cache)
    try:
        eventually(lambda: began(folder))
        process.kill()
        process.wait(timeout=10)
        assert len(left(cache)) == 2 and sandboxes_of(cache)
        done = run("run", app(name="next"), "--artifacts", tmp_path / "out", XDG_CACHE_HOME=str(cache))
        assert "SUCCEEDED" in done.stdout
        assert left(cache) == []
        eventually(lambda: not sandboxes_of(cache))
    finally:
        process.kill()


def test_the_first_words_come_at_once(app, cache):
    folder = app(SLEEP)
    begun = time.monotonic()
    process = start(folder, cache)
    try:
        eventually(lambda: (folder.parent / "log").read_text())
        # It takes some 30 ms, but tests share their machine.
        assert time.monotonic() - begun < 3
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)


def test_an_s3_of_its_own_serves_the_build(app, build):
    # Longer than 2 s where python has to compile boto3 first.
    commands = ["env | grep -q ^AWS_ENDPOINT_URL=http://127.0.0.1:4566", "printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' | timeout 5 bash -c 'exec 3<>/dev/tcp/127.0.0.1/4566; cat >&3; cat <&3'"]
    done = build(app(json.dumps({"version": 0.2, "phases": {"build": {"commands": commands}}})), check=True)
    assert "200 OK" in done.stdout


def test_the_example_is_built_by_its_own_buildspec(build, tmp_path):
    # Longer than 2 s: rustc compiles and tests a service.
    folder = shutil.copytree(ROOT / "examples/hello-service", tmp_path / "hello-service", ignore=shutil.ignore_patterns("target", "bin"))
    sysroot = subprocess.run(["rustc", "--print", "sysroot"], capture_output=True, text=True, check=True).stdout.strip()
    done = build(folder, "--share", sysroot)
    assert done.returncode == 0, done.stdout + done.stderr
    assert os.access(folder / "landfall-out/bin/hello-service", os.X_OK) and (folder / "landfall-out/appspec.yml").exists()


def test_an_ordinary_user_builds_too(build):
    nobody = 65534
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="landfall-run-") as home:
        folder = pathlib.Path(home) / "app"
        folder.mkdir()
        (folder / "buildspec.yml").write_text("version: 0.2\nphases: {build: {commands: ['id -un > user']}}\nartifacts: {files: [user]}\n")
        for path in (pathlib.Path(home), folder, folder / "buildspec.yml"):
            os.chown(path, nobody, nobody)
        # The build's own folder may be closed to others.
        for program in (LANDFALL, LANDFALL.with_name("landfall-agent")):
            shutil.copy(program, home)
        command = [f"{home}/{LANDFALL.name}", "run", "--build-network", "none"]
        done = subprocess.run(command, cwd=folder, env={**CLEAN, "HOME": home}, user=nobody, group=nobody, extra_groups=[], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        made = folder / "landfall-out/user"
        assert made.read_text() == "root\n" and made.stat().st_uid == nobody
        assert os.listdir(pathlib.Path(home) / ".cache/landfall/runs") == []


def test_an_image_is_pulled_once_for_all_runs(app, build, registry, image):
    # Longer than 2 s: two builds, and a registry to start.
    folder = app("version: 0.2\nphases: {build: {commands: [cat /etc/greeting, 'echo \"as $(id -u)\"']}}\n")
    assert "hello from a layer\n" in build(folder, "--image", image, check=True).stdout
    handed = registry.blobs_handed_out()
    assert "as 0\n" in build(folder, "--image", image, check=True).stdout
    assert registry.blobs_handed_out() == handed
    missing = build(folder, "--image", f"{registry.address}/nothing:1")
    assert missing.returncode == 1 and "nothing:1" in missing.stderr and "--image host" in missing.stderr


def test_the_standard_image_is_taken_where_it_is_here(app, build, tmp_path):
    cache = tmp_path / "cache"
    archive = image_files.docker_archive(tmp_path / "standard.tar", "landfall/standard:1", {"etc/which": "the standard one\n"})
    run("images", "load", archive, "--data-dir", cache / "landfall")
    folder = app("version: 0.2\nphases: {build: {commands: [cat /etc/which]}}\n")
    done = run("run", cwd=folder, XDG_CACHE_HOME=str(cache))
    assert "the standard one\n" in done.stdout and "image     the standard image" in done.stderr


@pytest.mark.parametrize("variable", ["LANDFALL_TEST_DOCKER", "LANDFALL_TEST_PODMAN"], ids=["docker", "podman"])
def test_a_daemon_runs_the_build(app, build, cache, variable):
    # Longer than 2 s: daemons take their time.
    daemon = Daemon(variable)
    arguments = ("--engine", "docker", "--image", os.environ["LANDFALL_TEST_IMAGE"])
    folder = app("version: 0.2\nphases: {build: {commands: [echo within > made]}}\nartifacts: {files: [made]}\n")
    build(folder, *arguments, check=True, DOCKER_HOST=daemon.url)
    assert (folder / "landfall-out/made").read_text() == "within\n"
    before = len(daemon.ask("GET", "/containers/json?all=1"))
    (folder / "buildspec.yml").write_text(SLEEP)
    killed = start(folder, cache, *arguments, DOCKER_HOST=daemon.url)
    try:
        eventually(lambda: began(folder))
        killed.kill()
        killed.wait(timeout=10)
        assert len(daemon.ask("GET", "/containers/json?all=1")) == before + 1
        build(app(name="next"), check=True, DOCKER_HOST=daemon.url)
        assert len(daemon.ask("GET", "/containers/json?all=1")) == before
    finally:
        killed.kill()


# Pipelines.

def source(name: str = "App", **more) -> dict:
    return action(name, "Source", "CodeCommit", {"RepositoryName": "app", "BranchName": "main"}, outputs=[name], namespace=f"{name}Source", **more)


def pipeline(tmp_path: pathlib.Path, *stages: list[dict], **more) -> pathlib.Path:
    """Writes a definition as `aws codepipeline get-pipeline` does."""
    names = ["Source", "Build", "Release", "Last"]
    definition = {
        "name": "app",
        "roleArn": "arn:aws:iam::123456789012:role/pipeline",
        "artifactStore": {"type": "S3", "location": "somewhere"},
        "pipelineType": "V2",
        "stages": [{"name": name, "actions": actions} for name, actions in zip(names, stages)],
        **more,
    }
    path = tmp_path / "pipeline.json"
    path.write_text(json.dumps({"pipeline": definition, "metadata": {"pipelineArn": "x"}}))
    return path


def builds(second: dict | None = None) -> list[dict]:
    """Two builds; the second sees what the first exports."""
    first = action("Compile", "Build", "CodeBuild", {"ProjectName": "compile"}, ["App"], ["Bin"], namespace="Compile")
    variables = json.dumps([{"name": "NAME", "value": "#{Compile.GREETING} #{AppSource.BranchName}"}])
    check = action("Check", "Test", "CodeBuild", {"ProjectName": "check", "EnvironmentVariables": variables, **(second or {})}, ["App"], order=2)
    return [first, check]


RELEASE = [
    action("Go", "Approval", "Manual", {"CustomData": "Ship it?"}),
    action("Site", "Deploy", "S3", {"BucketName": "site", "Extract": "true"}, ["Bin"], order=2),
]


def test_a_pipeline_runs_on_a_folder(app, build, cache, tmp_path):
    # Longer than 2 s: two builds one after the other.
    folder = app()
    project = tmp_path / "check.json"
    spec = "version: 0.2\nphases: {build: {commands: ['echo \"got $NAME\" $KEPT']}}\n"
    variables = [{"name": "KEPT", "value": "kept"}]
    project.write_text(json.dumps({"name": "check", "source": {"type": "GITHUB", "buildspec": spec}, "environment": {"image": "aws/codebuild/standard:7.0", "environmentVariables": variables}, "serviceRole": "x"}))
    definition = pipeline(tmp_path, [source()], builds(), RELEASE)
    done = build(folder, "--pipeline", definition, "--approve", "Go", "--project", f"check={project}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Compile │ $ export GREETING" in done.stdout and "Check │ got hello nobody main kept" in done.stdout
    assert re.search(r"^✓ Release/Go +Succeeded +\d", done.stdout, re.M) and "✓ Succeeded in" in done.stdout
    assert (folder / "landfall-out/site/bin/greet").exists()
    assert left(cache) == []


def test_a_pipeline_that_fails_says_where(app, build, tmp_path):
    # Longer than 2 s: two pipelines.
    folder = app(FAIL)
    definition = pipeline(tmp_path, [source()], builds()[:1], RELEASE)
    done = build(folder, "--pipeline", definition, "--approve", "all")
    assert done.returncode == 1
    assert "Build/Compile: BUILD: `sh -c 'exit 42'` ended with exit status 42" in done.stdout
    assert "Release/" not in done.stdout and not (folder / "landfall-out").exists()
    document = json.loads(build(folder, "--pipeline", definition, "--approve", "all", "--json").stdout)
    assert document["status"] == "Failed"
    assert [(entry["action"], entry["status"]) for entry in document["actions"]] == [("App", "Succeeded"), ("Compile", "Failed")]


def test_what_a_pipeline_cannot_have_here_is_said_before_it_runs(app, build, tmp_path):
    folder = app()
    hosts = action("Hosts", "Deploy", "CodeDeploy", {"ApplicationName": "a", "DeploymentGroupName": "g"}, ["Bin"])
    definition = pipeline(tmp_path, [source()], builds()[:1], [*RELEASE, hosts])

    def refused(*arguments) -> str:
        done = build(folder, "--pipeline", definition, *arguments)
        assert done.returncode == 1 and done.stdout == "", done.stdout
        return done.stderr

    assert "--skip Release/Hosts" in refused()
    assert "--approve Go" in refused("--skip", "Hosts"), "there is no terminal to ask on"
    assert "no such action" in refused("--skip", "Nothing")
    assert "reads the artifact Bin" in refused("--skip", "Hosts", "--skip", "Compile", "--approve", "all")
    assert "no action of the pipeline names this project" in refused("--skip", "Hosts", "--project", "x=y.json")
    definition = pipeline(tmp_path, [source(), source("Lib")], builds()[:1])
    assert "--source Lib=DIR" in refused()
    (folder / "buildspec.yml").write_text("version: 0.2\nphases: {biuld: {}}\n")
    assert "Invalid buildspec phase name" in refused("--source", f"Lib={tmp_path}")
    definition = pipeline(tmp_path, [source()], builds()[:1], variables=[{"name": "Stage"}])
    assert "--variable Stage=VALUE" in refused()


def ask(folder: pathlib.Path, cache: pathlib.Path, definition: pathlib.Path, answer: str) -> tuple[int, str]:
    """Runs a pipeline on a terminal, gives the answer when it asks, and tells how it ended."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.environ.update({**CLEAN, "XDG_CACHE_HOME": str(cache), "TERM": "xterm"})
        os.execv(str(LANDFALL), ["landfall", "run", "--pipeline", str(definition)])
    shown = ""
    try:
        while True:
            try:
                piece = os.read(terminal, 4096)
            except OSError:
                break
            if not piece:
                break
            before, shown = shown, shown + piece.decode(errors="replace")
            if "[y/N]" in shown and "[y/N]" not in before:
                os.write(terminal, answer.encode())
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown
    finally:
        os.close(terminal)


@pytest.mark.parametrize("answer, code, said", [("y\n", 0, "Succeeded"), ("n not on a Friday\n", 1, "not on a Friday"), ("\x03", 130, "stopping")], ids=["yes", "no", "ctrl-c"])
def test_an_approval_is_asked_for_on_the_terminal(app, cache, tmp_path, answer, code, said):
    folder = app("version: 0.2\nphases: {build: {commands: [echo x > x]}}\nartifacts: {files: [x]}\n")
    ended, shown = ask(folder, cache, pipeline(tmp_path, [source()], builds()[:1], RELEASE), answer)
    assert ended == code, shown
    assert "Ship it?" in shown and "approve Release/Go? [y/N]" in shown and said in shown
    assert "\x1b[1m▸ Build/Compile" in shown, "colours are for terminals"
    assert (folder / "landfall-out/site/x").exists() == (code == 0)
    assert left(cache) == []
