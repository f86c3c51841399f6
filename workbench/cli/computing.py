"""Verbs that compute: run, train, measure, demo."""

import argparse
from pathlib import Path
from typing import Any

from workbench.cli.flags import WEIGHTS, start
from workbench.cli.printing import print_result, print_table, write_html
from workbench.dynamics import verb as training
from workbench.errors import BadInput


def run(asked: argparse.Namespace) -> None:
    """Run a method, on a model or along its checkpoints, print its top cells, store the result."""
    from workbench.following import follow
    from workbench.methods import METHODS
    from workbench.models import load
    from workbench.models.revisions import several
    from workbench.params import parse
    from workbench.store import Store

    check_method(asked)
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
    print_result(result, asked.rows)
    if asked.html:
        write_html([result], asked.html)


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
        print_result(result, 15)
    if asked.html:
        write_html([result], asked.html)


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
            print_table(
                [
                    {name: str(key), "value": float(value)}
                    for key, value in zip(part[part.dims[0]].values, part.values, strict=True)
                ]
            )
    print(f"\n{told.origin.caption()}")


def demo(asked: argparse.Namespace) -> None:
    """The first circuit, end to end."""
    start()
    from workbench.demo import run_demo

    run_demo(asked.model, asked.n, asked.seed, asked.device, asked.html)


def check_method(asked: argparse.Namespace) -> None:
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
