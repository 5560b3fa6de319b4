"""The web pages, by plain HTTP and in headless Chromium."""

import http.client
import json
import os
import pathlib
import re
import ssl
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

import pipelines
from browser import Browser
from codedeploy_host import Host
from conftest import ACCOUNT, LANDFALL, REGION, eventually, working_copy
from test_operator import ask

CONSOLE = "/_landfall/console"
HOSTILE = "<script>alert('owned')</script>"
PICTURES = os.environ.get("LANDFALL_PICTURES")
"""A folder that gets a picture of each page, for people to look at."""


class Visitor:
    """A browser without scripts: cookies, forms, no redirects followed."""

    def __init__(self, server):
        self.server = server
        self.host = server.endpoint.split("://")[1]
        self.cookie = ""
        self.form_token = ""

    def connection(self) -> http.client.HTTPConnection:
        if self.server.endpoint.startswith("https:"):
            trusted = ssl.create_default_context(cafile=self.server.data_dir / "tls/ca.pem")
            return http.client.HTTPSConnection(self.host, timeout=30, context=trusted)
        return http.client.HTTPConnection(self.host, timeout=30)

    def follow(self, path: str, position: str | None = None) -> http.client.HTTPResponse:
        """The events of an open page."""
        connection = self.connection()
        resumed = {"last-event-id": position} if position else {}
        connection.request("GET", CONSOLE + path, headers={"cookie": self.cookie, "accept": "text/event-stream", **resumed})
        reply = connection.getresponse()
        # Holds the connection as long as the reply.
        reply.connection = connection
        return reply

    def ask(self, method: str, path: str, body: str | None = None, **headers) -> "Reply":
        connection = self.connection()
        sent = {"cookie": self.cookie, **{name.replace("_", "-"): value for name, value in headers.items()}}
        connection.request(method, path, body, sent)
        reply = Reply(connection.getresponse())
        connection.close()
        return reply

    def get(self, path: str = "", **headers) -> "Reply":
        reply = self.ask("GET", path if path.startswith(CONSOLE) else CONSOLE + path, **headers)
        token = re.search(r'name="form-token" value="(\w+)"', reply.text)
        self.form_token = token[1] if token else self.form_token
        return reply

    def post(self, path: str, fields: dict, **headers) -> "Reply":
        known = {"origin": self.server.endpoint, "content_type": "application/x-www-form-urlencoded"}
        fields = {"form-token": self.form_token, **fields}
        return self.ask("POST", CONSOLE + path, urllib.parse.urlencode(fields), **{**known, **headers})

    def sign_in(self) -> "Visitor":
        reply = self.post("/sign-in", {"token": token(link(self.server))})
        assert reply.status == 303, reply.text
        self.cookie = reply.headers["set-cookie"].split(";")[0]
        self.get(f"/{REGION}")
        return self


class Reply:
    def __init__(self, response):
        self.status, self.headers = response.status, {name.lower(): value for name, value in response.getheaders()}
        self.text = response.read().decode()


def heard(reply, pattern: str, seconds: float = 20) -> str:
    """The events of an open page up to what is waited for; closes it."""
    text, deadline = "", time.monotonic() + seconds
    while not re.search(pattern, text):
        line = reply.readline().decode()
        assert line and time.monotonic() < deadline, f"{pattern} was not heard in\n{text}"
        text += line
    reply.connection.close()
    return text


def link(server) -> str:
    status, made = ask(server, "CreateConsoleLink")
    assert status == 200, made
    return made["url"]


def token(url: str) -> str:
    return urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)["token"][0]


@pytest.fixture(scope="module")
def server(servers):
    """Builds are scripted, pages are not."""
    return servers("enforce", "dummy")


@pytest.fixture(scope="module")
def visitor(server):
    return Visitor(server).sign_in()


@pytest.fixture(scope="module")
def browser():
    opened = Browser()
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def signed_in(server, browser):
    """Chromium, signed in as a person does it."""
    browser.go(link(server))
    picture(browser, "sign-in")
    browser.click("button.main")
    browser.shows("Pipelines", "h1")
    return browser


