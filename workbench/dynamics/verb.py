"""`workbench train`: train small networks on bursty sequences, with a line per evaluation; the same command goes on."""

import argparse
from pathlib import Path
from typing import Any

from workbench.errors import BadInput

SHOWN = ("loss", "ic", "ic2", "iw", "cla", "ila1", "tla2", "tila2", "alive")


def flags(parser: argparse.ArgumentParser) -> None:
    """The flags of the verb."""
    parser.add_argument("--preset", default="fast", help="the task and the optimiser: fast, or paper (slow) [fast]")
    parser.add_argument(
        "--with", dest="options", action="append", default=[], metavar="NAME=VALUE",
        help="classes, labels, items, burst, p_burst, p_novel, noise, zipf, …; optimiser, rate, decay, batch; "
        "architecture, to_previous, to_labels",
    )  # fmt: skip
    parser.add_argument("--seeds", type=int, default=6, help="networks, trained at once (6)")
    parser.add_argument("--seed", type=int, default=0, help="of the first (0)")
    parser.add_argument("--steps", type=int, default=1500, help="steps in all (1500)")
    parser.add_argument("--every", type=int, default=50, help="steps between evaluations (50)")
    parser.add_argument("--keep", default="", help="steps after which the parameters are written: 0,500,1000")
    parser.add_argument("--out", type=Path, help="folder of the run; one of its own where not given")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--html", type=Path, help="write the figure to a self-contained HTML file")


def run(asked: argparse.Namespace) -> Any:
    """Train, or go on; returns the Curve of the run, which is stored."""
    from workbench.dynamics.network import Nudge
    from workbench.dynamics.studies import STUDIES
    from workbench.dynamics.study import curve_of, seeded
    from workbench.dynamics.train import train
    from workbench.home import home
    from workbench.progress import digest

    study = STUDIES["reddy"]
    params = _params(study, asked)
    (setting, recipe), rest = study.asked(**params)
    members = seeded(setting, asked.seed, asked.seeds, Nudge(rest["to_previous"], rest["to_labels"]))
    folder = asked.out or home() / "dynamics" / digest(members, recipe, rest["architecture"], asked.every)
    print(f"Networks of {asked.seeds} seeds; the run is kept in {folder}\n{_head(asked.seeds)}")
    trained = train(
        members, recipe, steps=asked.steps, every=asked.every, keep=_steps(asked.keep), folder=folder,
        architecture=rest["architecture"], device=asked.device, watch=lambda trace: print(_line(trace), flush=True),
    )  # fmt: skip
    curve = curve_of(trained.trace, recipe)
    print(f"\n{_line(trained.trace)}\n{curve.notes['transition']}")
    return curve.replace(origin=study.origin(**params))


def _params(study: Any, asked: argparse.Namespace) -> dict[str, Any]:
    """What the words ask for, as parameters of a study."""
    import dataclasses

    from workbench.dynamics.bursty import Setting
    from workbench.dynamics.stack import Recipe
    from workbench.errors import one_of
    from workbench.params import parse

    one_of("preset", asked.preset, ("fast", "paper"))
    paper = {**dataclasses.asdict(Setting()), **dataclasses.asdict(Recipe())}
    params = dict(paper) if asked.preset == "paper" else {}
    for word in asked.options:
        name, equals, value = word.partition("=")
        if not equals:
            raise BadInput(f"--with must be NAME=VALUE; got {word!r}.")
        one_of("--with", name, [known for known in study.params if not hasattr(asked, known)])
        params[name] = parse(value, study.params[name].annotation)
    own = {name: getattr(asked, name) for name in ("seeds", "seed", "steps", "every", "device")}
    return {**params, **own}


def _steps(text: str) -> list[int]:
    words = [word for word in text.split(",") if word.strip()]
    if not all(word.strip().isdigit() for word in words):
        raise BadInput(f"keep must be steps, as in '0,500,1000'; got {text!r}.")
    return [int(word) for word in words]


def _head(seeds: int) -> str:
    return f"{'step':>6}" + "".join(f"{name:>8}" for name in SHOWN) + f"  ic of {seeds} seeds"


def _line(trace: Any) -> str:
    """The last evaluation: means over seeds, then the accuracy on new classes of each."""
    means = "".join(f"{trace.of(name)[:, -1].mean():8.3f}" for name in SHOWN)
    return f"{trace.steps[-1]:6d}{means}  " + " ".join(f"{value:.2f}" for value in trace.of("ic")[:, -1])
