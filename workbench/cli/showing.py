"""Verbs that show what there is: models, tasks, methods, stored results, circuits in files."""

import argparse

from workbench.cli.flags import help_of
from workbench.cli.printing import print_result, print_table, write_html
from workbench.errors import BadInput


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
    print_table(rows)
    print("\nhere: on this disk; 'package': fetched as a Python package where the hub cannot be reached.")


def tasks(asked: argparse.Namespace) -> None:
    """Print the tasks with their options."""
    from workbench.tasks import TASKS

    for task in TASKS.values():
        print(f"{task.name:18} {task.title}  [{task.source}]")
        for name, option in task.options.items():
            if name not in ("n", "seed"):
                print(f"{'':18}   --with {name}=VALUE  {help_of(option)}")


def methods(asked: argparse.Namespace) -> None:
    """Print the methods with their parameters."""
    from workbench.methods import METHODS

    for method in METHODS.values():
        print(f"{method.name:14} {method.title}  [{method.source}]")
        for name, parameter in method.params.items():
            print(f"{'':14}   --{name.replace('_', '-')}  {help_of(parameter)}")


def show(asked: argparse.Namespace) -> None:
    """List the store, or print one result."""
    from workbench.store import Store

    store = Store()
    if asked.key:
        print_result(store.get(asked.key), asked.rows)
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
    print_table(rows)


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
        write_html([result], asked.file)
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
    print_result(result, asked.rows)
    if asked.html:
        write_html([result], asked.html)
