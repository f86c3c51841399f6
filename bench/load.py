"""Many sessions at once on one server of this machine: each loads the page, opens a stored run and moves through it.

Sessions speak the protocol of the page itself, over its websocket, without a browser: what is timed is the server's answer,
from a click until the change that follows from it has come back.
"""

import asyncio
import json
import os
import random
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil

from workbench.methods import METHODS
from workbench.models import load
from workbench.store import Store
from workbench.tasks import TASKS

ROOT = Path(__file__).parents[1]
MODEL = "tiny:repeat"
# Seconds between an answer and the next click of one person: drawn as TPC-W draws its think time (clause 5.3.1), by a
# negative exponential distribution of this mean, cut at ten times as much.
PAUSE = 7.0
# Seconds between two arrivals: a class of thirty is there in a minute.
ARRIVAL = 2.0
# Pixels of the main area in windows of common screens.
WIDTHS = (1026, 1100, 1196, 1260, 1580)
# After this a click counts as lost.
LOST = 60.0


def under_load(sessions: int, seconds: float | int, seed: int) -> dict[str, Any]:
    """What a server does under load: seconds of its first page and of clicks, errors, memory from minute to minute.

    Args:
        sessions: How many at once.
        seconds: For how long.
        seed: Of who clicks what.
    """
    with tempfile.TemporaryDirectory() as folder:
        key = _stored(Path(folder))
        port = free_port()
        server, begun = served(port, folder), time.perf_counter()
        try:
            started = wait(port, server, begun)
            url = f"127.0.0.1:{port}/circuits"
            cold = asyncio.run(_first(url, key))
            watched = psutil.Process(server.pid)
            memory = _Memory(watched)
            told = asyncio.run(_all(url, key, sessions, seconds, seed, memory))
        finally:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
    clicks = sorted(told.clicks)
    return {
        "sessions": sessions,
        "seconds": seconds,
        "start_s": started,
        "first_page_s": cold,
        "pages_s": _shares(told.pages),
        "clicks": len(clicks),
        "click_s": _shares(clicks),
        "pause_s": PAUSE,
        "under_1_s": sum(each < 1 for each in clicks) / max(1, len(clicks)),
        "errors": told.errors,
        "memory_bytes": memory.seen,
    }


def _shares(values: list[float]) -> dict[str, float]:
    """Median, the 95th of a hundred, and the longest."""
    if not values:
        return {}
    ordered = sorted(values)
    return {
        "p50": statistics.median(ordered),
        "p95": ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))],
        "longest": ordered[-1],
    }


