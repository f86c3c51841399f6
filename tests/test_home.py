"""One folder for everything that is kept, which the environment can move."""

from pathlib import Path

from workbench.home import home


def test_the_environment_says_where_and_a_tilde_is_the_users_own(monkeypatch, tmp_path):
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "kept"))
    assert home() == tmp_path / "kept"
    assert not home().exists()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WORKBENCH_HOME", "~/there")
    assert home() == tmp_path / "there"


def test_else_it_is_in_the_users_cache(monkeypatch, tmp_path):
    for given in (None, ""):
        if given is None:
            monkeypatch.delenv("WORKBENCH_HOME", raising=False)
        else:
            monkeypatch.setenv("WORKBENCH_HOME", given)
        monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / name))
        assert home() == tmp_path / "circuit-workbench"
        assert isinstance(home(), Path)


def test_models_and_results_are_kept_in_it(monkeypatch, tmp_path):
    from workbench.models.wheel import kept_folder
    from workbench.store import Store

    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))
    monkeypatch.delenv("WORKBENCH_STORE", raising=False)
    assert Store().folder == tmp_path / "store"
    assert kept_folder("any") == tmp_path / "models" / "any"