def picture(browser, name: str) -> None:
    if PICTURES:
        browser.picture(pathlib.Path(PICTURES) / f"{name}.png")


def approval(name: str = "Approve", **configuration: str) -> dict:
    return {"name": name, "actions": [pipelines.action(name, "Approval", "Manual", configuration)]}


def scripted(server, name: str, folder: pathlib.Path, message: str = "Say hello to everybody", after=(), **script: str) -> None:
    """A pipeline from a repository through a build whose container does as the script says."""
    server.client("codecommit").create_repository(repositoryName=name)
    working_copy(folder / name, server.clone_url(name), {"buildspec.yml": json.dumps(
        {"version": 0.2, "phases": {"build": {"commands": ["true"]}}, "artifacts": {"files": ["**/*"]}})})
    variables = [{"name": f"LANDFALL_DUMMY_{key}", "value": value} for key, value in script.items()]
    pipelines.project(server, name, environment={
        "type": "LINUX_CONTAINER", "image": "dummy", "computeType": "BUILD_GENERAL1_SMALL", "environmentVariables": variables})
    pipelines.create(server, name, [pipelines.source(name), pipelines.build(name), *after])


def state(server, name: str, stage: str) -> dict:
    stages = server.client("codepipeline").get_pipeline_state(name=name)["stageStates"]
    return next(found for found in stages if found["stageName"] == stage)


def stage_is(server, name: str, stage: str, status: str):
    return eventually(lambda: state(server, name, stage).get("latestExecution", {}).get("status") == status, 30, f"{stage} {status}")


def newest_build(server, project: str) -> str:
    return eventually(lambda: server.client("codebuild").list_builds_for_project(projectName=project)["ids"], 30)[0]


def sleeping_build(server, said: str = "") -> str:
    """A build that goes on until it is stopped."""
    script = {"LANDFALL_DUMMY_SLEEP_MS": "600000", "LANDFALL_DUMMY_OUTPUT": said}
    return server.client("codebuild").start_build(
        projectName="app", sourceTypeOverride="NO_SOURCE", artifactsOverride={"type": "NO_ARTIFACTS"},
        buildspecOverride="version: 0.2\nphases: {build: {commands: ['true']}}",
        environmentVariablesOverride=[{"name": name, "value": value} for name, value in script.items()])["build"]["id"]


# Signing in.


def test_a_link_signs_one_browser_in_once(server):
    url = link(server)
    assert url.startswith(f"{server.endpoint}{CONSOLE}/sign-in?token=")
    visitor = Visitor(server)
    for _ in range(2):
        # Whatever previews links opens it, too.
        offered = visitor.get(f"/sign-in?token={token(url)}")
        assert offered.status == 200 and "set-cookie" not in offered.headers and "Sign in</button>" in offered.text
        assert offered.headers["referrer-policy"] == "same-origin"
    assert visitor.post("/sign-in", {"token": "x" * 43}).status == 403
    reply = visitor.post("/sign-in", {"token": token(url)})
    assert (reply.status, reply.headers["location"]) == (303, CONSOLE)
    cookie = reply.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and f"Path={CONSOLE}" in cookie
    again = visitor.post("/sign-in", {"token": token(url)})
    assert again.status == 403 and "landfall console" in again.text and "set-cookie" not in again.headers
    visitor.cookie = cookie.split(";")[0]
    assert visitor.get().headers["location"] == f"{CONSOLE}/{REGION}"
    assert visitor.get(f"/{REGION}").status == 200


def test_no_token_is_in_the_log(servers):
    server = servers("enforce", "dummy", environment={"LANDFALL_LOG": "debug"})
    url = link(server)
    visitor = Visitor(server)
    visitor.get(f"/sign-in?token={token(url)}")
    cookie = visitor.post("/sign-in", {"token": token(url)}).headers["set-cookie"]
    log = server.tail(10_000)
    assert CONSOLE in log
    assert token(url) not in log and cookie.split(";")[0].split("=", 1)[1] not in log
    for path in server.data_dir.rglob("*"):
        if path.is_file():
            assert token(url).encode() not in path.read_bytes(), path


