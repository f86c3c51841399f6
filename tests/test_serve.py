"""`workbench serve`: what is run for which flags; a real server with a password, and what it lets out."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest

from workbench import cli
from workbench.errors import BadInput
from workbench.pages.starting import password

ROOT = Path(cli.__file__).parents[2]


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """What `workbench serve` with some words would run, and what its environment says besides, in a checkout of two pages."""
    ran = []
    monkeypatch.setattr("subprocess.run", lambda words, env, **_: ran.append((words, env)))
    monkeypatch.setattr("workbench.cli.serving.ROOT", tmp_path)
    (tmp_path / "apps").mkdir()
    for name in ("circuits", "heads"):
        (tmp_path / "apps" / f"{name}.py").write_text("")
    for name in ("WORKBENCH_PASSWORD", "BOKEH_COOKIE_SECRET", "PANEL_COOKIE_SECRET"):
        monkeypatch.delenv(name, raising=False)

    def ask(*words):
        code = cli.main(["serve", *words])
        return code, *(ran.pop() if ran else (None, None))

    return ask


def option(words, name):
    return words[words.index(name) + 1]


def test_every_page_is_served_to_this_machine_alone(asked, tmp_path):
    code, words, env = asked("--port", "5999")
    assert code == 0
    assert words[1:4] == ["-m", "panel", "serve"]
    assert words[4:6] == [str(tmp_path / "apps" / f"{name}.py") for name in ("circuits", "heads")]
    assert (option(words, "--port"), option(words, "--address"), option(words, "--num-threads")) == ("5999", "127.0.0.1", "4")
    assert Path(option(words, "--setup")).is_file()
    for name in ("--allow-websocket-origin", "--basic-auth", "--basic-login-template", "--show"):
        assert name not in words
    assert not [name for name in env if name.startswith("WORKBENCH_") and name not in os.environ]


def test_other_machines_reach_it_by_name_and_see_nothing_of_the_disk(asked, tmp_path):
    _, words, env = asked("--address", "0.0.0.0", "--host", "lab.example:80", "--workers", "8")
    hosts = [words[at + 1] for at, word in enumerate(words) if word == "--allow-websocket-origin"]
    assert hosts == ["lab.example:80", "0.0.0.0:5006"]
    assert env["WORKBENCH_FOLDER"] == ""
    assert option(words, "--num-threads") == "8"
    assert asked("--address", "0.0.0.0", "--models-in", str(tmp_path))[2]["WORKBENCH_FOLDER"] == str(tmp_path)


def test_limits_models_and_pages(asked, tmp_path):
    (tmp_path / "apps" / "index.py").write_text("")
    words = ["--allow", "gpt2", "--allow", "tiny:repeat", "--limit", "tokens=256", "--limit", "jobs=4", "--memory", "8"]
    _, ran, env = asked(*words, "--preload", "gpt2")
    assert env["WORKBENCH_ALLOW"] == "gpt2\ntiny:repeat"
    assert env["WORKBENCH_LIMITS"] == "tokens=256,jobs=4"
    assert (env["WORKBENCH_MEMORY"], env["WORKBENCH_PRELOAD"]) == ("8", "gpt2")
    assert option(ran, "--index") == str(tmp_path / "apps" / "index.py")
    _, ran, _ = asked("--only", "heads")
    assert ran[4] == str(tmp_path / "apps" / "heads.py")
    assert not ran[5].endswith(".py")
    listed = Path(option(ran, "--index")).read_text(encoding="utf-8")
    assert "{% for slug, title in items %}" in listed
    assert "//" not in listed, "it asks no other server"


def test_panels_own_options_are_passed_on(asked):
    words = ["--oauth-provider", "github", "--oauth-key", "k", "--cookie-secret", "s"]
    _, ran, _ = asked("--port", "5999", "--", *words)
    assert ran[-6:] == words


def test_a_password_is_in_no_command_line(asked, tmp_path, monkeypatch):
    (tmp_path / "password").write_text("Open Sesame\n")
    _, words, env = asked("--password-file", str(tmp_path / "password"))
    assert "Sesame" not in " ".join(words)
    assert env["WORKBENCH_PASSWORD_FILE"] == str(tmp_path / "password")
    assert len(env["BOKEH_COOKIE_SECRET"]) == 64
    assert Path(option(words, "--basic-login-template")).is_file()
    monkeypatch.setenv("WORKBENCH_PASSWORD", "Open Sesame")
    monkeypatch.setenv("BOKEH_COOKIE_SECRET", "kept")
    _, words, env = asked()
    assert "Sesame" not in " ".join(words)
    assert env["BOKEH_COOKIE_SECRET"] == "kept"


def test_a_password_keeps_its_capitals_and_may_be_one_per_user(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_PASSWORD", "Open Sesame")
    assert password() == "Open Sesame"
    file = tmp_path / "password"
    monkeypatch.setenv("WORKBENCH_PASSWORD_FILE", str(file))
    for text, told in (("Secret\n", "Secret"), ('{"ada": "A", "ben": "B"}', {"ada": "A", "ben": "B"})):
        file.write_text(text)
        assert password() == told
    for text in ("", "  \n", "{}", '{"ada": 3}', '{"ada"', '{"ada": ""}'):
        file.write_text(text)
        with pytest.raises(BadInput, match="the file of the password must"):
            password()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--only", "nosuch"], "page must be one of"),
        (["--limit", "tokens=many"], "limit tokens must be a whole number"),
        (["--limit", "noise=3"], "limit must be one of"),
        (["--allow", "../x"], "the model must be a name"),
        (["--memory", "much"], "must be a number of GB"),
        (["--models-in", "/nosuch"], "--models-in must be a folder"),
        (["--password-file", "/nosuch"], "--password-file must be a file"),
        (["--workers", "0"], "--workers must be at least 1"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_cannot_be_served_is_told_in_one_line(asked, capsys, words, said):
    code, ran, _ = asked(*words)
    told = capsys.readouterr().err
    assert (code, ran, told.count("\n")) == (2, None, 1)
    assert said in told


class Kept(urllib.request.HTTPRedirectHandler):
    """Tells of a redirect in place of following it."""

    def redirect_request(self, *asked):
        return None


def fetch(url, cookies="", data=None):
    """Status, headers and text of an answer."""
    asked = urllib.request.Request(url, data=data, headers={"Cookie": cookies} if cookies else {})
    try:
        got = urllib.request.build_opener(Kept).open(asked, timeout=20)
    except urllib.error.HTTPError as problem:
        got = problem
    return got.status, got.headers, got.read().decode()


@pytest.fixture
def server(tmp_path):
    """A served page of models behind a password; its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = {**os.environ, "WORKBENCH_PASSWORD": "Open Sesame", "PYTHONPATH": str(ROOT), "WORKBENCH_STORE": str(tmp_path)}
    words = [sys.executable, "-m", "workbench.cli", "serve", "--only", "models", "--port", str(port)]
    made = subprocess.Popen(
        words, env=env, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        for _ in range(1200):
            try:
                socket.create_connection(("127.0.0.1", port), 0.2).close()
                break
            except OSError:
                assert made.poll() is None
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(made.pid, signal.SIGKILL)
        made.wait()


@pytest.mark.slow
def test_a_server_with_a_password_lets_in_who_knows_it_and_asks_nobody_else(server):
    status, headers, _ = fetch(f"{server}/models")
    assert status == 302
    assert "/login" in headers["Location"]
    status, _, text = fetch(f"{server}/login")
    assert status == 200
    assert "Circuit workbench" in text
    assert not re.findall(r"(?:src|href|url)\s*[=(]\s*[\"']?(?:https?:)?//", text), "the page asks another server"

    def login(secret):
        data = urllib.parse.urlencode({"username": "guest", "password": secret}).encode()
        status, headers, _ = fetch(f"{server}/login", data=data)
        assert status == 302
        return headers

    for wrong in ("open sesame", "", "<script>"):
        assert "error=" in login(wrong)["Location"]
    _, _, told = fetch(f"{server}/login?error=%3Cscript%3Ealert(1)%3C/script%3E")
    assert "<script>alert" not in told
    cookies = "; ".join(each.split(";")[0] for each in login("Open Sesame").get_all("Set-Cookie"))
    status, _, text = fetch(f"{server}/models", cookies)
    assert status == 200
    assert "Circuit workbench" in text
    assert fetch(f"{server}/models")[0] == 302
