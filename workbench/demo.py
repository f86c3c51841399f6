"""The first circuit, end to end: which heads, layers and positions of a model do indirect object identification."""

from pathlib import Path
from typing import Any

from workbench.methods import METHODS, agreement
from workbench.models import card, load
from workbench.plots import rows, table
from workbench.report import report
from workbench.result import Result
from workbench.store import Store
from workbench.tasks import TASKS

SITES = ("attn_out", "mlp_out", "resid_pre")


def run_demo(ref: str, n: int, seed: int, device: str | None, html: Path) -> Path:
    """Run the demo, print its tables, keep its results in the store, and write the report.

    Args:
        ref: The model.
        n: Pairs.
        seed: Of the pairs.
        device: Where to run; None chooses.
        html: Where to write the report.
    Returns:
        The report's path.
    Raises:
        BadInput: When the model cannot be loaded or its tokenizer cannot carry the task.
    """
    model = load(ref, device=device)
    store, known = Store(), card(model)
    pairs = TASKS["ioi"](model, n=n, seed=seed)
    print(f"{known.ref} from {known.source} on {known.device}: {model.cfg.n_layers} layers × {model.cfg.n_heads} heads")
    print(
        f"{n} pairs, such as\n  clean:   {''.join(pairs.clean_strings[0])} …\n  corrupt: {''.join(pairs.corrupt_strings[0])} …"
    )

    def run(method: str, **params: Any) -> Result:
        return store.compute(METHODS[method], model, pairs, **params)

    baseline = run("baseline")
    _say_baseline(baseline)
    heads = {method: run(method) for method in ("patch", "atp", "relp")}
    _say_heads(heads["patch"])
    everywhere = dict(sites=SITES, by=("layer", "pos"), positions="each")
    maps = {method: run(method, **everywhere) for method in ("patch", "atp", "relp")}
    agreed = {method: agreement(maps["patch"], maps[method]) for method in ("atp", "relp")}
    agreed_heads = {method: agreement(heads["patch"], heads[method]) for method in ("atp", "relp")}
    for result in (*agreed.values(), *agreed_heads.values()):
        store.put(result)
    _say_agreement(agreed, agreed_heads)
    direct, lens = run("dla"), run("lens")
    by_layer = run("lens_by_layer")
    sections = _sections(baseline, heads, maps, agreed, agreed_heads, direct, lens, by_layer)
    written = report(sections, html, title=f"Indirect object identification in {known.ref}")
    print(f"\nResults are in the store {store.folder} (`workbench show`).\nReport: {written}")
    return written


def _say_baseline(baseline: Result) -> None:
    means = baseline.values.mean("prompt")
    print(f"\nBaseline: logit difference {float(means[0]):+.2f} on clean, {float(means[1]):+.2f} on corrupt; ", end="")
    print(f"accuracy {baseline.notes['accuracy']}")
    if "warning" in baseline.notes:
        print(f"Warning: {baseline.notes['warning']}")


def _say_heads(exact: Result) -> None:
    print("\nHeads that restore the answer when patched from clean into corrupt (logits, mean over prompts ± 1 s.e.):")
    for row in rows(exact.mean(), top=10):
        spread = f" ± {(row['upper'] - row['lower']) / 2:.3f}" if row.get("upper") is not None else ""
        print(f"  layer {int(row['layer']):2d} head {int(row['head']):2d}  {row['value']:+.3f}{spread}")


def _say_agreement(agreed: dict[str, Result], agreed_heads: dict[str, Result]) -> None:
    print("\nPearson correlation with exact patching over layer × position, and over heads [95 % over prompts]:")
    for method in agreed:
        parts = []
        frame = table(agreed[method])
        for site in SITES:
            row = frame[(frame.site == site) & (frame.measure == "pearson")].iloc[0]
            parts.append(f"{site} {row['value']:.3f} [{row['lower']:.2f}, {row['upper']:.2f}]")
        value = float(agreed_heads[method].values.sel(measure="pearson"))
        print(f"  {method:5} {'  '.join(parts)}  heads {value:.3f}")


def _sections(
    baseline: Result,
    heads: dict[str, Result],
    maps: dict[str, Result],
    agreed: dict[str, Result],
    agreed_heads: dict[str, Result],
    direct: Result,
    lens: Result,
    by_layer: Result,
) -> list[tuple[str, str, Any]]:
    """The report: a heading, a paragraph, and results, in the order in which one would ask."""
    return [
        (
            "Can the model do it?",
            "The metric on each clean and corrupt prompt. Nothing below means much if it cannot.",
            baseline,
        ),
        (
            "Which heads carry the answer?",
            "Exact activation patching: each head's output on the clean prompt is put into the corrupt run, one run per head.",
            heads["patch"],
        ),
        (
            "Where does the information flow?",
            "The same for attention outputs, MLP outputs and the residual stream, by layer and position.",
            maps["patch"],
        ),
        (
            "What do the fast methods say?",
            "Attribution patching by the gradient, and relevance patching, both in two forward passes and one backward pass.",
            [maps["atp"], maps["relp"]],
        ),
        (
            "How far do they agree with the exact one?",
            "Every point is a cell: exact patching across, the estimate up. Intervals are over resampled prompts.",
            [*agreed.values(), *agreed_heads.values()],
        ),
        ("Which heads write the answer directly?", "Each head's output dotted with the answer's direction.", direct),
        (
            "What does each layer believe?",
            "The logit lens: the metric by layer, and the top tokens of one prompt.",
            [by_layer, lens],
        ),
    ]
