"""Train the network in `data/dynamics/reddy`: the small task of Reddy 2023, from before to after it learns in context.

    python data/dynamics/write.py [FOLDER]

About half a minute on one core. The same seed gives the same weights on the same machine and library versions.
"""

import json
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from workbench.dynamics.bursty import Setting
from workbench.dynamics.checkpoints import saved
from workbench.dynamics.events import half_ways
from workbench.dynamics.example import RUN, describe
from workbench.dynamics.measures import MEASURES
from workbench.dynamics.stack import Member, Recipe
from workbench.dynamics.train import train

SEED, STEPS, EVERY = 0, 1500, 10
# Before; while it learns which labels are shown; the plateau; the transition, closely; after.
KEPT = (0, 100, 200, 400, 550, 600, 630, 660, 700, 800, 1000, 1500)


def main(folder: Path) -> None:
    members, recipe = [Member(Setting.fast(), SEED)], Recipe.fast()
    folder.mkdir(parents=True, exist_ok=True)
    began, seconds = time.monotonic(), {}
    with tempfile.TemporaryDirectory() as work:
        trace = train(
            members, recipe, steps=STEPS, every=EVERY, keep=KEPT, folder=work, sequences=1024,
            watch=lambda trace: seconds.setdefault(int(trace.steps[-1]), time.monotonic() - began),
        ).trace  # fmt: skip
        for file in saved(Path(work)).values():
            (folder / file.name).write_bytes(file.read_bytes())
    half_way = half_ways(trace.steps, trace.mean)[:, 0].round(1).tolist()
    moved = {name: step if step == step else None for name, step in zip(MEASURES, half_way, strict=True)}
    about = {
        "half-way": moved,
        "versions": {name: version(name) for name in ("numpy", "torch")},
        "source": "Reddy 2023, arXiv:2312.03002; trained by this project",
    }
    told = describe(trace, recipe, "python data/dynamics/write.py", about)
    (folder / RUN).write_text(json.dumps(told, ensure_ascii=False).replace("], ", "],\n ") + "\n", encoding="utf-8")
    after = next(step for step, value in zip(trace.steps, trace.of("ic")[0], strict=True) if value > 0.95)
    print(f"ic above .95 at step {after}, after {seconds[after]:.0f} s; {seconds[STEPS]:.0f} s in all; half-way: {moved}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "reddy")
