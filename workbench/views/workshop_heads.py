"""Checks of an exercise that look at heads: which is open, how it stands out, which cell was chosen, what was typed of it."""

from dataclasses import dataclass

from workbench.views.workshop_seen import Seen, Verdict, enough, head_of, heads_table, named, results


@dataclass(frozen=True)
class HeadOpen:
    """One of some heads is open.

    Attributes:
        any_of: Their names, LAYER.HEAD.
    """

    any_of: tuple[str, ...]

    def judge(self, seen: Seen) -> Verdict:
        """Whether the open head is one of them."""
        head = head_of(seen.view)
        if head is None:
            return Verdict(False, "No head is open.")
        return Verdict(named(head) in self.any_of, f"Head {named(head)} is open: {_it(named(head) in self.any_of)}.")


@dataclass(frozen=True)
class HeadHas:
    """The open head stands out in a column of the table of heads.

    Attributes:
        column: A detector, or a method whose scores are joined.
        at_least: Least number it must have.
        within: It must be among so many with the most; with the least where `lowest`.
        lowest: Count from the other end.
    """

    column: str
    at_least: float | None = None
    within: int | None = None
    lowest: bool = False

    def judge(self, seen: Seen) -> Verdict:
        """Whether the number of the open head is such."""
        table, head = heads_table(seen.view), head_of(seen.view)
        if table is None:
            return Verdict(False, "The table of heads is not there yet: press Find heads.")
        if self.column not in table.columns:
            return Verdict(False, f"The table has no column {self.column}: join it first.")
        if head is None:
            return Verdict(False, "No head is open: click a row of the table, or a cell of the map.")
        values = table.columns[self.column].values
        value = float(values[table.row(head)])
        if value != value:
            return Verdict(False, f"Head {named(head)} has no number in {self.column}.")
        above = int((values < value).sum() if self.lowest else (values > value).sum())
        large = self.at_least is None or value >= self.at_least
        near = self.within is None or above < self.within
        place = f"place {above + 1} of {len(values)}, from the {'lowest' if self.lowest else 'highest'}"
        takes = [] if self.at_least is None else [f"{self.at_least:g} or more"]
        takes += [] if self.within is None else [f"one of the first {self.within}"]
        said = f"Head {named(head)} has {value:+.3g} in {self.column}, {place}"
        return Verdict(large and near, f"{said}: {enough(large and near, ' and '.join(takes))}.")


@dataclass(frozen=True)
class TopCell:
    """The cell that was chosen is one of the largest of the map.

    Attributes:
        within: It must be among so many, by size.
        method: The method that the map is of; any where None.
        positive: Count positive cells alone.
    """

    within: int = 3
    method: str | None = None
    positive: bool = False

    def judge(self, seen: Seen) -> Verdict:
        """Whether the chosen cell is among them."""
        from workbench.views.cells import top_cells

        shown = results(seen.view)
        if not shown or (self.method is not None and self.method not in shown):
            return Verdict(False, f"No finished map{f' of {self.method}' if self.method else ''} is on this page yet.")
        result = shown[self.method] if self.method else next(iter(shown.values()))
        head = head_of(seen.view)
        if head is None:
            return Verdict(False, "No cell is chosen: click one.")
        at = {"layer": head[0], "head": head[1], "pos": getattr(seen.view, "pos", None)}
        cells = [row for row in top_cells(result, 10**6) if not self.positive or row["value"] > 0]
        for place, row in enumerate(cells, start=1):
            if all(row[name] == value for name, value in at.items() if name in row):
                said = f"The chosen cell has {row['value']:+.3g}, place {place} of {len(cells)} by size"
                near = place <= self.within
                return Verdict(near, f"{said}: {enough(near, f'one of the first {self.within}')}.")
        return Verdict(False, "The chosen cell is none of those that count here.")


@dataclass(frozen=True)
class Answer:
    """What the learner typed is what their own run says.

    Attributes:
        ask: The question beside the field.
        best: The answer is the head with the most in this column of the table, as LAYER.HEAD.
        count: The answer is how many heads have at least `at_least` in this column.
        at_least: See `count`.
        looks_at: The answer is the token that the open head looks at most, from this position: 'END', or an index.
        any_of: The answer is one of these words.
    """

    ask: str
    best: str | None = None
    count: str | None = None
    at_least: float = 0.5
    looks_at: str | None = None
    any_of: tuple[str, ...] = ()

    def judge(self, seen: Seen) -> Verdict:
        """Whether it is."""
        typed = " ".join(seen.typed.split()).casefold()
        if not typed:
            return Verdict(False, "Type an answer first.")
        right = list(self.any_of)
        column = self.best or self.count
        if column is not None:
            table = heads_table(seen.view)
            if table is None or column not in table.columns:
                return Verdict(False, f"Your own table with {column} is not there yet: press Find heads.")
            values = table.columns[column].values
            finite = [float("-inf") if value != value else float(value) for value in values]
            most = named(table.head(finite.index(max(finite))))
            right = [most] if self.best else [str(int((values >= self.at_least).sum()))]
        elif self.looks_at is not None:
            scores = getattr(getattr(getattr(seen.view, "head", None), "attention", None), "scores", None)
            if scores is None:
                return Verdict(False, "Open a head first, so that its attention is read.")
            row = scores.values.isel(query=-1 if self.looks_at == "END" else int(self.looks_at))
            right = [str(row["key"].values[int(row.values.argmax())]).strip()]
        passed = typed in [word.casefold() for word in right]
        return Verdict(passed, f"'{seen.typed.strip()[:40]}' {'is' if passed else 'is not'} what your own run says.")


def _it(passed: bool) -> str:
    return "that is it" if passed else "another is meant"
