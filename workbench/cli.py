"""The command line: models, tasks, methods, run, train, show, export, import, measure, demo, serve, bench.

Flags of `run` follow from the method's signature. Heavy imports stand inside the verbs, so that `--help` answers at once.
A BadInput is one line and exit code 2; an interrupt is exit code 130, and what was finished is kept.
"""

import argparse
import inspect
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from workbench.dynamics import verb as training
from workbench.errors import BadInput

# In place of a task, for methods that need none.
WEIGHTS = "weights"


def main(words: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    words = list(sys.argv[1:] if words is None else words)
    try:
        parser = _parser(words)
        asked, unknown = parser.parse_known_args(words)
        if unknown:
            # The flags of a method that does not exist are unknown too: the method is what is wrong.
            _check_method(asked)
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
    _run_flags(running, words)
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
    _question_flags(measuring)
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
    serving = verb("serve", serve, "serve the apps on localhost")
    serving.add_argument("--port", type=int, default=5006)
    serving.add_argument("--address", default="127.0.0.1")
    serving.add_argument("--show", action="store_true", help="open a browser")
    timing = verb("bench", bench, "measure speed and memory against TransformerLens, in one run; writes JSON")
    timing.add_argument("--model", default="smollm2-135m")
    timing.add_argument("--n", type=int, default=8)
    timing.add_argument("--seed", type=int, default=0)
    timing.add_argument("--seeds", type=int, default=5, help="prompt sets for the correlations (5)")
    timing.add_argument("--repeats", type=int, default=3)
    timing.add_argument("--device", default="cpu")
    timing.add_argument("--only", default="", help="rows to take: a comma-separated few of those the file lists")
    timing.add_argument("--out", type=Path, help="where to write (bench/results/DEVICE.json)")
    return parser


def _run_flags(parser: argparse.ArgumentParser, words: Sequence[str]) -> None:
    """Flags of `run`: the model's and the task's, and, once the method is named, the method's own."""
    parser.add_argument("method", help="id of a method; `workbench methods` lists them")
    _question_flags(parser)
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
            parser.add_argument(flag, dest=f"p_{name}", metavar="VALUE", help=_help(parameter))


def _question_flags(parser: argparse.ArgumentParser) -> None:
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
    _start()
    from workbench.methods import METHODS

    named = next((word for word in words[1:] if word in METHODS), None)
    return METHODS[named].params if named else {}


def _help(parameter: inspect.Parameter) -> str:
    from workbench.params import choices, takes_several

    listed = ", ".join(map(str, choices(parameter.annotation)))
    several = " (several with commas)" if takes_several(parameter.annotation) else ""
    shown = ",".join(parameter.default) if isinstance(parameter.default, tuple) else parameter.default
    return f"{listed}{several} [{shown}]".strip().replace("%", "%%")


def models(asked: argparse.Namespace) -> None:
    """Print the catalogue."""
    from workbench.models import CATALOGUE, on_disk, own_refs
    from workbench.models.memory import gigabytes

    rows = [
        {
            "name": known.name,
            "weights": f"{known.n_params / 1e6:,.0f} M",
            "layers": known.layers,
            "heads": known.heads if known.heads == known.kv_heads else f"{known.heads} ({known.kv_heads} kv)",
            "float32": gigabytes(known.memory("float32")),
            "bfloat16": gigabytes(known.memory("bfloat16")),
            "here": "yes" if on_disk(known) else ("package" if known.wheel else ""),
            "hub": known.hub,
        }
        for known in CATALOGUE.values()
    ]
    rows += [{"name": ref, "here": "yes"} for ref in own_refs()]
    _print_table(rows)
    print("\nhere: on this disk; 'package': fetched as a Python package where the hub cannot be reached.")


def tasks(asked: argparse.Namespace) -> None:
    """Print the tasks with their options."""
    from workbench.tasks import TASKS

    for task in TASKS.values():
        print(f"{task.name:18} {task.title}  [{task.source}]")
        for name, option in task.options.items():
            if name not in ("n", "seed"):
                print(f"{'':18}   --with {name}=VALUE  {_help(option)}")


def methods(asked: argparse.Namespace) -> None:
    """Print the methods with their parameters."""
    from workbench.methods import METHODS

    for method in METHODS.values():
        print(f"{method.name:14} {method.title}  [{method.source}]")
        for name, parameter in method.params.items():
            print(f"{'':14}   --{name.replace('_', '-')}  {_help(parameter)}")


def run(asked: argparse.Namespace) -> None:
    """Run a method, on a model or along its checkpoints, print its top cells, store the result."""
    from workbench.following import follow
    from workbench.methods import METHODS
    from workbench.models import load
    from workbench.models.revisions import several
    from workbench.params import parse
    from workbench.store import Store

    _check_method(asked)
    method = METHODS[asked.method]
    params: dict[str, Any] = {"seed": asked.seed} if "seed" in method.params else {}
    for name, parameter in method.params.items():
        given = getattr(asked, f"p_{name}", None)
        if given is not None:
            params[name] = given if isinstance(given, bool) else parse(given, parameter.annotation)
    method.bind(**params)
    _check_task(asked)
    checkpoints = several(asked.model)
    if checkpoints is None:
        model = load(asked.model, device=asked.device, dtype=asked.dtype)
        result = Store().compute(method, model, _pairs(asked, model), again=asked.again, **params)
    else:
        given = {"device": asked.device, "dtype": asked.dtype, "again": asked.again}
        result = follow(checkpoints[0], method.name, checkpoints[1], lambda model: _pairs(asked, model), **given, **params)
        Store().put(result)
    _print_result(result, asked.rows)
    if asked.html:
        _write_html([result], asked.html)


def train(asked: argparse.Namespace) -> None:
    """Train small networks, or answer a study by training; store what comes of it."""
    from workbench.store import Store

    study, params = training.question(asked)
    if study.name == "reddy":
        result = training.course(study, params, asked)
        Store().put(result)
        print(f"\n{result.origin.caption()}")
    else:
        result = Store().compute(study, None, None, **params)
        _print_result(result, 15)
    if asked.html:
        _write_html([result], asked.html)


def _start() -> None:
    """Import what takes seconds, with a bar."""
    from workbench.progress import track

    for name in track(("torch", "xarray", "transformers", "workbench.methods"), "Starting"):
        import_module(name)


def _check_method(asked: argparse.Namespace) -> None:
    """Find out about a wrong method; other verbs have none."""
    from workbench.errors import one_of
    from workbench.methods import METHODS

    if hasattr(asked, "method"):
        one_of("method", asked.method, METHODS)


def _check_task(asked: argparse.Namespace) -> None:
    """Find out about a wrong task before a model is loaded."""
    from workbench.errors import one_of
    from workbench.tasks import TASKS

    if asked.pairs is None:
        one_of("task", asked.task, [*TASKS, WEIGHTS])
    elif not asked.pairs.exists():
        raise BadInput(f"pairs must be a file that exists; got {str(asked.pairs)!r}.")


def _pairs(asked: argparse.Namespace, model: Any) -> Any:
    from workbench.params import parse
    from workbench.tasks import TASKS, custom

    if asked.pairs is not None:
        return custom(model, asked.pairs)
    if asked.task == WEIGHTS:
        return None
    task = TASKS[asked.task]
    options = {}
    for word in asked.options:
        name, equals, value = word.partition("=")
        if not equals:
            raise BadInput(f"--with must be NAME=VALUE; got {word!r}.")
        known = task.options.get(name)
        options[name] = parse(value, known.annotation) if known else value
    return task(model, n=asked.n, seed=asked.seed, **options)


def show(asked: argparse.Namespace) -> None:
    """List the store, or print one result."""
    from workbench.store import Store

    store = Store()
    if asked.key:
        _print_result(store.get(asked.key), asked.rows)
        return
    rows = [
        {
            "key": entry.key,
            "method": entry.origin.method if entry.origin else entry.kind,
            "model": entry.origin.model if entry.origin else "",
            "task": entry.origin.task if entry.origin else "",
            "params": ", ".join(f"{k}={v}" for k, v in entry.origin.params.items())[:60] if entry.origin else "",
        }
        for entry in store.list()
    ]
    if not rows:
        print(f"The store {store.folder} is empty. `workbench run patch` puts something there.")
        return
    _print_table(rows)


def export(asked: argparse.Namespace) -> None:
    """Write a stored result as HTML, or its table as CSV or JSON; a circuit's JSON is EAP-IG's."""
    from workbench.errors import one_of
    from workbench.plots import table
    from workbench.result import Circuit
    from workbench.store import Store

    tables = (".html", ".csv", ".json")
    one_of("file ending", asked.file.suffix, (*tables, ".pt", ".graphml"))
    result = Store().get(asked.key)
    if result is None:
        raise BadInput(f"key must be that of a whole result; {asked.key!r} was damaged and is set aside. Run it again.")
    if asked.file.suffix == ".html":
        _write_html([result], asked.file)
        return
    if isinstance(result, Circuit) and asked.file.suffix != ".csv":
        from workbench.formats import write_circuit

        print(f"Wrote {write_circuit(result, asked.file)}")
        return
    one_of(f"file ending for {result.title!r}, no circuit,", asked.file.suffix, tables)
    try:
        asked.file.parent.mkdir(parents=True, exist_ok=True)
        if asked.file.suffix == ".csv":
            table(result).to_csv(asked.file, index=False)
        else:
            table(result).to_json(asked.file, orient="records", indent=1, force_ascii=False)
    except OSError as problem:
        raise BadInput(f"{asked.file} must be a file that can be written; got {problem.strerror or problem}.") from problem
    print(f"Wrote {asked.file}")


def import_circuit(asked: argparse.Namespace) -> None:
    """Print the circuit in a file; it is not stored, since a file does not tell what its numbers depend on."""
    from workbench.formats import read_circuit

    result = read_circuit(asked.file)
    _print_result(result, asked.rows)
    if asked.html:
        _write_html([result], asked.html)


def measure(asked: argparse.Namespace) -> None:
    """Measure a circuit that is there already, store and print it."""
    from workbench.errors import one_of
    from workbench.formats import read_circuit
    from workbench.methods import faithfulness
    from workbench.metrics import METRICS
    from workbench.models import load
    from workbench.result import Circuit
    from workbench.store import Store

    one_of("metric", asked.metric, METRICS)
    if asked.task == WEIGHTS:
        raise BadInput("measure must be given a task; got 'weights'. Use one that `workbench tasks` lists.")
    store = Store()
    circuit = read_circuit(Path(asked.circuit)) if Path(asked.circuit).suffix else store.get(asked.circuit)
    if not isinstance(circuit, Circuit):
        raise BadInput(f"measure must be given a circuit; got {asked.circuit!r}, which is none. Use a key of discover.")
    _check_task(asked)
    model = load(asked.model, device=asked.device, dtype=asked.dtype)
    told = faithfulness(
        model, _pairs(asked, model), circuit, metric=asked.metric, ablation=asked.ablation, reference=asked.reference,
        nodes=asked.nodes, seed=asked.seed,
    )  # fmt: skip
    store.put(told)
    print(told.title)
    for name in ("summary", "minimality"):
        if name in told.parts:
            part = told.parts[name]
            _print_table(
                [
                    {name: str(key), "value": float(value)}
                    for key, value in zip(part[part.dims[0]].values, part.values, strict=True)
                ]
            )
    print(f"\n{told.origin.caption()}")


def demo(asked: argparse.Namespace) -> None:
    """The first circuit, end to end."""
    _start()
    from workbench.demo import run_demo

    run_demo(asked.model, asked.n, asked.seed, asked.device, asked.html)


def serve(asked: argparse.Namespace) -> None:
    """Serve the apps with Panel."""
    import subprocess

    apps = Path(__file__).parents[1] / "apps"
    if not apps.is_dir():
        raise BadInput(f"serve must be run from a checkout, beside the folder apps/; got none at {apps}.")
    files = sorted(str(file) for file in apps.glob("*.py"))
    words = [sys.executable, "-m", "panel", "serve", *files, "--port", str(asked.port), "--address", asked.address]
    words += ["--show"] if asked.show else []
    if asked.address not in ("127.0.0.1", "localhost"):
        words += ["--allow-websocket-origin", f"{asked.address}:{asked.port}"]
    subprocess.run(words, check=False)


def bench(asked: argparse.Namespace) -> None:
    """Run the harness in bench/."""
    root = Path(__file__).parents[1]
    if not (root / "bench" / "harness.py").is_file():
        raise BadInput(f"bench must be run from a checkout, beside the folder bench/; got none at {root}.")
    sys.path.insert(0, str(root))
    from bench.harness import run_bench

    run_bench(asked)


def _print_result(result: Any, top: int) -> None:
    from workbench.plots import rows
    from workbench.result import Scores

    if result is None:
        raise BadInput("key must be that of a whole result; this one was damaged and is set aside. Run it again.")
    print(f"{result.title} [{result.unit}]")
    for name, note in result.notes.items():
        print(f"  {name}: {note}")
    _print_table(rows(result.mean() if isinstance(result, Scores) else result, top=top))
    if result.origin:
        print(f"\n{result.origin.caption()}")


def _print_table(rows: Sequence[dict[str, Any]]) -> None:
    """Rows as aligned columns; numbers to four digits."""
    if not rows:
        return
    columns = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[_cell(row.get(name, "")) for name in columns] for row in rows]
    widths = [max(len(name), *(len(row[i]) for row in cells)) for i, name in enumerate(columns)]
    for row in [columns, *cells]:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _cell(value: Any) -> str:
    return f"{value:+.4g}" if isinstance(value, float) else str(value).replace("\n", "\\n")


def _write_html(results: Sequence[Any], file: Path) -> None:
    from workbench.report import report

    print(f"Wrote {report(list(results), file, title=results[0].title)}")


if __name__ == "__main__":
    sys.exit(main())
