"""The folder in which the workbench keeps what it downloads, converts and computes."""

import os
from pathlib import Path


def home() -> Path:
    """The folder for everything kept between runs: WORKBENCH_HOME, else the user's cache folder; it may not exist."""
    given = os.environ.get("WORKBENCH_HOME")
    if given:
        return Path(given).expanduser()
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("circuit-workbench"))
