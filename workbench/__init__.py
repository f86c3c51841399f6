"""Circuit workbench: a Model and a Task go into a Method, a Result comes out, a Figure is drawn from it.

    import workbench

    model = workbench.load("smollm2-135m")
    pairs = workbench.TASKS["ioi"](model, n=8, seed=0)
    result = workbench.METHODS["patch"](model, pairs)
    workbench.figure(result)

The names below are found on first use, so that `import workbench` loads no torch and takes a blink.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "BadInput": "workbench.errors",
    "CATALOGUE": "workbench.models",
    "Graph": "workbench.graph",
    "Intervention": "workbench.edges.interventions",
    "KINDS": "workbench.result",
    "METHODS": "workbench.methods",
    "METRICS": "workbench.metrics",
    "Origin": "workbench.result",
    "Pairs": "workbench.pairs",
    "Circuit": "workbench.result",
    "Curve": "workbench.result",
    "Readout": "workbench.result",
    "Scores": "workbench.result",
    "Stopped": "workbench.progress",
    "Store": "workbench.store",
    "TASKS": "workbench.tasks",
    "agreement": "workbench.methods",
    "attention_grid": "workbench.widgets.attention_grid",
    "card": "workbench.models",
    "circuit_graph": "workbench.widgets.circuit_graph",
    "custom": "workbench.tasks",
    "faithfulness": "workbench.methods",
    "figure": "workbench.plots",
    "follow": "workbench.following",
    "heads_table": "workbench.plots",
    "intervened": "workbench.edges.interventions",
    "load": "workbench.models",
    "read_circuit": "workbench.formats",
    "relevance": "workbench.rules",
    "report": "workbench.report",
    "stack": "workbench.stacking",
    "table": "workbench.plots",
    "write_circuit": "workbench.formats",
}

__all__ = [*sorted(_HOME), "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'workbench' has no attribute {name!r}; it has {', '.join(sorted(_HOME))}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
