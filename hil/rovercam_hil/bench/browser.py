"""A headless Chromium, driven through its DevTools protocol. No other dependency than the websockets that uvicorn brings."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-port=0", "--window-size=1600,1000",
)  # fmt: skip


READY = (
    "document.querySelectorAll('.q-table tbody tr').length > 10 && !!document.querySelector('#send')"
    " && document.querySelector('.nicegui-echart canvas') && true"
)
"""The console shows values, takes commands and has drawn its plot."""


def find_chromium() -> str | None:
    return os.environ.get("CHROMIUM") or next((p for n in NAMES if (p := shutil.which(n))), None)


class Browser:
    """One page. `problems`: console errors, exceptions and failed requests, in words."""

    def __init__(self, program: str, folder: Path):
        self._log = (folder / "chromium.log").open("w+")
        self._process = subprocess.Popen(
            [program, *OPTIONS, f"--user-data-dir={folder / 'profile'}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=self._log,
        )  # fmt: skip
        self.problems: list[str] = []
        self._number = 0
        port = self._port(folder / "chromium.log")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=10) as answer:
            page = next(t for t in json.load(answer) if t["type"] == "page")
        self._ends = ExitStack()
        self._socket = self._ends.enter_context(
            connect(page["webSocketDebuggerUrl"], max_size=64 << 20, ping_interval=None)
        )
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def _port(self, log: Path) -> str:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            found = re.search(r"DevTools listening on ws://[^:]+:(\d+)/", log.read_text(errors="replace"))
            if found:
                return found[1]
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError(f"Chromium does not start: {log.read_text(errors='replace')[-400:]}")

    def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": arguments}))
        while True:
            message = json.loads(self._socket.recv(timeout=30))
            if message.get("id") == self._number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                result: dict[str, Any] = message["result"]
                return result
            self._event(message)

    def _event(self, message: dict[str, Any]) -> None:
        kind, p = message.get("method"), message.get("params", {})
        if kind == "Runtime.consoleAPICalled" and p["type"] in ("error", "assert"):
            self.problems.append("console: " + " ".join(str(a.get("value", a.get("description"))) for a in p["args"]))
        elif kind == "Runtime.exceptionThrown":
            detail = p["exceptionDetails"]
            self.problems.append(f"exception: {detail.get('exception', {}).get('description', detail['text'])}")
        elif kind == "Log.entryAdded" and p["entry"]["level"] == "error":
            self.problems.append(f"log: {p['entry']['text']} {p['entry'].get('url', '')}")
        elif kind == "Network.requestWillBeSent":
            address = p["request"]["url"]
            if not address.startswith(("http://127.0.0.1", "http://localhost", "data:", "blob:", "about:")):
                self.problems.append(f"leaves this computer: {address}")

    def open(self, address: str) -> None:
        self.call("Page.navigate", url=address)

    def value(self, script: str) -> Any:
        """What a JavaScript expression gives."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise RuntimeError(f"{script}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def until(self, script: str, seconds: float = 10.0) -> Any:
        """The first true value of an expression; fails with the page's text after so many seconds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := self.value(script):
                return found
            time.sleep(0.05)
        raise AssertionError(f"not true within {seconds:g} s: {script}\n{self.value('document.body.innerText')[:1500]}")

    def press(self, key: str, text: str = "", **more: Any) -> None:
        code = {"Enter": 13}.get(key, ord(key[0].upper()))
        self.call(
            "Input.dispatchKeyEvent",
            type="keyDown",
            key=key,
            windowsVirtualKeyCode=code,
            **({"text": text} if text else {}),
            **more,
        )
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code, **more)

    def screenshot(self, file: Path, quality: int = 80) -> None:
        kind: dict[str, Any] = {"format": "jpeg", "quality": quality} if file.suffix == ".jpg" else {"format": "png"}
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", **kind)["data"]))

    def close(self) -> None:
        self._ends.close()
        self._process.terminate()  # also when the page's connection was lost
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._log.close()


__all__ = ["READY", "Browser", "find_chromium"]
