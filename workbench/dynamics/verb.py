"""`workbench train`: small networks, with a line per evaluation, or a study by training them; the same command goes on."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import BadInput, one_of

if TYPE_CHECKING:
    from workbench.dynamics.study import Study

SHOWN = ("loss", "ic", "ic2", "iw", "cla", "ila1", "tla2", "tila2", "alive")


def flags(parser: argparse.ArgumentParser) -> None:
    """The flags of the verb."""
    parser.add_argument(
        "--study", default="reddy",
        help="reddy: the measures by step; reddy_events: their order; reddy_phases: a diagram over two settings; reddy_saddle: "
        "as many labels as items; language: an induction circuit in a language model [reddy]",
    )  # fmt: skip
    parser.add_argument("--preset", default="fast", help="the task and the optimiser: fast, or paper (slow) [fast]")
    parser.add_argument(
        "--with", dest="options", action="append", default=[], metavar="NAME=VALUE",
        help="classes, labels, items, burst, p_burst, p_novel, noise, zipf, …; optimiser, rate, decay, batch; "
        "architecture, to_previous, to_labels; whatever the study has",
    )  # fmt: skip
    parser.add_argument("--seeds", type=int, help="networks of a setting (reddy: 6)")
    parser.add_argument("--seed", type=int, help="of the first (0)")
    parser.add_argument("--steps", type=int, help="steps in all (reddy: 1500)")
    parser.add_argument("--every", type=int, help="steps between evaluations (reddy: 50)")
    parser.add_argument("--keep", default="", help="steps after which the parameters are written: 0,500,1000")
    parser.add_argument("--out", type=Path, help="folder of the run; one of its own where not given")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--html", type=Path, help="write the figure to a self-contained HTML file")


def question(asked: argparse.Namespace) -> "tuple[Study, dict[str, Any]]":
    """The study that the words name, and its parameters.

    Raises:
        BadInput: When a word names nothing of the study.
    """
    import dataclasses

    from workbench.dynamics.bursty import Setting
    from workbench.dynamics.stack import Recipe
    from workbench.dynamics.studies import STUDIES
    from workbench.params import parse

    one_of("study", asked.study, STUDIES)
    one_of("preset", asked.preset, ("fast", "paper"))
    study = STUDIES[asked.study]
    if asked.study != "reddy":
        for flag in ("keep", "out"):
            if getattr(asked, flag):
                raise BadInput(f"--{flag} goes with the study reddy alone; got the study {asked.study}. Leave it out.")
    paper = {**dataclasses.asdict(Setting()), **dataclasses.asdict(Recipe())}
    params = {name: value for name, value in paper.items() if name in study.params} if asked.preset == "paper" else {}
    for word in asked.options:
        name, equals, value = word.partition("=")
        if not equals:
            raise BadInput(f"--with must be NAME=VALUE; got {word!r}.")
        one_of("--with", name, [known for known in study.params if not hasattr(asked, known)])
        params[name] = parse(value, study.params[name].annotation)
    flagged = {name: getattr(asked, name) for name in ("seeds", "seed", "steps", "every", "device")}
    return study, {**params, **{name: value for name, value in flagged.items() if value is not None and name in study.params}}


def course(study: "Study", params: dict[str, Any], asked: argparse.Namespace) -> Any:
    """Train the networks of the study reddy, or go on, with a line per evaluation; returns the Curve of the run."""
    from workbench.dynamics.network import Nudge
    from workbench.dynamics.study import curve_of, seeded
    from workbench.dynamics.train import train
    from workbench.home import home
    from workbench.progress import digest

    (setting, recipe), rest = study.asked(**params)
    members = seeded(setting, rest["seed"], rest["seeds"], Nudge(rest["to_previous"], rest["to_labels"]))
    folder = asked.out or home() / "dynamics" / digest(members, recipe, rest["architecture"], rest["every"])
    print(f"Networks of {rest['seeds']} seeds; the run is kept in {folder}\n{_head(rest['seeds'])}")
    trained = train(
        members, recipe, steps=rest["steps"], every=rest["every"], keep=_steps(asked.keep), folder=folder,
        architecture=rest["architecture"], device=asked.device, watch=lambda trace: print(_line(trace), flush=True),
    )  # fmt: skip
    curve = curve_of(trained.trace, recipe)
    print(f"\n{_line(trained.trace)}\n{curve.notes['transition']}")
    return curve.replace(origin=study.origin(**params))


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
