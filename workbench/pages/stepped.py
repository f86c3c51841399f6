"""What the parts of a page with a slider of training steps share: slider and curves choose a step of the view."""

from typing import Any


class Stepped:
    """The slider and the click of a part whose `_view` has `steps` and `look`; `_setting` while the page itself sets them."""

    _view: Any
    _setting: bool

    def _moved(self, event: Any) -> None:
        if not self._setting and event.new is not None:
            self._view.look(event.new)

    def _clicked(self, figure: Any, point: dict) -> None:
        """The step nearest to a clicked point."""
        at = point.get("x")
        if isinstance(at, (int, float)):
            self._view.look(min(self._view.steps, key=lambda step: abs(step - at)))
