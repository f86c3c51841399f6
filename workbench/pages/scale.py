"""The card of a component's scale: a slider of α, and what follows of it; all was computed beforehand."""

from typing import Any

import panel_material_ui as pmui

from workbench.pages import channel_words as words
from workbench.pages.menu import BESIDE, Panel
from workbench.pages.pair import framed
from workbench.pages.shell import THEME, line
from workbench.pages.shown import drawn, heading, paper
from workbench.plots.frame import LEAST_ASKED
from workbench.views.channels import Channels

LEAST, MOST, STEP = -3, 8, 0.5
MARKS = {-3: "−3", -1: "−1", 0: "0", 1: "1, as it is", 3: "3", 5: "5", 8: "8"}
HEIGHT = 860
GROUND = {theme: str(THEME[theme]["palette"]["background"]["paper"]) for theme in ("light", "dark")}
# Of the width, what the tokens get beside the answers' logits.
TOKENS = 0.68
# Below this many pixels a number does not fit into the cell of its token.
NUMBER = 36


class Scale:
    """The slider and the figures of a Channels view, in `card`."""

    def __init__(self, view: Channels):
        self._view, self._shown, self._setting = view, None, False
        self._made: dict[str, tuple[Any, Any]] = {}
        self._theme, self._width, self._halved = "light", 1000.0, True
        self.slider = pmui.FloatSlider(
            label="α, the factor on what the component writes at END", start=LEAST, end=MOST, step=STEP, value=1,
            marks=[{"value": at, "label": label} for at, label in MARKS.items()],
            size="small", tooltips=False, margin=(0, 16, 8, 12), sizing_mode="stretch_width",
        )  # fmt: skip
        self.prompt = pmui.Select(
            label="Prompt", options=["prompt 1"], value="prompt 1", size="small", margin=0, sizing_mode="stretch_width"
        )
        self.says = line()
        self.looks, self.logits, self.answers, self.leaning = Panel(), Panel(), Panel(), Panel()
        self.chooser = framed(self.slider, self.prompt)
        self.at, self.over = framed(self.looks.box, self.logits.box), framed(self.answers.box, self.leaning.box)
        self.always = pmui.Column(self.chooser, self.says, sizing_mode="stretch_width", margin=0)
        self.card = paper(
            heading("The component's scale", "drag to say it louder, quieter or the other way round"),
            self.always, self.at, self.over,
        )  # fmt: skip
        self.slider.param.watch(lambda event: self._set(alpha=event.new), "value")
        self.prompt.param.watch(lambda event: self._set(prompt=self.prompt.options.index(event.new)), "value")

    def show(self, theme: str, width: int | float, halved: bool) -> None:
        """Show what follows of the chosen component, if it is computed."""
        pair = self._view.pair
        self.card.visible = pair.writer is not None and not (pair.scaled is None and pair.known.reason)
        for box in (self.at, self.over, self.chooser):
            box.visible = pair.scaled is not None
            box.flex_direction = "row" if halved else "column"
        # What is dragged stays in sight beside the last of what follows of it.
        self.always.styles = {
            "position": "sticky",
            "top": "0",
            "z-index": "2",
            "padding-top": "8px",
            "background": GROUND[theme],
        }
        # Side by side, all in a row share its width evenly unless it is said otherwise.
        for chart, share in ((self.looks, TOKENS), (self.logits, 1 - TOKENS)):
            flex = {"flex": f"0 0 {share * (width - 12):.0f}px"} if halved else {}
            chart.box.styles = BESIDE | flex
        # While another component is computed the page must not jump.
        self.card.min_height = HEIGHT if pair.scaled is not None or pair.live else None
        shown = (id(pair.scaled), theme, width, halved)
        if shown != self._shown:
            self._shown = shown
            self._theme, self._width, self._halved = theme, width, halved
            self._made = {}
            if pair.scaled is not None:
                half = (width - 12) / 2 if halved else width
                of = {"answers": pair.scaled.answers(), "leaning": pair.scaled.leaning()}
                self._made = {name: (drawn(curve, theme, half, mark=pair.alpha), curve) for name, curve in of.items()}
        self.move()

    def move(self) -> None:
        """Show what follows of the α and on the prompt chosen; nothing is computed."""
        pair = self._view.pair
        prompts = pair.prompts or ["prompt 1"]
        self._setting = True
        self.slider.value = pair.alpha
        self.prompt.param.update(options=prompts, value=prompts[min(pair.prompt, len(prompts) - 1)])
        self._setting = False
        self.says.object = words.scaled(pair)
        if pair.scaled is None:
            return
        for name, chart in (("answers", self.answers), ("leaning", self.leaning)):
            made, curve = self._made[name]
            made.update_shapes({"x0": pair.alpha, "x1": pair.alpha}, {"name": "mark"})
            chart.show(made, curve, code=pair.code(curve, name))
        prompt, scaled, whole = min(pair.prompt, len(prompts) - 1), pair.scaled, self._width
        left = right = whole
        if self._halved:
            right = max(LEAST_ASKED, (1 - TOKENS) * (whole - 12))
            left = whole - 12 - right
        looks, logits = scaled.looks(pair.alpha, prompt), scaled.logits(pair.alpha, prompt)
        wide = (left - 180) / looks.values.shape[1] >= NUMBER
        # Colours that mean the same at every α, so that dragging shows what changes.
        ends = {
            "looks": float(scaled.attention[:, prompt].max()) or 1.0,
            "logits": float(abs(scaled.items[:, prompt]).max()) or 1.0,
        }
        made = drawn(looks, self._theme, left, limit=ends["looks"], numbers=wide)
        self.looks.show(made, looks, code=pair.code(looks, "looks"))
        made = drawn(logits, self._theme, right, limit=ends["logits"], numbers=True)
        self.logits.show(made, logits, code=pair.code(logits, "logits"))

    def _set(self, **state: Any) -> None:
        if not self._setting and all(value is not None for value in state.values()):
            self._view.pair.param.update(**state)
