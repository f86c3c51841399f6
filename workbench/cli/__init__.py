"""The command line: models, tasks, methods, run, train, show, export, import, measure, demo, serve, bench.

Flags of `run` follow from the method's signature. Heavy imports stand inside the verbs, so that `--help` answers at once.
A BadInput is one line and exit code 2; an interrupt is exit code 130, and what was finished is kept.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workbench.cli.computing import check_method, demo, measure, run, train
from workbench.cli.flags import question_flags, run_flags
from workbench.cli.serving import bench, serve
from workbench.cli.serving import flags as serve_flags
from workbench.cli.showing import export, import_circuit, methods, models, show, tasks
from workbench.dynamics import verb as training
from workbench.errors import BadInput


def main(words: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    words = list(sys.argv[1:] if words is None else words)
    try:
        parser = _parser(words)
        asked, unknown = parser.parse_known_args(words)
        if unknown:
            # The flags of a method that does not exist are unknown too: the method is what is wrong.
            check_method(asked)
            parser.error(f"unrecognized arguments: {' '.join(unknown)}")
        return asked.verb(asked) or 0
    except BadInput as problem:
        print(f"workbench: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("workbench: stopped. Finished batches are kept; the same command goes on from them.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader (`head`, a pager) has seen enough.
        sys.stderr.close()
        return 0


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="workbench", description="See how transformers compute.", allow_abbrev=False)
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="VERB")

    def verb(name: str, run: Any, summary: str) -> argparse.ArgumentParser:
        made = verbs.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        made.set_defaults(verb=run)
        return made

    verb("models", models, "list the models known by name, their size, and what is on this disk")
    verb("tasks", tasks, "list the tasks and their options")
    verb("methods", methods, "list the methods and their parameters")
    running = verb("run", run, "run a method on a model and a task; the result goes to the store")
    run_flags(running, words)
    training.flags(
        verb(
            "train",
            train,
            "train small networks until they learn in context, or do not",
        )
    )
    showing = verb("show", show, "list the stored results, or show one")
    showing.add_argument("key", nargs="?", help="key of a result, or its first digits")
    showing.add_argument("--rows", type=int, default=15, help="cells to print (15)")
    exporting = verb(
        "export", export, "write a stored result to a file: .html, .csv or .json; a circuit also as .pt or .graphml"
    )
    exporting.add_argument("key", help="key of a result, or its first digits")
    exporting.add_argument("file", type=Path, help="where to; the ending says what")
    importing = verb("import", import_circuit, "print the circuit in a file: EAP-IG's and MIB's .json and .pt, or .graphml")
    importing.add_argument("file", type=Path, help="the file; its ending says what it is")
    importing.add_argument("--html", type=Path, help="write the figure to a self-contained HTML file")
    importing.add_argument("--rows", type=int, default=15, help="edges to print (15)")
    measuring = verb("measure", measure, "how faithful a circuit is, stored or in a file, on a model and a task")
    measuring.add_argument("circuit", help="key of a stored result, or a file that `import` reads")
    question_flags(measuring)
    measuring.add_argument("--metric", default="logit_diff", help="logit_diff, prob_diff, log_prob, kl")
    measuring.add_argument("--ablation", default="corrupt", help="corrupt, mean, zero")
    measuring.add_argument("--reference", help="a published circuit to compare with: ioi, greater_than, docstring")
    measuring.add_argument("--nodes", action="store_true", help="how much faithfulness each node is worth")
    demonstrating = verb("demo", demo, "find out which parts of a model do indirect object identification; writes a report")
    demonstrating.add_argument("--model", default="smollm2-135m")
    demonstrating.add_argument("--n", type=int, default=8, help="pairs (8)")
    demonstrating.add_argument("--seed", type=int, default=0)
    demonstrating.add_argument("--device")
    demonstrating.add_argument("--html", type=Path, default=Path("demo/report.html"), help="the report (demo/report.html)")
    serving = verb("serve", serve, "serve the apps, to this machine alone or to others, with limits")
    serve_flags(serving)
    timing = verb("bench", bench, "measure speed and memory against TransformerLens, in one run; writes JSON")
    timing.add_argument("--model", default="smollm2-135m")
    timing.add_argument("--n", type=int, default=8)
    timing.add_argument("--seed", type=int, default=0)
    timing.add_argument("--seeds", type=int, default=5, help="prompt sets for the correlations (5)")
    timing.add_argument("--repeats", type=int, default=3)
    timing.add_argument("--device", default="cpu")
    timing.add_argument("--sessions", type=int, default=30, help="sessions at once, for the row 'load' (30)")
    timing.add_argument("--seconds", type=float, default=20, help="how long, for the row 'load' (20; in full 600)")
    timing.add_argument("--only", default="", help="rows to take: a comma-separated few of those the file lists")
    timing.add_argument("--out", type=Path, help="where to write (bench/results/DEVICE.json)")
    return parser
