"""Headless Chromium, driven by WebDriver (W3C) over plain HTTP: what a test of pages needs of it."""

import base64
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request

from conftest import eventually

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""The key of an element's id (WebDriver, "web element identifier")."""

ARGUMENTS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-prefers-reduced-motion",
    "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking", "--disable-component-update",
]


class Browser:
    """One browser with a profile of its own."""

    def __init__(self):
        self.home = tempfile.mkdtemp(prefix="landfall-chromium-")
        self.driver = subprocess.Popen(
            [shutil.which("chromedriver"), "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, "HOME": self.home}, start_new_session=True)
        started = None
        while not started:
            line = self.driver.stdout.readline()
            assert line, "chromedriver ended"
            started = re.search(r"started successfully on port (\d+)", line)
        self.base = f"http://127.0.0.1:{started[1]}"
        options = {"args": [*ARGUMENTS, f"--user-data-dir={self.home}/profile"]}
        capabilities = {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options}}
        self.session = self.ask("POST", "/session", {"capabilities": capabilities})["sessionId"]
        self.size(1280, 900)

    def close(self) -> None:
        self.ask("DELETE", f"/session/{self.session}")
        self.driver.terminate()
        self.driver.wait(timeout=20)
        shutil.rmtree(self.home, ignore_errors=True)

    def ask(self, method: str, path: str, body: dict | None = None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"content-type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.load(reply)["value"]

    def do(self, command: str, **body):
        return self.ask("POST", f"/session/{self.session}/{command}", body)

    def devtools(self, command: str, **parameters):
        return self.do("goog/cdp/execute", cmd=command, params=parameters)

    def size(self, width: int, height: int) -> None:
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)

    def scheme(self, name: str) -> None:
        """`light` or `dark`."""
        self.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def scripts(self, on: bool) -> None:
        self.devtools("Emulation.setScriptExecutionDisabled", value=not on)

    def go(self, url: str) -> None:
        self.do("url", url=url)

    def find(self, css: str) -> list[str]:
        return [found[ELEMENT] for found in self.do("elements", using="css selector", value=css)]

    def one(self, css: str) -> str:
        """The element, once it is there."""
        return eventually(lambda: self.find(css), 15, css)[0]

    def click(self, css: str) -> None:
        self.on(css, "click")

    def type(self, css: str, text: str) -> None:
        self.on(css, "value", text=text)

    def on(self, css: str, command: str, **body) -> None:
        """Does it to the element; again where the page replaced the element meanwhile."""
        def done() -> bool:
            try:
                self.do(f"element/{self.one(css)}/{command}", **body)
                return True
            except urllib.error.HTTPError as error:
                if json.load(error)["value"]["error"] != "stale element reference":
                    raise
                return False

        eventually(done, 15, f"{command} on {css}")

    def text(self, css: str = "body") -> str:
        return self.ask("GET", f"/session/{self.session}/element/{self.one(css)}/text")

    def shows(self, text: str, css: str = "main", seconds: float = 15) -> None:
        """Waits until the element, which may be replaced meanwhile, has the text."""
        eventually(lambda: text in self.run("return document.querySelector(arguments[0])?.innerText || ''", css), seconds, f"'{text}' in {css}")

    def run(self, script: str, *arguments):
        return self.do("execute/sync", script=script, args=list(arguments))

    def picture(self, path: pathlib.Path) -> None:
        path.write_bytes(base64.b64decode(self.ask("GET", f"/session/{self.session}/screenshot")))

    @property
    def address(self) -> str:
        return self.ask("GET", f"/session/{self.session}/url")
