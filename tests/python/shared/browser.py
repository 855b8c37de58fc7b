# SPDX-License-Identifier: MIT
"""A headless Chromium, driven through a pair of pipes (--remote-debugging-pipe): messages are JSON of the DevTools
protocol, each ended by a zero byte, to its descriptor 3 and from its descriptor 4."""
import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

from shared.program import MOST_SECONDS


def find():
    """Chromium, under one of its names, or None."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Browser:
    """One page of a browser. `events` are all that it has reported, as (method, parameters)."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        down, self.to = os.pipe()
        self.back, up = os.pipe()
        words = [find(), "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run",
                 "--disable-extensions", "--disable-background-networking", "--disable-dev-shm-usage", "--no-proxy-server",
                 f"--user-data-dir={self.folder.name}", "about:blank"]
        descriptors = f"exec \"$@\" 3<&{down} 4>&{up}"  # numbers below 10 are all that sh takes: see below
        self.process = subprocess.Popen(["/bin/bash", "-c", descriptors, "bash", *words], pass_fds=(down, up),
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        os.close(down)
        os.close(up)
        self.events, self.rest, self.number, self.session = [], b"", 0, None
        target = next(t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")

    def close(self):
        os.close(self.to)  # Chromium ends with its pipe
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, 9)
            self.process.wait()
        os.close(self.back)
        for _ in range(50):  # its children may still be writing
            shutil.rmtree(self.folder.name, ignore_errors=True)
            if not os.path.exists(self.folder.name):
                break
            time.sleep(0.1)
        self.folder._finalizer.detach()

    def _next(self):
        """The next message."""
        end = time.monotonic() + MOST_SECONDS
        while b"\0" not in self.rest:
            left = end - time.monotonic()
            assert left > 0 and select.select([self.back], [], [], left)[0], "the browser does not answer"
            part = os.read(self.back, 1 << 20)
            assert part, "the browser has ended"
            self.rest += part
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **parameters):
        """A command and its result; events that come in between are kept."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.to, data):]
        while True:
            answer = self._next()
            if answer.get("id") == self.number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            if "method" in answer:
                self.events.append((answer["method"], answer.get("params", {})))

    def open(self, path, width=800, dark=False):
        """Opens a file in a window of this width, and waits until it is there."""
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.size(width)
        seen = len(self.events)
        self.call("Page.navigate", url="file://" + os.path.abspath(path))
        while not any(method == "Page.loadEventFired" for method, _ in self.events[seen:]):
            message = self._next()
            if "method" in message:
                self.events.append((message["method"], message.get("params", {})))

    def size(self, width, height=900):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def picture(self, path, width, height):
        """Writes what the window shows, from its upper left corner, as a PNG."""
        self.size(width, height)
        shown = self.call("Page.captureScreenshot", format="png")["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(shown, validate=True))

    def run(self, script):
        """The value of an expression in the page, which may be a promise."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, f"{script}: {result['exceptionDetails']}"
        return result["result"].get("value")
