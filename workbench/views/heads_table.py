"""The table of heads: which are shown in which order, and what is said of one head by it. Numbers in, rows and words out."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from workbench.errors import BadInput
from workbench.plots import heads_table
from workbench.result import Scores
from workbench.views.composed import Head
from workbench.views.heads_columns import ABOUT, JOINED, Column

# A head stands out in what it ranks among the first tenth of all heads.
FEW, SAID = 0.1, 3


class HeadsTable:
    """The heads of a model, a row each, layer after layer.

    Args:
        found: What `heads` returns.
        others: Further scores over heads, by method.
    """

    def __init__(self, found: Scores, others: Mapping[str, Scores]):
        self.found, self.others = found, dict(others)
        self.frame: pd.DataFrame = heads_table(found, *others.values())
        self.n_heads = int(found.values.sizes["head"])
        reason = found.notes.get("nan", "")
        units = dict(zip(found.values.detector.values.tolist(), found.values.unit.values.tolist(), strict=True))
        made = [self._column(name, name, unit, ABOUT.get(name, ""), reason) for name, unit in units.items()]
        for method, one in others.items():
            label, about = JOINED.get(method, (method, ""))
            made.append(self._column(method, label, one.unit, about, one.notes.get("nan", "")))
        self.columns = {column.name: column for column in made}

    def _column(self, name: str, label: str, unit: str, about: str, reason: str) -> Column:
        return Column(name, label, unit, about, reason, self.frame[name].to_numpy(dtype=float))

    def __len__(self) -> int:
        return len(self.frame)

    def head(self, row: int) -> Head:
        """Layer and head of a row."""
        return divmod(row, self.n_heads)

    def row(self, head: Head) -> int:
        """The row of a head."""
        return head[0] * self.n_heads + head[1]

    def check(self, head: Head) -> None:
        """Raise BadInput unless the model has such a head."""
        if not (0 <= head[1] < self.n_heads and 0 <= self.row(head) < len(self)):
            last = ".".join(map(str, self.head(len(self) - 1)))
            raise BadInput(f"the head must be from 0.0 to {last}; got {head[0]}.{head[1]}. Write LAYER.HEAD.")

    def order(self, sort: str, descending: bool, shown: np.ndarray) -> list[int]:
        """The rows that are shown, sorted by a column or by 'name'; missing numbers come last, equal ones by layer and head."""
        rows = np.flatnonzero(shown)
        if sort not in self.columns:
            return rows[::-1].tolist() if descending and sort == "name" else rows.tolist()
        values = self.columns[sort].values[rows]
        keys = np.where(np.isnan(values), np.inf, -values if descending else values)
        return rows[np.argsort(keys, kind="stable")].tolist()

    def grid(self, name: str) -> Scores:
        """A column as Scores over layer and head, for a map."""
        column = self.columns[name]
        over = self.found.values.isel(detector=0, drop=True).drop_vars("unit", errors="ignore")
        notes = {} if column.signed else {"range": "positive"}
        notes |= {"nan": column.reason} if np.isnan(column.values).any() else {}
        notes |= {"measures": column.about} if column.about else {}
        return Scores(
            f"Heads by {column.label}", column.unit, over.copy(data=column.values.reshape(over.shape)), notes=notes,
            origin=self.others.get(name, self.found).origin,
        )  # fmt: skip

    def said(self, head: Head) -> str:
        """What a head is by the table, in a sentence: what it stands out in among all heads."""
        row, count = self.row(head), len(self)
        ranked = sorted((int(one.ranks[row]), at, one) for at, one in enumerate(self.columns.values()) if one.ranks[row])
        if not ranked:
            return "Nothing is known of it."
        best = [(rank, one) for rank, _, one in ranked if rank <= max(1, FEW * count)][:SAID]
        if not best:
            rank, _, one = ranked[0]
            return f"It stands out in nothing here: its best place is {_nth(rank)} of {count}, in {_named(one, row)}."
        places = [f"{_nth(rank)} in {_named(one, row)}" for rank, one in best]
        places[0] = places[0].replace(" in ", f" of {count} in ", 1)
        return " and ".join([", ".join(places[:-1]), places[-1]] if len(places) > 1 else places) + "."


def _named(one: Column, row: int) -> str:
    by = ", by size" if one.signed and one.values[row] < 0 else ""
    return f"{one.label} ({one.text(float(one.values[row]))}{by})"


def _nth(rank: int) -> str:
    ending = "th" if 10 <= rank % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(rank % 10, "th")
    return f"{rank}{ending}"


@dataclass(frozen=True, eq=False)
class Measured:
    """What a detector says of one head.

    Attributes:
        column: The detector.
        row: Of the head.
        error: Standard error of its number; NaN where it is one number only.
        each: Its numbers by sequence or prompt.
    """

    column: Column
    row: int
    error: float
    each: np.ndarray

    @property
    def value(self) -> float:
        """The head's number."""
        return float(self.column.values[self.row])


def measured(table: HeadsTable, head: Head) -> list[Measured]:
    """Every column's number of a head, with its standard error and the numbers of the single sequences."""
    made = []
    for column in table.columns.values():
        if column.name in table.others:
            each = _each(table.others[column.name], head)
        else:
            each = table.found.parts[f"each {column.name}"].values[:, head[0], head[1]]
        each = each[np.isfinite(each)]
        error = float(each.std(ddof=1) / math.sqrt(len(each))) if len(each) > 1 else math.nan
        made.append(Measured(column, table.row(head), error, each))
    return made


def _each(scores: Scores, head: Head) -> np.ndarray:
    """The numbers of a joined score by prompt, or by trial that counts."""
    at = {"layer": head[0], "head": head[1]}
    if "prompt" in scores.values.dims:
        return scores.values.isel(at).values.ravel()
    if "each" in scores.parts:
        whole = scores.parts["each"].isel(at).values
        return whole[scores.parts["counts"].values] if "counts" in scores.parts else whole
    return scores.values.isel(at).values.reshape(-1)