def test_who_is_not_signed_in_sees_how_to(server):
    stranger = Visitor(server)
    for path in ("", f"/{REGION}", f"/{REGION}/pipelines/any", f"/{REGION}/builds/any:1/log.txt"):
        reply = stranger.get(path)
        assert reply.status == 401 and "landfall console" in reply.text, path
    assert stranger.post(f"/{REGION}/pipelines/any/release", {}).status == 401
    stranger.cookie = f"landfall-console-{stranger.host.split(':')[1]}={'x' * 43}"
    assert stranger.get(f"/{REGION}").status == 401


def test_signing_out_ends_the_session(server):
    visitor = Visitor(server).sign_in()
    reply = visitor.post("/sign-out", {})
    assert reply.status == 303 and "Max-Age=0" in reply.headers["set-cookie"]
    assert visitor.get(f"/{REGION}").status == 401


def test_open_mode_asks_for_a_sign_in_too(landfall):
    assert Visitor(landfall).get(f"/{REGION}").status == 401
    assert Visitor(landfall).sign_in().get(f"/{REGION}").status == 200


def test_over_https_the_cookie_is_this_hosts_alone(servers):
    server = servers("enforce", "dummy", "--tls")
    made = subprocess.run([LANDFALL, "console", "--data-dir", server.data_dir], capture_output=True, text=True, timeout=30)
    url = made.stdout.strip()
    assert url.startswith("https://127.0.0.1:"), made.stderr
    visitor = Visitor(server)
    cookie = visitor.post("/sign-in", {"token": token(url)}).headers["set-cookie"]
    assert cookie.startswith("__Host-landfall-console-") and "; Secure" in cookie and "Path=/;" in cookie
    visitor.cookie = cookie.split(";")[0]
    assert visitor.get(f"/{REGION}").status == 200


def test_only_a_root_key_makes_links(server):
    iam = server.client("iam")
    iam.create_user(UserName="watcher")
    key = iam.create_access_key(UserName="watcher")["AccessKey"]
    status, error = ask(server, "CreateConsoleLink", (key["AccessKeyId"], key["SecretAccessKey"]))
    assert (status, error["__type"]) == (403, "AccessDeniedException"), error


def test_the_command_prints_the_link(server):
    def console(*arguments):
        command = [LANDFALL, "console", "--data-dir", server.data_dir, *arguments]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return subprocess.run(command, capture_output=True, text=True, timeout=30, env=environment)

    printed = console()
    assert printed.returncode == 0, printed.stderr
    url = printed.stdout.strip()
    assert "once" in printed.stderr and token(url) not in printed.stderr
    assert Visitor(server).post("/sign-in", {"token": token(url)}).status == 303
    made = json.loads(console("--json").stdout)
    assert token(made["url"]) and made["expiresAt"].endswith("Z")
    failed = subprocess.run([LANDFALL, "console", "--data-dir", "/nonexistent"], capture_output=True, text=True, timeout=30)
    assert failed.returncode == 1 and not failed.stdout, failed.stderr


# What keeps a page to itself.


def test_forms_of_other_sites_and_sessions_are_refused(server, visitor):
    release = f"/{REGION}/pipelines/none/release"
    good = visitor.post(release, {})
    assert good.status == 404 and "none" in good.text
    for reply in (
        visitor.post(release, {}, origin="http://evil.example"),
        visitor.post(release, {}, origin="null"),
        visitor.post(release, {}, origin=server.endpoint[:-1]),
        visitor.post(release, {"form-token": ""}),
        visitor.post(release, {"form-token": "0" * 64}),
        visitor.post(release, {"form-token": Visitor(server).sign_in().form_token}),
        visitor.ask("POST", CONSOLE + release, f"form-token={visitor.form_token}"),
        visitor.post("/sign-out", {}, origin="http://evil.example"),
        visitor.post("/sign-in", {"token": token(link(server))}, origin="http://evil.example"),
    ):
        assert reply.status == 403 and "set-cookie" not in reply.headers, reply.text
    assert visitor.get(f"/{REGION}").status == 200
    assert visitor.post(release, {"reason": "x" * 20_000}).status == 400
    assert visitor.get(release).status == 405


