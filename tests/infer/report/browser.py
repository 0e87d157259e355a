#!/usr/bin/env python3
"""browser PAGE PICTURE [--size 1280x900] [--scheme light|dark] [--from CSS] [--scale 1]   a screenshot of a page

A headless Chromium (Debian's package `chromium`), driven over its pipe. It can reach no network, and whatever a page asks
for is written down. `--from` begins the picture at the first element of that selector.
"""

import argparse
import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ARGUMENTS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions", "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=127.0.0.1:9", "--font-render-hinting=none", "--force-color-profile=srgb",
)
WAIT = 60  # seconds for any one answer


class Browser:
    """Use it in a `with`; what it starts ends with it."""

    def __enter__(self):
        program = shutil.which("chromium")
        if not program:
            sys.exit("browser: there is no chromium: sandbox/setup installs it (apt-get install --no-install-recommends chromium)")
        self.folder = tempfile.TemporaryDirectory(prefix="browser-")
        theirs_in, self.write = os.pipe()
        self.read, theirs_out = os.pipe()
        # It reads its third descriptor and writes its fourth.
        redirected = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'
        command = ["bash", "-c", redirected, "bash", program, *ARGUMENTS, f"--user-data-dir={self.folder.name}"]
        self.log = open(Path(self.folder.name, "log"), "w+")
        environment = {**os.environ, "LANG": "C.UTF-8", "TZ": "UTC"}
        self.process = subprocess.Popen(
            command, pass_fds=(theirs_in, theirs_out), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            env=environment, start_new_session=True,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        os.set_blocking(self.read, False)
        self.held, self.number, self.events = b"", 0, []
        return self

    def __exit__(self, *_):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        os.close(self.read)
        os.close(self.write)
        self.log.close()
        shutil.rmtree(self.folder.name, ignore_errors=True)

    def message(self):
        end = time.monotonic() + WAIT
        while b"\0" not in self.held:
            try:
                more = os.read(self.read, 1 << 20)
            except BlockingIOError:
                if time.monotonic() > end:
                    raise TimeoutError("chromium does not answer") from None
                time.sleep(0.002)
                continue
            if not more:
                self.log.seek(0)
                raise ConnectionError(f"chromium ended:\n{self.log.read()[-2000:]}")
            self.held += more
        first, self.held = self.held.split(b"\0", 1)
        return json.loads(first)

    def call(self, method, session=None, **parameters):
        self.number += 1
        asked = {"id": self.number, "method": method, "params": parameters}
        if session:
            asked["sessionId"] = session
        whole = json.dumps(asked).encode() + b"\0"
        while whole:
            whole = whole[os.write(self.write, whole):]
        while True:
            message = self.message()
            if message.get("id") == asked["id"]:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]
            if "method" in message:
                self.events.append(message)

    def open(self, address, **look):
        return Page(self, address, **look)


class Page:
    """A page that is drawn, and everything that it did meanwhile."""

    def __init__(self, browser, address, width=1280, height=900, scheme="light", media="", reduced=True):
        self.browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.size(width, height)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        if reduced:
            features.append({"name": "prefers-reduced-motion", "value": "reduce"})
        self.call("Emulation.setEmulatedMedia", media=media, features=features)
        # Whatever a page is made to run by what is in it would set this, or ask.
        self.call("Page.addScriptToEvaluateOnNewDocument", source="window.alert = () => { window.hacked = 'alert' }; window.broken = [];"
                  "addEventListener('securitypolicyviolation', (event) => broken.push(event.violatedDirective + ' ' + event.sourceFile));")
        self.call("Page.navigate", url=address)
        self.wait("document.readyState === 'complete'")

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, **parameters)

    def size(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)

    def run(self, script):
        """The value of an expression in the page."""
        done = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in done:
            raise RuntimeError(f"{script}: {done['exceptionDetails'].get('exception', {}).get('description', done)}")
        return done["result"].get("value")

    def wait(self, script):
        end = time.monotonic() + WAIT
        while not self.run(script):
            if time.monotonic() > end:
                raise TimeoutError(f"never true: {script}; {self.complaints()}")
            time.sleep(0.02)

    def press(self, key, text=""):
        code = {"Enter": 13, "Escape": 27, "Tab": 9, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Home": 36, "End": 35, "/": 191}.get(key, 0)
        text = text or {"Enter": "\r"}.get(key, "")
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=code, text=text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def complaints(self):
        """Errors of scripts and of the console, and what the content policy stopped."""
        said = []
        for event in self.browser.events:
            if event.get("sessionId") != self.session:
                continue
            parameters = event["params"]
            match event["method"]:
                case "Runtime.exceptionThrown":
                    said.append(parameters["exceptionDetails"].get("exception", {}).get("description", "an exception"))
                case "Log.entryAdded" if parameters["entry"]["level"] in ("error", "warning"):
                    said.append(parameters["entry"]["text"])
                case "Runtime.consoleAPICalled":
                    said.append(json.dumps(parameters["args"]))
        return said

    def requests(self):
        """Every address that was asked for, the page's own among them."""
        events = [event for event in self.browser.events if event.get("sessionId") == self.session]
        return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]

    def picture(self, x=0, y=0, width=1280, height=900, scale=1):
        """A PNG of a part of the page, whether or not the window shows it."""
        clip = {"x": x, "y": y, "width": width, "height": height, "scale": scale}
        return base64.b64decode(self.call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)["data"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--size", default="1280x900")
    parser.add_argument("--scheme", choices=("light", "dark"), default="light")
    parser.add_argument("--from", dest="start", default="body", metavar="CSS")
    parser.add_argument("--scale", type=float, default=1)
    asked = parser.parse_args()
    width, height = map(int, asked.size.split("x"))
    with Browser() as browser:
        # So tall that nothing is below it: what no window shows may not be drawn.
        page = browser.open(asked.page.resolve().as_uri(), width=width, height=9_000, scheme=asked.scheme)
        top = page.run(f"document.querySelector({json.dumps(asked.start)}).getBoundingClientRect().top + scrollY")
        asked.picture.write_bytes(page.picture(0, top, width, height, asked.scale))


if __name__ == "__main__":
    main()
