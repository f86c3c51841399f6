"""Which prompt of a task, and which side of it: a menu of the prompts beside clean and corrupt."""

from collections.abc import Callable, Sequence
from typing import Any

import panel_material_ui as pmui

WIDE: dict[str, Any] = {"sizing_mode": "stretch_width"}


class PromptChooser:
    """The two choices, in `row`.

    Args:
        choose: Called with `prompt` or `of` when the user has chosen.
    """

    def __init__(self, choose: Callable[..., None]):
        self._choose, self._setting = choose, False
        small: dict[str, Any] = {"size": "small", "margin": 0}
        self.prompt = pmui.Select(label="Prompt", options=["prompt 1"], value="prompt 1", **small, **WIDE)
        self.of = pmui.RadioButtonGroup(options=["clean", "corrupt"], value="clean", **small)
        self.row = pmui.Row(self.prompt, self.of, margin=(6, 0), align="center", sx={"gap": "8px"}, **WIDE)
        self.prompt.param.watch(lambda event: self._chosen(prompt=event.new), "value")
        self.of.param.watch(lambda event: self._chosen(of=event.new), "value")

    def show(self, prompts: Sequence[str], prompt: int, of: str) -> None:
        """Show what is chosen.

        Args:
            prompts: A label per prompt, as far as known.
            prompt: Which of them.
            of: 'clean' or 'corrupt'.
        """
        labels = list(prompts) or ["prompt 1"]
        self._setting = True
        self.prompt.param.update(options=labels, value=labels[min(prompt, len(labels) - 1)])
        self.of.value = of
        self._setting = False

    def _chosen(self, **chosen: Any) -> None:
        if self._setting or None in chosen.values():
            return
        if "prompt" in chosen:
            chosen = {"prompt": self.prompt.options.index(chosen["prompt"])}
        self._choose(**chosen)
