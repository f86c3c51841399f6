"""A model as it is asked for: which, in which dtype, on which device."""

from typing import NamedTuple, Union

DTYPE = "float32"


class Placed(NamedTuple):
    """A ref with the dtype and the device to load it with; '' stands for the default.

    Attributes:
        ref: What `load` takes.
        dtype: 'float32' where ''.
        device: 'cuda' where there is one and else 'cpu', where ''.
    """

    ref: str
    dtype: str = ""
    device: str = ""

    @classmethod
    def of(cls, asked: Union[str, "Placed"]) -> "Placed":
        """What is asked for, by its ref alone or placed, with nothing left to a default."""
        from workbench.models.device import default_device

        made = asked if isinstance(asked, Placed) else cls(asked)
        return cls(made.ref, made.dtype or DTYPE, made.device or default_device())

    @property
    def options(self) -> dict[str, str]:
        """What `load` is told beside the ref: what is not the default."""
        from workbench.models.device import default_device

        told = {"dtype": self.dtype if self.dtype != DTYPE else ""}
        told["device"] = self.device if self.device != default_device() else ""
        return {name: value for name, value in told.items() if value}

    @property
    def words(self) -> str:
        """Ref, and what is not the default, for reading."""
        return ", ".join([self.ref, *self.options.values()])
