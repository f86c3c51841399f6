"""Where a result comes from: all that it depends on, its key in the store, its caption, and the code that computes it again."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Rows = Sequence[Mapping[str, Any]]
# How the user's own pairs are read where nothing is said.
_CUSTOM = {"first_token": False, "add_space": True}


@dataclass(frozen=True)
class Origin:
    """Everything that a result depends on. Two equal Origins are one key of the store.

    Attributes:
        method: Id of the method, as in `workbench run METHOD`.
        model: Ref the model was loaded by, with all revisions where results of several are stacked; empty where the networks
            are trained by the method itself (a study of `dynamics`).
        fingerprint: Hash of the model's weights.
        task: Id of the task, or 'custom'.
        pairs: Hash of the prompts, answers and positions.
        task_params: What the task was made with (n, seed, options).
        params: The method's parameters, defaults included.
        device: 'cpu', 'cuda', ….
        dtype: 'float32', ….
        versions: Versions of the libraries that computed.
    """

    method: str
    model: str
    fingerprint: str
    task: str
    pairs: str
    task_params: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    device: str = "cpu"
    dtype: str = "float32"
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """16 hex digits: the name of the result in the store."""
        return hashlib.sha256(canonical(dataclasses.asdict(self)).encode()).hexdigest()[:16]

    def caption(self) -> str:
        """One line for under a figure: method, model, task, parameters, device, dtype, key."""
        given = ", ".join(f"{name}={_plain(value)}" for name, value in self.params.items() if value is not None)
        made = ", ".join(f"{name}={_plain(value)}" for name, value in self.task_params.items() if value is not None)
        task = f" · {self.task}({made})" if self.task else ""
        model = f" · {self.model} [{self.fingerprint[:8]}]" if self.model else ""
        return f"{self.method}({given}){model}{task} · {self.device} {self.dtype} · {self.key}"

    def code(self, rows: Rows = ()) -> str:
        """Python that computes the result again, as pasted into a notebook.

        Args:
            rows: The user's own pairs, for the task 'custom': of these an Origin has only a hash.
        """
        if not self.model:
            return self._study_code()
        params = "".join(f", {name}={_literal(value)}" for name, value in self.params.items())
        name, _, steps = self.model.rpartition("@")
        if "," in steps:
            given = f"device={self.device!r}, dtype={self.dtype!r}"
            make = f"lambda model: {self._pairs_code(rows)}" if self.task else "None  # the weights alone"
            return (
                f"import workbench\n\n{self._rows_code(rows)}"
                f"pairs = {make}\n"
                f"result = workbench.follow({name!r}, {self.method!r}, {steps.split(',')!r}, pairs, {given}{params})\n"
            )
        return f"{self.setting(rows)}result = workbench.METHODS[{self.method!r}](model, pairs{params})\n"

    def setting(self, rows: Rows = ()) -> str:
        """Python that loads the model as `model` and makes the prompts as `pairs`; see `code`."""
        return (
            f"import workbench\n\n{self._rows_code(rows)}"
            f"model = workbench.load({self.model!r}, device={self.device!r}, dtype={self.dtype!r})\n"
            f"pairs = {self._pairs_code(rows)}\n"
        )

    def _rows_code(self, rows: Rows) -> str:
        if self.task != "custom" or not rows:
            return ""
        return "rows = [\n" + "".join(f"    {dict(row)!r},\n" for row in rows) + "]\n"

    def _pairs_code(self, rows: Rows) -> str:
        """What makes the pairs for `model`."""
        if not self.task:
            return "None  # the weights alone"
        if self.task == "custom":
            changed = {name: self.task_params.get(name, usual) for name, usual in _CUSTOM.items()}
            given = "".join(f", {name}={value!r}" for name, value in changed.items() if value != _CUSTOM[name])
            if rows:
                return f"workbench.custom(model, rows{given})"
            return f"workbench.custom(model, PATH_OR_ROWS{given})  # your own pairs: put the file or the rows here"
        given = "".join(f", {name}={_literal(value)}" for name, value in self.task_params.items())
        return f"workbench.TASKS[{self.task!r}](model{given})"

    def _study_code(self) -> str:
        """The same for a study, which trains its networks itself."""
        given = {**self.task_params, **self.params, "device": self.device}
        params = ", ".join(f"{name}={_literal(value)}" for name, value in given.items())
        return f"from workbench.dynamics import STUDIES\n\nresult = STUDIES[{self.method!r}]({params})\n"


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces; tuples read as lists."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _literal(value: Any) -> str:
    """A parameter as Python; a list was a tuple before it was stored."""
    return repr(tuple(value) if isinstance(value, list) else value)


def _plain(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return "+".join(map(str, value))
    return str(value)