def test_every_page_is_guarded(server, visitor):
    for path in (f"/{REGION}", "/sign-in", "/none", f"/{REGION}/builds", f"/{REGION}/deployments", "/assets/console.css"):
        headers = visitor.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy, path
        assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY", path
    page = visitor.get(f"/{REGION}").text
    assert not re.search(r"\son\w+=|style=|<script(?![^>]*\snonce=)", page)
    assert not re.search(r'(?:src|href)="(?!/_landfall/console|#|data:image)', page)


def test_objects_run_no_script_in_the_consoles_name(server):
    s3 = server.client("s3")
    s3.create_bucket(Bucket="pages")
    s3.put_object(Bucket="pages", Key="evil.html", Body=HOSTILE.encode(), ContentType="text/html")
    url = server.client("s3", signature_version="s3v4").generate_presigned_url("get_object", Params={"Bucket": "pages", "Key": "evil.html"})
    with urllib.request.urlopen(url, timeout=10) as reply:
        policy = reply.headers["content-security-policy"]
    assert policy.startswith("sandbox") and "allow-same-origin" not in policy


def test_pages_that_are_not_there(visitor):
    for path in ("/none", f"/{REGION}/none", f"/{REGION}/pipelines/none", f"/{REGION}/builds/none:1",
                 f"/{REGION}/deployments/d-ABCDEFGHI", f"/{REGION}/pipelines/none/executions/11111111-1111-1111-1111-111111111111"):
        assert visitor.get(path).status == 404, path
    for path in (f"/{REGION}/pipelines/%3Cscript%3E", f"/{REGION}/projects/{'x' * 300}", f"/{REGION}?after=rubbish"):
        reply = visitor.get(path)
        assert 400 <= reply.status < 500 and "<script>" not in reply.text.split("</head>")[1], (path, reply.status)


# What pages show and do.


@pytest.fixture(scope="module")
def app(server, tmp_path_factory):
    """A pipeline that waits for an approval; its build said hostile and coloured things."""
    said = f"\x1b[1;32m   Compiling\x1b[0m hello v0.1.0\n10%\r50%\r100% done\n{HOSTILE}\n\x1b[38;2;255;0;0mred\x1b[0m \x1b]0;title\x07plain"
    scripted(server, "app", tmp_path_factory.mktemp("app"), after=[approval(CustomData=f"Look first {HOSTILE}", ExternalEntityLink="https://example.org/look")], OUTPUT=said)
    eventually(lambda: state(server, "app", "Approve")["actionStates"][0].get("latestExecution", {}).get("token"), 60, "the approval")
    return "app"


def test_the_overview_and_the_pipeline_page(server, visitor, app):
    overview = visitor.get(f"/{REGION}").text
    for text in (">app</a>", "Source", "Build", "Succeeded", "Waits for approval", "change"):
        assert text in overview, text
    page = visitor.get(f"/{REGION}/pipelines/app").text
    execution = pipelines.executions(server, "app")[0]["pipelineExecutionId"]
    build = newest_build(server, "app")
    for text in (execution, f'href="{CONSOLE}/{REGION}/builds/{build}"', "Approve</button>", "https://example.org/look", "Transition enabled", "Look first &#60;script&#62;"):
        assert text in page, text
    assert HOSTILE not in page + overview
    shown = visitor.get(f"/{REGION}/pipelines/app/executions/{execution}").text
    for text in (execution, "CodeBuild", "CodeCommit", "output variable", "Created"):
        assert text in shown, text
    assert ">app #1</a>" in visitor.get(f"/{REGION}/builds").text
    assert ">app #1</a>" in visitor.get(f"/{REGION}/projects/app").text


