"""Verbs of a checkout: serve the apps, run the bench."""

import argparse
import os
import secrets
import sys
from pathlib import Path

from workbench.errors import BadInput, at_least, one_of

ROOT = Path(__file__).parents[2]
PAGES = Path(__file__).parents[1] / "pages"
LOCAL = ("127.0.0.1", "localhost", "::1")


def flags(parser: argparse.ArgumentParser) -> None:
    """Flags of `serve`."""
    add = parser.add_argument
    add("--port", type=int, default=5006)
    add("--address", default="127.0.0.1", help="where to listen (127.0.0.1: this machine alone)")
    add("--host", action="append", default=[], help="a name by which browsers reach it, as NAME:PORT; may be given again")
    add("--show", action="store_true", help="open a browser")
    add("--workers", type=int, default=4, help="threads that answer clicks (4); models have a thread per device beside these")
    add("--only", default="", help="pages to serve: a comma-separated few of those in apps/")
    add("--allow", action="append", default=[], metavar="MODEL", help="a model that may be asked for; may be given again (all)")
    add("--models-in", type=Path, metavar="FOLDER", help="where models of one's own lie (anywhere; nowhere for other machines)")
    add("--limit", action="append", default=[], metavar="NAME=N", help="most tokens, pairs, cells, models, jobs of a session")
    add("--memory", help="GB that models may take on a device (a share of what is free)")
    add("--preload", action="append", default=[], metavar="MODEL", help="a model to load at the start; may be given again")
    add("--password-file", type=Path, help="a file with the password, or with JSON of one per user (or WORKBENCH_PASSWORD)")
    add(
        "--workshop",
        type=Path,
        metavar="PLAN",
        help="teach by a plan of exercises, a file or 'induction' or 'ioi': its pages and models alone",
    )
    add("panel", nargs="*", metavar="-- OPTION", help="options of `panel serve`, behind a --: --oauth-provider …")


def serve(asked: argparse.Namespace) -> None:
    """Serve the apps with Panel."""
    import subprocess

    plan = teach(asked)
    words, env = command(asked)
    env |= plan
    subprocess.run(words, check=False, env={**os.environ, **env})


def command(asked: argparse.Namespace) -> tuple[list[str], dict[str, str]]:
    """What is run, and what its environment says besides.

    Raises:
        BadInput: When there are no apps, no such page, a limit or a model that is none, or a file that cannot be read.
    """
    files = _files(asked.only)
    at_least("--workers", asked.workers, 1)
    words = [sys.executable, "-m", "panel", "serve", *map(str, files.values())]
    words += ["--port", str(asked.port), "--address", asked.address, "--num-threads", str(asked.workers)]
    # Without the front page a list of the pages: Panel's own asks other servers for its letters.
    words += ["--index", str(files.get("index", PAGES / "root.html"))]
    # Imports take seconds: better before the first visitor comes.
    words += ["--warm", "--setup", str(PAGES / "setup.py")]
    words += ["--show"] if asked.show else []
    hosts = list(asked.host)
    if asked.address not in LOCAL:
        hosts.append(f"{asked.address}:{asked.port}")
    for host in hosts:
        words += ["--allow-websocket-origin", host]
    login, env = _login(asked)
    return [*words, *login, *asked.panel], {**_limits(asked), **env}


def _files(only: str) -> dict[str, Path]:
    """The launchers to serve, by name."""
    # Beside the package in a checkout, in it where it was installed from a wheel.
    apps = next((folder for folder in (ROOT / "apps", PAGES.parent / "apps") if (folder / "circuits.py").is_file()), None)
    if apps is None:
        raise BadInput(f"serve must be run from a checkout, beside the folder apps/; got none at {ROOT / 'apps'}.")
    files = {file.stem: file for file in sorted(apps.glob("*.py"))}
    wanted = [name.strip() for name in only.split(",") if name.strip()]
    for name in wanted:
        one_of("page", name, files)
    return {name: file for name, file in files.items() if not wanted or name in wanted}


def teach(asked: argparse.Namespace) -> dict[str, str]:
    """Take up the plan of a workshop, if there is one: its models and pages; gives what the environment says of it.

    Raises:
        BadInput: When the plan cannot be read, or names a page that is none.
    """
    if asked.workshop is None:
        return {}
    from workbench.views.workshop_plan import KEY, environment

    plan, env = environment(asked.workshop)
    asked.allow, asked.preload = [*asked.allow, *plan.models], [*asked.preload, *plan.models]
    asked.only = ",".join([*plan.pages, "teacher"])
    where = asked.host[0] if asked.host else f"{asked.address}:{asked.port}"
    print(f"{plan.title}: {len(plan.exercises)} exercises, from http://{where}/{plan.exercises[0].page}")
    print(f"Teacher's page: http://{where}/teacher?key={env[KEY]}", flush=True)
    return env


def _limits(asked: argparse.Namespace) -> dict[str, str]:
    """The environment that says what the server allows."""
    from workbench.jobs.limits import Limits
    from workbench.jobs.models import read_gigabytes

    env = {"WORKBENCH_LIMITS": ",".join(asked.limit), "WORKBENCH_ALLOW": "\n".join(asked.allow)}
    Limits.read(env["WORKBENCH_LIMITS"])
    for ref in (*asked.allow, *asked.preload):
        Limits().check_model(ref)
    if asked.models_in is not None:
        if not asked.models_in.is_dir():
            raise BadInput(f"--models-in must be a folder; got {str(asked.models_in)!r}.")
        env["WORKBENCH_FOLDER"] = str(asked.models_in.resolve())
    elif asked.address not in LOCAL:
        # Whoever reaches the page shall not look through the disk.
        env["WORKBENCH_FOLDER"] = ""
    if asked.memory:
        read_gigabytes(asked.memory)
        env["WORKBENCH_MEMORY"] = asked.memory
    env["WORKBENCH_PRELOAD"] = "\n".join(asked.preload)
    return {name: value for name, value in env.items() if value or name == "WORKBENCH_FOLDER"}


def _login(asked: argparse.Namespace) -> tuple[list[str], dict[str, str]]:
    """The options for a password, and the environment that says where it is."""
    if asked.password_file is None and "WORKBENCH_PASSWORD" not in os.environ:
        return [], {}
    if asked.password_file is not None:
        if not asked.password_file.is_file() or not asked.password_file.stat().st_size:
            raise BadInput(f"--password-file must be a file with a password; got {str(asked.password_file)!r}.")
        env = {"WORKBENCH_PASSWORD_FILE": str(asked.password_file.resolve())}
    elif not os.environ["WORKBENCH_PASSWORD"].strip():
        raise BadInput("WORKBENCH_PASSWORD must be a password; got an empty text.")
    else:
        env = {}
    if not {"BOKEH_COOKIE_SECRET", "PANEL_COOKIE_SECRET"} & set(os.environ) and "--cookie-secret" not in asked.panel:
        env["BOKEH_COOKIE_SECRET"] = secrets.token_hex(32)
    return ["--basic-login-template", str(PAGES / "login.html")], env


def bench(asked: argparse.Namespace) -> None:
    """Run the harness in bench/."""
    if not (ROOT / "bench" / "harness.py").is_file():
        raise BadInput(f"bench must be run from a checkout, beside the folder bench/; got none at {ROOT}.")
    sys.path.insert(0, str(ROOT))
    from bench.harness import run_bench

    run_bench(asked)
