"""kill -9 of the served app in the middle of a run: opened again, Run goes on from the last finished batch."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests import families
from tests.pages.conftest import EXPECT
from workbench import cli
from workbench.store import Store

ROOT = Path(cli.__file__).parents[2]
ROWS = "clean,corrupt,right,wrong\na b c d e,a b f d e,g,h\n"
# Each batch takes a moment, so that the kill lands between two; each is told.
SLOWED = """
import time, sys
from workbench.sweep import engine
real = engine._Engine._run
def slowed(self, cells):
    time.sleep({pause})
    print("batch", flush=True)
    return real(self, cells)
engine._Engine._run = slowed
engine.TOKENS["cpu"] = 24
from panel.command import main
sys.argv = ["panel", "serve", {app!r}, "--port", "{port}", "--address", "127.0.0.1"]
main()
"""


def start(store, port, pause, log):
    env = {**os.environ, "WORKBENCH_STORE": str(store), "PYTHONPATH": str(ROOT)}
    code = SLOWED.format(pause=pause, app=str(ROOT / "apps" / "circuits.py"), port=port)
    made = subprocess.Popen([sys.executable, "-c", code], env=env, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
    for _ in range(1200):
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return made
        except OSError:
            assert made.poll() is None, Path(log.name).read_text()
            time.sleep(0.05)
    raise AssertionError("the server did not open")


@pytest.mark.slow
@pytest.mark.browser
def test_a_killed_server_is_started_again_and_run_goes_on(chromium, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    model, store = families.save("llama", tmp_path / "model"), tmp_path / "store"
    query = {
        "model": str(model),
        "task": "custom",
        "method": "patch",
        "method.by": "layer+head+pos",
        "method.positions": "each",
    }
    tab = chromium.new_page(viewport={"width": 1400, "height": 900})
    servers, logs = [], [tmp_path / "killed.log", tmp_path / "again.log"]

    def run():
        tab.goto(f"http://127.0.0.1:{port}/circuits?{urlencode(query)}", timeout=5 * EXPECT)
        box = tab.get_by_label("Your pairs")
        box.wait_for(timeout=5 * EXPECT)
        box.fill(ROWS)
        box.press("Tab")
        tab.wait_for_timeout(500)
        tab.get_by_role("button", name="Run", exact=True).click()

    def batches(log):
        return log.read_text().count("batch\n")

    try:
        with logs[0].open("w") as log:
            servers.append(start(store, port, 0.4, log))
            run()
            end = time.monotonic() + 60
            while batches(logs[0]) < 4:
                assert time.monotonic() < end, logs[0].read_text()
                time.sleep(0.02)
            servers[0].send_signal(signal.SIGKILL)
            servers[0].wait()
        done = batches(logs[0])
        assert not Store(store).list() or all(entry.origin.method == "baseline" for entry in Store(store).list())
        assert list(store.glob("*.partial")), "nothing was kept of what was finished"
        with logs[1].open("w") as log:
            servers.append(start(store, port, 0, log))
            run()
            tab.get_by_text("Done.", exact=True).wait_for(timeout=5 * EXPECT)
    finally:
        tab.close()
        for server in servers:
            server.kill()
            server.wait()
    (entry,) = [entry for entry in Store(store).list() if entry.origin.method == "patch"]
    assert entry.origin.params["by"] == ["layer", "head", "pos"]
    again = batches(logs[1])
    assert again > 0
    # Every cell was run once, but for the batch that the kill broke off.
    whole = Store(store).get(entry.key).values
    assert whole.notnull().all()
    assert done + again <= 3 * 4 * 5 + 1
    assert not list(store.glob("*.partial"))