def test_a_build_shows_its_phases_and_log(server, visitor, app):
    build = newest_build(server, "app")
    page = visitor.get(f"/{REGION}/builds/{build}").text
    for text in ("Download source", "Post build", f'pipelines/app">app</a>', '<span class="f2 sb">   Compiling</span> hello', "100% done", '<span class="f196">red</span> plain', "&lt;script&gt;alert(&#39;owned&#39;)"):
        assert text in page, text
    log = page.split('id="log"')[1].split("</section>")[0]
    assert "50%" not in log and "\x1b" not in log and HOSTILE not in page
    raw = visitor.get(f"/{REGION}/builds/{build}/log.txt")
    assert raw.headers["content-type"].startswith("text/plain") and "\x1b[1;32m" in raw.text and HOSTILE in raw.text


def test_long_logs_are_paged(server, visitor, app):
    build = newest_build(server, "app")
    logs = server.client("codebuild").batch_get_builds(ids=[build])["builds"][0]["logs"]
    now = server.client("logs").describe_log_streams(logGroupName=logs["groupName"])["logStreams"][0]["creationTime"]
    place = {"logGroupName": logs["groupName"], "logStreamName": logs["streamName"]}
    events = [{"timestamp": now, "message": f"line {number}\n"} for number in range(1_200)]
    server.client("logs").put_log_events(**place, logEvents=events)
    page = visitor.get(f"/{REGION}/builds/{build}").text
    assert "line 1199" in page and "line 699<" not in page and page.count('class="l"') <= 500
    seen, path = "", f"/{REGION}/builds/{build}/log"
    for _ in range(10):
        text = visitor.get(path).text
        seen += text
        later = re.search(r'href="([^"]+)">Later<', text)
        if not later:
            break
        path = later[1].replace("&#38;", "&")
    assert [int(number) for number in re.findall(r">line (\d+)<", seen)] == list(range(1_200))
    earlier = re.search(r'href="([^"]+)">Earlier<', text)
    assert earlier and "line" in visitor.get(earlier[1]).text
    assert visitor.get(f"/{REGION}/builds/{build}/log.txt").text.count("line ") >= 1_200


def test_buttons_do_what_they_say(server, visitor, app):
    """Without a script; seen through boto3."""
    token = state(server, "app", "Approve")["actionStates"][0]["latestExecution"]["token"]
    form = {"stage": "Approve", "action": "Approve", "approval": token, "decision": "reject", "comment": "not today"}
    assert visitor.post(f"/{REGION}/pipelines/app/approve", form).headers["location"] == f"{CONSOLE}/{REGION}/pipelines/app"
    stage_is(server, "app", "Approve", "Failed")
    latest = state(server, "app", "Approve")["actionStates"][0]["latestExecution"]
    assert latest["lastUpdatedBy"] == f"arn:aws:iam::{ACCOUNT}:root"
    page = visitor.get(f"/{REGION}/pipelines/app").text
    assert "not today" in page and "Retry failed actions" in page
    again = visitor.post(f"/{REGION}/pipelines/app/approve", form)
    assert 400 <= again.status < 500 and "Not done" in again.text and "ApprovalAlreadyCompletedException" in again.text
    execution = pipelines.executions(server, "app")[0]["pipelineExecutionId"]
    retry = {"stage": "Approve", "execution": execution, "mode": "failed"}
    assert visitor.post(f"/{REGION}/pipelines/app/retry", retry).status == 303
    eventually(lambda: state(server, "app", "Approve")["actionStates"][0]["latestExecution"].get("status") == "InProgress", 30)
    disable = {"stage": "Build", "to": "disabled", "reason": "freeze (again)"}
    assert visitor.post(f"/{REGION}/pipelines/app/transition", disable).status == 303
    assert state(server, "app", "Build")["inboundTransitionState"]["disabledReason"] == "freeze (again)"
    assert "freeze (again)" in visitor.get(f"/{REGION}/pipelines/app").text
    assert visitor.post(f"/{REGION}/pipelines/app/release", {}).status == 303
    eventually(lambda: state(server, "app", "Build").get("inboundExecution"), 30, "the waiting execution")
    assert "waits to enter" in visitor.get(f"/{REGION}/pipelines/app").text
    assert visitor.post(f"/{REGION}/pipelines/app/transition", {"stage": "Build", "to": "enabled"}).status == 303
    assert state(server, "app", "Build")["inboundTransitionState"]["enabled"]
    newest = pipelines.executions(server, "app")[0]["pipelineExecutionId"]
    stop = {"execution": newest, "how": "abandon", "reason": "enough"}
    assert visitor.post(f"/{REGION}/pipelines/app/stop", stop).status == 303
    ended = eventually(lambda: [found for found in pipelines.executions(server, "app") if found["pipelineExecutionId"] == newest and found["status"] == "Stopped"], 30)
    assert ended[0]["stopTrigger"]["reason"] == "enough"
    assert "enough" in visitor.get(f"/{REGION}/pipelines/app").text
    build = sleeping_build(server)
    assert visitor.post(f"/{REGION}/builds/{build}/stop", {}).status == 303
    eventually(lambda: server.client("codebuild").batch_get_builds(ids=[build])["builds"][0]["buildStatus"] == "STOPPED", 30)