def _stored(folder: Path) -> str:
    """Put runs into a store; the key of one."""
    model, store = load(MODEL, device="cpu"), Store(folder)
    keys = [
        store.compute(METHODS[name], model, TASKS["repeated_tokens"](model, n=8, seed=seed)).origin.key
        for seed in range(2)
        for name in ("baseline", "patch", "atp")
    ]
    return keys[1]


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def served(port: int, folder: str, names: Sequence[str] = ("circuits",)) -> subprocess.Popen:
    """A server of some pages on a store."""
    env = {**os.environ, "WORKBENCH_STORE": folder, "PYTHONPATH": str(ROOT)}
    apps = [str(ROOT / "apps" / f"{name}.py") for name in names]
    words = [sys.executable, "-m", "panel", "serve", *apps, "--warm", "--num-threads", "4"]
    words += ["--port", str(port), "--address", "127.0.0.1"]
    return subprocess.Popen(
        words, env=env, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


def wait(port: int, server: subprocess.Popen, begun: float) -> float:
    """Wait until a server listens; seconds since it was begun."""
    while time.perf_counter() - begun < 120:
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return time.perf_counter() - begun
        except OSError:
            if server.poll() is not None:
                raise RuntimeError("the server ended before it opened") from None
            time.sleep(0.05)
    raise RuntimeError("the server did not open in two minutes")


class _Told:
    """What all sessions tell."""

    def __init__(self):
        self.pages: list[float] = []
        self.clicks: list[float] = []
        self.errors: list[str] = []
        self.begun = False


class _Memory:
    """Memory of the server over time."""

    def __init__(self, process: psutil.Process):
        self._process, self.seen = process, []

    async def watch(self, every: float) -> None:
        while True:
            self.seen.append(self._process.memory_info().rss)
            await asyncio.sleep(every)


async def _first(url: str, key: str) -> float:
    start = time.perf_counter()
    page = Page(url, key)
    await page.open()
    page.close()
    return time.perf_counter() - start


async def _all(url: str, key: str, sessions: int, seconds: float, seed: int, memory: _Memory) -> _Told:
    told, all_there = _Told(), asyncio.Barrier(sessions)
    people = [
        asyncio.create_task(_session(url, key, ARRIVAL * i, seconds, random.Random(seed * 1000 + i), told, all_there))
        for i in range(sessions)
    ]
    # Memory is watched from when all are there: opening a session takes some.
    while not told.begun and not all(one.done() for one in people):
        await asyncio.sleep(0.1)
    watching = asyncio.create_task(memory.watch(max(1.0, seconds / 20)))
    await asyncio.gather(*people)
    watching.cancel()
    return told


async def _session(
    url: str, key: str, after: float, seconds: float, chance: random.Random, told: _Told, all_there: asyncio.Barrier
) -> None:
    """One person: opens the page, and when all have, clicks rows of its tables; what goes wrong is told."""
    page = Page(url, key, chance.choice(WIDTHS))
    try:
        await asyncio.sleep(after)
        start = time.perf_counter()
        try:
            await page.open()
            told.pages.append(time.perf_counter() - start)
        finally:
            await all_there.wait()
        told.begun, end = True, time.perf_counter() + seconds
        while time.perf_counter() < end:
            await page.rest(min(chance.expovariate(1 / PAUSE), 10 * PAUSE, end - time.perf_counter()))
            if time.perf_counter() >= end:
                break
            start = time.perf_counter()
            await page.click(chance)
            told.clicks.append(time.perf_counter() - start)
    except Exception as problem:
        told.errors.append(f"{type(problem).__name__}: {problem}"[:200])
    finally:
        page.close()


class Page:
    """One session of a served page, spoken to as its own script does."""

    def __init__(self, url: str, key: str, width: int = WIDTHS[0]):
        self._url, self._key, self._width = url, key, width
        self._socket: Any = None
        self._sent, self._frame_to_come = 0, None
        self._tables: list[dict[str, Any]] = []
        # What a click would not change: the result that is shown, and the row of its cells that is chosen.
        self._shown: dict[str, Any] = {"stored": key[:8], "cell": None}

    async def open(self) -> None:
        """Load the page and its document, and say that it is ready."""
        from tornado.httpclient import HTTPRequest
        from tornado.websocket import websocket_connect

        html = await asyncio.to_thread(self._fetch)
        token = re.search(r'"token":"([^"]+)"', html)
        if token is None:
            raise RuntimeError("the page has no token")
        asked = HTTPRequest(f"ws://{self._url}/ws", connect_timeout=LOST, request_timeout=LOST)
        self._socket = await websocket_connect(asked, subprotocols=["bokeh", token[1]], max_message_size=2**28)
        await self._receive("ACK")
        await self._send("PULL-DOC-REQ", {})
        document = await self._receive("PULL-DOC-REPLY")
        made = [(each, set(each.get("attributes", {}))) for each in _objects(document)]
        self._tables = [each for each, names in made if {"head", "rows"} <= names]
        rulers = [each for each, names in made if "pixels" in names]
        ready = {"type": "event", "name": "document_ready", "values": {"type": "map"}}
        await self._patch({"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": ready})
        for ruler in rulers:
            await self._patch({"kind": "ModelChanged", "model": {"id": ruler["id"]}, "attr": "pixels", "new": self._width})

    async def rest(self, seconds: float) -> None:
        """Wait, and take up what the server sends meanwhile: it is no answer to the next click."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            done, _ = await asyncio.wait({self._reading()}, timeout=left)
            if done:
                await self._receive("PATCH-DOC", "OK")

    async def click(self, chance: random.Random) -> None:
        """Click a row that changes something, of the stored results or of the largest cells; wait until the address has."""
        wanted = [
            (table, kind, row, name)
            for table in self._tables
            for kind in ["stored" if "Key" in table["attributes"]["head"] else "cell"]
            for row, cells in enumerate(table["attributes"]["rows"])
            for name in [cells[-1] if kind == "stored" else tuple(cells[:2])]
            if name != self._shown[kind]
        ]
        if not wanted:
            raise RuntimeError("the page has no rows to click")
        table, kind, row, name = chance.choice(wanted)
        self._shown |= {kind: name} if kind == "cell" else {kind: name, "cell": None}
        self._sent += 1
        new = [row, self._sent]
        await self._patch({"kind": "ModelChanged", "model": {"id": table["id"]}, "attr": "clicked", "new": new})
        while not self._searched(await self._receive("PATCH-DOC")):
            continue

    @staticmethod
    def _searched(content: Any) -> bool:
        """Whether a change is one of the address, the last thing that follows from a click."""
        return any(event.get("attr") == "search" for event in content.get("events", ()))

    def close(self) -> None:
        """Leave."""
        if self._socket is not None:
            self._socket.close()

    def _fetch(self) -> str:
        with urllib.request.urlopen(f"http://{self._url}?result={self._key}", timeout=60) as answer:
            return answer.read().decode()

    async def _patch(self, event: dict[str, Any]) -> None:
        await self._send("PATCH-DOC", {"events": [event]})

    async def _send(self, kind: str, content: dict[str, Any]) -> None:
        self._sent += 1
        for part in ({"msgid": str(self._sent), "msgtype": kind}, {}, content):
            await self._socket.write_message(json.dumps(part))

    async def _receive(self, *kinds: str) -> Any:
        """The next message of some kinds; changes that come before are taken up."""
        end = time.perf_counter() + LOST
        while True:
            header = json.loads(await self._frame(end))
            await self._frame(end)
            content = json.loads(await self._frame(end))
            for _ in range(2 * header.get("num_buffers", 0)):
                await self._frame(end)
            if header["msgtype"] == "ERROR":
                raise RuntimeError(str(content)[:200])
            self._take(content)
            if header["msgtype"] in kinds:
                return content

    def _take(self, content: Any) -> None:
        """Take up new rows of the tables."""
        for event in content.get("events", ()) if isinstance(content, dict) else ():
            for table in self._tables:
                if event.get("attr") == "rows" and event.get("model", {}).get("id") == table["id"]:
                    table["attributes"]["rows"] = event["new"]

    def _reading(self) -> Any:
        """The frame that comes next; asked for once, also if nobody waits for it to the end."""
        if self._frame_to_come is None:
            self._frame_to_come = self._socket.read_message()
        return self._frame_to_come

    async def _frame(self, end: float) -> Any:
        frame = await asyncio.wait_for(self._reading(), max(0.1, end - time.perf_counter()))
        self._frame_to_come = None
        if frame is None:
            raise RuntimeError("the server closed the connection")
        return frame


def _objects(told: Any) -> Iterator[dict[str, Any]]:
    """All objects of a document."""
    if isinstance(told, dict):
        if "id" in told:
            yield told
        for value in told.values():
            yield from _objects(value)
    elif isinstance(told, list):
        for value in told:
            yield from _objects(value)
