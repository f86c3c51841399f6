"""What the tests of components in a real JupyterLab share: one on this machine, with a notebook of one cell."""

import json
import os
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest


@pytest.fixture
def lab(tmp_path, request):
    """The URL of a JupyterLab on a folder with a notebook of one cell, the CELL of the test's file."""
    if find_spec("jupyterlab") is None or find_spec("anywidget") is None:
        pytest.skip("needs JupyterLab and anywidget: pip install -e '.[notebooks]'")
    cell = {
        "cell_type": "code",
        "execution_count": None,
        "id": "one",
        "metadata": {},
        "outputs": [],
        "source": request.module.CELL,
    }
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    (tmp_path / "one.ipynb").write_text(json.dumps({"cells": [cell], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    given = [
        f"--ServerApp.port={port}", "--ServerApp.ip=127.0.0.1", "--no-browser", "--IdentityProvider.token=", "--allow-root",
        f"--ServerApp.root_dir={tmp_path}", "--LabApp.news_url=None", "--ServerApp.port_retries=0",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]  # fmt: skip
    own = {name: str(tmp_path / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
    paths = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", *given], env=os.environ | own | {"PYTHONPATH": paths},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        reached(port)
        yield f"http://127.0.0.1:{port}/lab/tree/one.ipynb?reset"
    finally:
        server.terminate()
        server.wait(20)


def reached(port):
    end = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 0.5).close()
            return
        except OSError:
            assert time.monotonic() < end, "JupyterLab does not start"
            time.sleep(0.1)


def until(tab, what, seconds):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        tab.wait_for_timeout(50)


def press(tab, cell):
    """Run the cell; whether it was taken up."""
    # Asked which kernel, the notebook's own is the one offered.
    accept = tab.locator(".jp-Dialog .jp-mod-accept")
    if accept.count():
        accept.first.click()
    cell.click()
    tab.keyboard.press("Control+Enter")
    tab.wait_for_timeout(700)
    return tab.locator(".jp-InputPrompt").first.inner_text() not in ("[ ]:", "")


def ran(tab, lab):
    """Open the notebook, run its cell, and wait until something is drawn."""
    tab.goto(lab)
    cell = tab.locator(".jp-CodeCell .cm-content").first
    cell.wait_for(timeout=60_000)
    tab.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']").first.wait_for(timeout=60_000)
    # A cell that is run before its kernel is there stays as it is.
    until(tab, lambda: press(tab, cell), 60)
    tab.locator("canvas.base[data-drawn]").wait_for(timeout=60_000)