def test_what_a_button_may_do_policy_decides_and_the_audit_tells(server, visitor, app):
    visitor.post(f"/{REGION}/pipelines/app/transition", {"stage": "Build", "to": "enabled"})
    lines = [json.loads(line) for path in (server.data_dir / "audit").iterdir() for line in path.read_text().splitlines()]
    found = [line for line in lines if line["eventName"] == "EnableStageTransition"]
    assert found and found[-1]["userIdentity"]["arn"] == f"arn:aws:iam::{ACCOUNT}:root" and found[-1]["sourceIPAddress"] == "127.0.0.1"


def test_history_is_paged(server, visitor, tmp_path):
    scripted(server, "many", tmp_path)
    for _ in range(22):
        server.client("codepipeline").start_pipeline_execution(name="many")
    page = visitor.get(f"/{REGION}/pipelines/many").text
    older = re.search(r'href="([^"#]+)#history">Older<', page)
    assert older and page.count("<tr>") == 21
    assert visitor.get(older[1]).text.count("<tr>") >= 3


def test_the_regions_are_those_with_pipelines(server, visitor):
    assert "eu-west-1" not in visitor.get(f"/{REGION}").text
    elsewhere = type("Elsewhere", (), {"client": lambda _, service: server.client(service, region_name="eu-west-1")})()
    elsewhere.client("s3").create_bucket(Bucket="far-artifacts", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    elsewhere.client("codepipeline").create_pipeline(pipeline={
        "name": "far", "roleArn": f"arn:aws:iam::{ACCOUNT}:role/app-pipeline", "artifactStore": {"type": "S3", "location": "far-artifacts"},
        "stages": [pipelines.source("far"), approval()]})
    assert f'href="{CONSOLE}/eu-west-1"' in visitor.get(f"/{REGION}").text
    far = visitor.get("/eu-west-1").text
    assert ">far</a>" in far and ">app</a>" not in far


# Following.


def test_an_open_page_is_a_bounded_stream(server):
    visitor = Visitor(server).sign_in()
    followed = [visitor.follow(f"/{REGION}") for _ in range(20)]
    try:
        open_ones = [reply for reply in followed if reply.status == 200]
        assert 4 <= len(open_ones) < 20 and {reply.status for reply in followed} == {200, 503}
        for reply in open_ones:
            assert reply.headers["content-type"] == "text/event-stream" and reply.readline() == b"retry: 2000\n"
    finally:
        for reply in followed:
            reply.connection.close()
    assert visitor.get(f"/{REGION}").status == 200


def test_a_log_is_taken_up_where_it_was_left(server, visitor, app):
    """By the id of the last event, with the colour in force there."""
    build = sleeping_build(server, "\x1b[33mone")
    codebuild, logs = server.client("codebuild"), server.client("logs")
    place = eventually(lambda: codebuild.batch_get_builds(ids=[build])["builds"][0]["logs"].get("streamName") and codebuild.batch_get_builds(ids=[build])["builds"][0]["logs"])

    text = heard(visitor.follow(f"/{REGION}/builds/{build}"), r'<div class="l.*>one<')
    assert '<span class="f3">one</span>' in text
    position = re.findall("^id: (.*)$", text, re.MULTILINE)[-1]
    logs.put_log_events(logGroupName=place["groupName"], logStreamName=place["streamName"], logEvents=[
        {"timestamp": int(time.time() * 1000), "message": f"two {HOSTILE}\n"}, {"timestamp": int(time.time() * 1000), "message": "three\n"}])
    text = heard(visitor.follow(f"/{REGION}/builds/{build}", position), r'<div class="l.*>three<').split("event: lines")[-1]
    codebuild.stop_build(id=build)
    assert ">one<" not in text and '<span class="f3">two &lt;script&gt;' in text and '<span class="f3">three</span>' in text


def test_the_server_stops_while_pages_are_open(servers):
    server = servers("enforce", "dummy")
    reply = Visitor(server).sign_in().follow(f"/{REGION}")
    assert reply.readline() == b"retry: 2000\n"
    assert server.stop() == 0
    assert b"event: part" in reply.read()


def test_signing_out_closes_open_pages(server, app):
    visitor = Visitor(server).sign_in()
    reply = visitor.follow(f"/{REGION}/pipelines/app")
    visitor.post("/sign-out", {})
    # The next change finds nobody signed in.
    server.client("codepipeline").start_pipeline_execution(name="app")
    assert b"event: gone" in reply.read()


def test_a_deployment_shows_its_hosts(server, visitor):
    codedeploy, arn = server.client("codedeploy"), f"arn:aws:iam::{ACCOUNT}:user/web-1"
    iam = server.client("iam")
    iam.create_user(UserName="web-1")
    key = iam.create_access_key(UserName="web-1")["AccessKey"]
    codedeploy.register_on_premises_instance(instanceName="web-1", iamUserArn=arn)
    codedeploy.add_tags_to_on_premises_instances(instanceNames=["web-1"], tags=[{"Key": "role", "Value": "web"}])
    codedeploy.create_application(applicationName="shop")
    codedeploy.create_deployment_group(
        applicationName="shop", deploymentGroupName="web", serviceRoleArn=f"arn:aws:iam::{ACCOUNT}:role/app-pipeline",
        onPremisesInstanceTagFilters=[{"Key": "role", "Value": "web", "Type": "KEY_AND_VALUE"}])
    deployment = codedeploy.create_deployment(
        applicationName="shop", deploymentGroupName="web", description=f"say {HOSTILE}",
        revision={"revisionType": "S3", "s3Location": {"bucket": "pages", "key": "shop.zip", "bundleType": "zip"}})["deploymentId"]
    page = f"/{REGION}/deployments/{deployment}"
    followed = visitor.follow(page)
    host = Host(lambda: server.endpoint, arn, (key["AccessKeyId"], key["SecretAccessKey"]))
    host.start()
    heard(followed, r"Before install.*Succeeded")
    eventually(lambda: codedeploy.get_deployment(deploymentId=deployment)["deploymentInfo"]["status"] == "Succeeded", 30)
    host.stop()
    shown = visitor.get(page).text
    for words in (">web-1</h3>", "Application stop", "After install", "Succeeded", "s3://pages/shop.zip", "say &#60;script&#62;"):
        assert words in shown, words
    assert HOSTILE not in shown
    assert deployment in visitor.get(f"/{REGION}/deployments").text


# In Chromium.


def test_a_pipeline_is_approved_in_the_browser_and_the_page_follows(server, signed_in, tmp_path):
    scripted(server, "live", tmp_path, after=[approval("Release", CustomData="Compare the numbers first")])
    signed_in.go(f"{server.endpoint}{CONSOLE}/{REGION}")
    signed_in.shows("Waits for approval", "#pipeline-live")
    signed_in.click("#pipeline-live h2 a")
    signed_in.type("textarea", "Looks good")
    picture(signed_in, "pipeline-approval")
    # Another execution changes the page; what was typed stays.
    server.client("codepipeline").start_pipeline_execution(name="live")
    signed_in.shows("waits to enter", "#board")
    assert signed_in.run("return document.querySelector('textarea').value") == "Looks good"
    signed_in.click("button[value=approve]")
    latest = eventually(lambda: [found for found in pipelines.actions(server, "live") if found["actionName"] == "Release" and found["status"] == "Succeeded"], 30)[0]
    assert latest["output"]["executionResult"]["externalExecutionSummary"] == "Looks good"


def test_a_log_is_followed_with_its_colours(server, signed_in):
    codebuild = server.client("codebuild")
    build = sleeping_build(server, "\x1b[33mgoing")
    signed_in.go(f"{server.endpoint}{CONSOLE}/{REGION}/builds/{build}")
    signed_in.shows("going", "#log", 30)
    logs = codebuild.batch_get_builds(ids=[build])["builds"][0]["logs"]
    place = {"logGroupName": logs["groupName"], "logStreamName": logs["streamName"]}
    now = server.client("logs").describe_log_streams(logGroupName=logs["groupName"])["logStreams"][0]["creationTime"]
    server.client("logs").put_log_events(**place, logEvents=[{"timestamp": now + number, "message": f"{HOSTILE} {number}\n"} for number in range(3)])
    signed_in.shows(f"{HOSTILE} 2", "#log")
    # The colour that the first line left in force holds, each line is there once, and nothing ran.
    assert signed_in.run("return [...document.querySelectorAll('#log .f3')].map((span) => span.textContent)") == ["going", *(f"{HOSTILE} {number}" for number in range(3))]
    codebuild.stop_build(id=build)
    signed_in.shows("Stopped", "#build")
    signed_in.shows("Build again", "#build")


def test_pages_work_without_scripts(server, signed_in, app):
    signed_in.scripts(False)
    try:
        for path, text in (("", "app"), ("/pipelines/app", "Executions"), (f"/builds/{newest_build(server, 'app')}", "Log"), ("/builds", "app #1")):
            signed_in.go(f"{server.endpoint}{CONSOLE}/{REGION}{path}")
            assert text in signed_in.text("main")
        signed_in.go(f"{server.endpoint}{CONSOLE}/{REGION}/pipelines/app")
        before = len(pipelines.executions(server, "app"))
        signed_in.click("#release")
        eventually(lambda: len(pipelines.executions(server, "app")) == before + 1)
    finally:
        signed_in.scripts(True)


@pytest.mark.parametrize("width", [390, 1280])
def test_pages_fit_the_screen_and_are_named(server, signed_in, app, width):
    build = newest_build(server, "app")
    execution = pipelines.executions(server, "app")[-1]["pipelineExecutionId"]
    pages = {"overview": "", "pipeline": "/pipelines/app", "execution": f"/pipelines/app/executions/{execution}", "build": f"/builds/{build}",
             "log": f"/builds/{build}/log", "builds": "/builds", "deployments": "/deployments"}
    signed_in.size(width, 900)
    try:
        for scheme in ("light", "dark") if PICTURES else ("light",):
            signed_in.scheme(scheme)
            for name, path in pages.items():
                signed_in.go(f"{server.endpoint}{CONSOLE}/{REGION}{path}")
                signed_in.one("h1")
                wide = signed_in.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
                assert wide == 0, f"{name} is {wide} pixels wider than {width}"
                nameless = signed_in.run(
                    "return [...document.querySelectorAll('input:not([type=hidden]), textarea, select')]"
                    ".filter((field) => !field.labels.length).map((field) => field.outerHTML)")
                assert not nameless
                ids = signed_in.run("return [...document.querySelectorAll('[id]')].map((element) => element.id)")
                assert len(ids) == len(set(ids)), f"{name}: an id stands twice: {sorted(ids)}"
                picture(signed_in, f"{name}-{width}-{scheme}")
    finally:
        signed_in.scheme("light")
        signed_in.size(1280, 900)
