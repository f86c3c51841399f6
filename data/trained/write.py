"""Train the small language models in `data/trained`: an attention-only one and one with MLPs, from before to after induction.

    python data/trained/write.py [FOLDER]

Three seeds of each, 1,500 steps; the checkpoints of seed 0 are kept, with the measures of all. About a quarter of an hour on
one core. The same seed gives the same weights on the same machine and library versions.
"""

import json
import shutil
import sys
import tempfile
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from workbench.dynamics.formation import curve_of, joined, measured
from workbench.dynamics.language import SHAPES, Pace, learn
from workbench.dynamics.text import Text
from workbench.dynamics.trained import RUN, describe, looks

SEEDS, STEPS, EVERY = 3, 1500, 50
# Before; while the weights learn what follows what; the transition, closely; after.
KEPT = (0, 100, 400, 700, 750, 800, 850, 900, 1000, 1500)


def main(folder: Path) -> None:
    text, steps = Text(), range(0, STEPS + 1, EVERY)
    for name, shape in SHAPES.items():
        runs, seconds = [], []
        with tempfile.TemporaryDirectory() as work:
            for seed in range(SEEDS):
                began = time.monotonic()
                run = learn(text, shape, Pace(seed=seed), steps=STEPS, keep=steps, folder=Path(work) / str(seed))
                seconds.append(round(time.monotonic() - began))
                runs.append(measured(run, steps, text, seed))
            shutil.rmtree(folder / name, ignore_errors=True)
            for step in KEPT:
                shutil.copytree(Path(work) / "0" / f"step{step}", folder / name / f"step{step}")
        formed = joined(runs)
        about = {
            "command": "python data/trained/write.py",
            "text": asdict(text),
            "shape": asdict(shape),
            "pace": asdict(Pace()),
            "seconds": seconds,
            "versions": {package: version(package) for package in ("torch", "transformers")},
        }
        measures = describe(formed, looks(str(folder / name), KEPT, formed.heads[0]))
        told = json.dumps({**about, **measures}, ensure_ascii=False).replace("]], ", "]],\n ")
        (folder / name / RUN).write_text(told + "\n", encoding="utf-8")
        curve = curve_of(formed)
        print(f"{name}: {curve.notes['transition']}; {curve.notes['heads']}; {seconds} s")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
