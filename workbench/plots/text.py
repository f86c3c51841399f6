"""Text as figures show it: escaped, with blanks made visible, measured and wrapped.

Plotly reads a subset of HTML in every label and hands `$…$` to MathJax where a page has it: text that comes from
prompts passes through `safe` or `token` before it enters a figure. Widths are estimates, on the wide side of common
fonts.
"""

import unicodedata

_NARROW = set("iljI.,:;'|!`()[]{}ftr· ")
_WIDE = set("mwMW@%&—…")


def safe(text: object) -> str:
    """`text` such that plotly shows it as it stands."""
    escaped = str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("$", "&#36;")


def visible(text: str) -> str:
    """A token with its outer blanks as '·', and line breaks and other controls as escapes; not yet safe."""
    if not text:
        return "∅"
    shown = "".join(repr(char)[1:-1] if unicodedata.category(char).startswith("C") else char for char in text)
    body = shown.strip(" ")
    if not body:
        return "·" * len(shown)
    start = len(shown) - len(shown.lstrip(" "))
    return "·" * start + body + "·" * (len(shown) - start - len(body))


def token(text: object, longest: int | None = None) -> str:
    """A token as shown in figures, cut to `longest` characters where given; safe."""
    shown = visible(str(text))
    if longest is not None and len(shown) > longest:
        shown = shown[: longest - 1] + "…"
    return safe(shown)


def extent(text: str, size: int | float = 11) -> float:
    """About how many pixels wide `text` (not escaped) is in a font of `size` pixels."""
    return size * sum(map(_em, text), 0.0)


def _em(char: str) -> float:
    if unicodedata.east_asian_width(char) in "WF":
        return 1.1
    if unicodedata.combining(char):
        return 0.0
    if char in _NARROW:
        return 0.4
    if char in _WIDE:
        return 0.95
    return 0.72 if char.isupper() else 0.62


def wrap(text: str, width: int | float, size: int | float) -> list[str]:
    """`text` in lines of at most `width` pixels, broken at blanks, or within words that are longer than a line."""
    lines: list[str] = []
    for paragraph in text.splitlines() or [""]:
        line = ""
        for word in paragraph.split():
            grown = f"{line} {word}" if line else word
            if extent(grown, size) <= width:
                line = grown
                continue
            if line:
                lines.append(line)
            *full, line = _pieces(word, width, size)
            lines.extend(full)
        lines.append(line)
    return lines


def _pieces(word: str, width: int | float, size: int | float) -> list[str]:
    pieces = [""]
    for char in word:
        if pieces[-1] and extent(pieces[-1] + char, size) > width:
            pieces.append("")
        pieces[-1] += char
    return pieces


def block(text: str, width: int | float, size: int | float) -> tuple[str, int]:
    """`text` wrapped and safe, as plotly takes it, and its number of lines."""
    lines = wrap(text, width, size)
    return "<br>".join(map(safe, lines)), len(lines)
