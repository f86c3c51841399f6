"""Flags: those of `run` follow from the method's signature."""

import argparse
import inspect
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

# In place of a task, for methods that need none.
WEIGHTS = "weights"


def run_flags(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    """Flags of `run`: the model's and the task's, and, once the method is named, the method's own."""
    parser.add_argument("method", help="id of a method; `workbench methods` lists them")
    question_flags(parser)
    parser.add_argument("--again", action="store_true", help="compute even if the result is stored")
    parser.add_argument("--html", type=Path, help="write the figure to a self-contained HTML file")
    parser.add_argument("--rows", type=int, default=15, help="cells to print (15)")
    for name, parameter in _method_params(words).items():
        if name == "seed":
            continue
        flag = "--" + name.replace("_", "-")
        if isinstance(parameter.default, bool):
            parser.add_argument(flag, dest=f"p_{name}", action=argparse.BooleanOptionalAction, default=None)
        else:
            parser.add_argument(flag, dest=f"p_{name}", metavar="VALUE", help=help_of(parameter))


def question_flags(parser: argparse.ArgumentParser) -> None:
    """Flags of the model and the task."""
    parser.add_argument(
        "--model",
        default="smollm2-135m",
        help="catalogue name, hub name, folder, .gguf, tiny:NAME, known:NAME, trained:NAME; "
        "NAME@step700 is a checkpoint, NAME@step0,step700 and NAME@all are several",
    )
    parser.add_argument("--task", default="ioi", help="id of a task; `workbench tasks` lists them; 'weights' for no prompts")
    parser.add_argument("--pairs", type=Path, help="your own pairs instead of a task: .csv, .jsonl or .json")
    parser.add_argument("--n", type=int, default=8, help="pairs to make (8)")
    parser.add_argument("--seed", type=int, default=0, help="of the task, and of methods that draw (0)")
    parser.add_argument(
        "--with", dest="options", action="append", default=[], metavar="NAME=VALUE", help="an option of the task"
    )
    parser.add_argument("--device", help="cpu, cuda, cuda:1, mps (cuda where there is one)")
    parser.add_argument("--dtype", default="float32", help="float32, bfloat16, float16, float64")


def _method_params(words: Sequence[str]) -> dict[str, inspect.Parameter]:
    """The parameters of the method that the words name; none while it is not known which."""
    if not words or words[0] != "run" or len(words) < 2:
        return {}
    start()
    from workbench.methods import METHODS

    named = next((word for word in words[1:] if word in METHODS), None)
    return METHODS[named].params if named else {}


def help_of(parameter: inspect.Parameter) -> str:
    from workbench.params import choices, takes_several

    listed = ", ".join(map(str, choices(parameter.annotation)))
    several = " (several with commas)" if takes_several(parameter.annotation) else ""
    shown = ",".join(parameter.default) if isinstance(parameter.default, tuple) else parameter.default
    return f"{listed}{several} [{shown}]".strip().replace("%", "%%")


def start() -> None:
    """Import what takes seconds, with a bar."""
    from workbench.progress import track

    for name in track(("torch", "xarray", "transformers", "workbench.methods"), "Starting"):
        import_module(name)
