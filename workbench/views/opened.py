"""A stored result is read from disk once for all sessions that look at it, as long as its file stays the same."""

from collections import OrderedDict
from threading import Lock

from workbench.result import Result
from workbench.store import Store

# A result has rarely more than some MB; in a class many look at the same ones.
MOST = 32
MOST_BYTES = 256 * 2**20

_opened: "OrderedDict[tuple[str, int, int], Result]" = OrderedDict()
_lock = Lock()


def opened(store: Store, key: str) -> Result | None:
    """The result stored under a key, shared by all who ask: nobody changes it. Otherwise as `Store.get`.

    Args:
        store: Where it lies.
        key: The whole key, or the first digits of one.
    Raises:
        BadInput: As `Store.get`.
    """
    try:
        path = store.path(key)
        seen = path.stat()
    except (OSError, ValueError):
        # Not the whole key, or nothing there: the store says it.
        return store.get(key)
    name = (str(path), seen.st_mtime_ns, seen.st_size)
    with _lock:
        if name in _opened:
            _opened.move_to_end(name)
            return _opened[name]
    result = store.get(key)
    if result is not None and seen.st_size <= MOST_BYTES // MOST:
        with _lock:
            _opened[name] = result
            while len(_opened) > MOST:
                _opened.popitem(last=False)
    return result
