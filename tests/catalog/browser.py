"""A real browser for the tests: Chromium without a window, spoken to over two pipes in its own DevTools protocol.

Source   https://chromedevtools.github.io/devtools-protocol/ ; over pipes each message ends with a NUL.
"""

import base64
import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_SECONDS = 60
_NAVIGATED = -32000


class PageWentAway(Exception):
    """It went to another address while it was asked."""


def executable() -> str | None:
    """The Chromium of this machine; None when there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Browser:
    """One tab. Whatever a page asks for is kept in ``requests``, whatever goes wrong in its script in ``errors``."""

    def __init__(self, profile: Path) -> None:
        self.requests: list[str] = []
        self.errors: list[str] = []
        self._number = 0
        self._unread = b""
        to_browser, self._out = os.pipe()
        self._in, from_browser = os.pipe()
        command = [
            str(executable()),
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--user-data-dir={profile}",
            "--remote-debugging-pipe",
            "about:blank",
        ]
        # Chromium reads commands from descriptor 3 and answers on 4; the copies are out of the way of both.
        copies = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (to_browser, from_browser)]
        self._process = subprocess.Popen(
            command,
            preexec_fn=lambda: [os.dup2(copy, number) for number, copy in enumerate(copies, 3)],
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in (to_browser, from_browser, *copies):
            os.close(end)
        self._session: str | None = None
        tabs = self._send("Target.getTargets")["targetInfos"]
        tab = next(target["targetId"] for target in tabs if target["type"] == "page")
        self._session = self._send("Target.attachToTarget", targetId=tab, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network"):
            self._send(f"{domain}.enable")

    def __enter__(self) -> "Browser":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(_SECONDS)
        os.close(self._in)
        os.close(self._out)

    def open(self, address: str, width: int = 1200, height: int = 900) -> None:
        """Go to an address, as in a new tab of that size, and wait until it has loaded."""
        self._send("Page.navigate", url="about:blank")
        self._send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        self._send("Page.navigate", url=address)
        self.wait(lambda: self.js("location.href != 'about:blank' && document.readyState") == "complete")

    def js(self, expression: str) -> Any:
        """The value of a JavaScript expression on the page."""
        answer = self._send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise AssertionError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def click(self, selector: str) -> None:
        """Click on the middle of the first element that matches, as a hand would: what covers it gets the click."""
        self.js(f"document.querySelector({json.dumps(selector)}).scrollIntoView({{block: 'center'}})")
        place = self.js(
            f"(({{left, top, width, height}}) => [left + width / 2, top + height / 2])"
            f"(document.querySelector({json.dumps(selector)}).getClientRects()[0])"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self._send("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)

    def type(self, selector: str, text: str) -> None:
        """Type into a field that may hold something."""
        self.js(f"document.querySelector({json.dumps(selector)}).select()")
        self._send("Input.insertText", text=text)

    def wait(self, condition: Callable[[], Any], what: str = "the page") -> None:
        end = time.monotonic() + _SECONDS
        while time.monotonic() < end:
            with contextlib.suppress(PageWentAway):
                if condition():
                    return
            time.sleep(0.05)
        raise AssertionError(f"waited {_SECONDS} s for {what}")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Any command of the protocol."""
        return self._send(method, **parameters)

    def press(self, key: str) -> None:
        """A key that writes nothing, or a sign that is its own name."""
        sign = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        codes = {"Enter": 13, "ArrowUp": 38, "ArrowDown": 40, "Tab": 9}
        code = {"windowsVirtualKeyCode": codes[key]} if key in codes else {}
        self._send("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, **code, **sign)
        self._send("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, **code)

    def picture(self, path: Path, whole: bool = True) -> None:
        shot = self._send("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def _send(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                if method == "Runtime.evaluate" and answer.get("error", {}).get("code") == _NAVIGATED:
                    raise PageWentAway
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result
            self._note(answer)

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._unread:
            received = os.read(self._in, 1 << 20)
            assert received, "Chromium has ended"
            self._unread += received
        line, self._unread = self._unread.split(b"\0", 1)
        message: dict[str, Any] = json.loads(line)
        return message

    def _note(self, event: dict[str, Any]) -> None:
        if event.get("method") == "Network.requestWillBeSent":
            self.requests.append(event["params"]["request"]["url"])
        elif event.get("method") == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(event["params"]["exceptionDetails"])[:1000])
