"""kill -9 in the middle of a sweep: the same command goes on from the last finished batch, and ends with the same numbers."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tests import families
from workbench.store import Store

WORDS = ["run", "patch", "--by", "layer,head,pos", "--positions", "each", "--device", "cpu"]
# Each batch takes a moment, so that the kill lands between two; each batch run is told.
SLOWED = """
import sys, time
from workbench import cli
from workbench.sweep import engine
real = engine._Engine._run
def slowed(self, cells):
    time.sleep({pause})
    print("batch", flush=True)
    return real(self, cells)
engine._Engine._run = slowed
engine.TOKENS["cpu"] = 24
sys.exit(cli.main(sys.argv[1:]))
"""


def start(words, store, pause):
    env = {**os.environ, "WORKBENCH_STORE": str(store)}
    return subprocess.Popen(
        [sys.executable, "-c", SLOWED.format(pause=pause), *words], env=env, stdout=subprocess.PIPE, text=True
    )


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_with_the_same_numbers(tmp_path):
    model = families.save("llama", tmp_path / "model")
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text(
        '{"clean": "a b c d e f", "corrupt": "a b g d e f", "right": "h", "wrong": "i"}\n'
        '{"clean": "j k l m n o", "corrupt": "j k p m n o", "right": "q", "wrong": "r"}\n'
    )
    words = [*WORDS, "--model", str(model), "--pairs", str(pairs)]
    undisturbed = start(words, tmp_path / "whole", 0)
    batches = undisturbed.communicate(timeout=120)[0].count("batch")
    assert undisturbed.returncode == 0
    assert batches > 4

    killed = start(words, tmp_path / "killed", 0.3)
    seen = 0
    for line in killed.stdout:
        seen += line.startswith("batch")
        if seen == 3:
            break
    time.sleep(0.15)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    store = Store(tmp_path / "killed")
    assert not store.list()

    again = start(words, tmp_path / "killed", 0)
    done = again.communicate(timeout=120)[0].count("batch")
    assert again.returncode == 0
    # The third batch may have been in the middle: a kill loses at most one.
    assert batches - 3 <= done <= batches - 2
    (entry,), (whole,) = store.list(), Store(tmp_path / "whole").list()
    assert entry.key == whole.key
    ours, theirs = store.get(entry.key), Store(tmp_path / "whole").get(whole.key)
    assert np.array_equal(ours.values.values, theirs.values.values)
    assert not list((tmp_path / "killed").glob("*.partial"))
