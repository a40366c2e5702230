"""Old names of modules: each works, warns, and is the moved module itself."""

import importlib
import subprocess
import sys
import textwrap
import warnings

import lprl_envs._moved
import pytest

import lprl_jax._moved

MOVED = {**lprl_jax._moved.MOVED, **lprl_envs._moved.MOVED}
DOCUMENTED = (
    "lprl_envs.gymnasium_adapter",
    "lprl_jax.algorithms.cql",
    "lprl_jax.config",
    "lprl_jax.offline",
    "lprl_jax.offline.collect",
    "lprl_jax.offline.dataset",
    "lprl_jax.offline.minari_format",
    "lprl_jax.plotting",
    "lprl_jax.runner",
    "lprl_jax.sharding",
)
"""What pages, notebook and changelog of the release before named."""


@pytest.mark.parametrize("old", MOVED)
def test_an_old_name_is_the_moved_module(old: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with warnings.catch_warnings(action="ignore"):  # a package that has moved too says so itself
        importlib.import_module(old.rpartition(".")[0])
    monkeypatch.delitem(sys.modules, old, raising=False)
    with pytest.warns(DeprecationWarning, match=f"^{old} is {MOVED[old]} now; ") as caught:
        module = importlib.import_module(old)
    assert module is importlib.import_module(MOVED[old])
    assert module.__name__ == MOVED[old]
    assert module.__spec__ is not None
    assert module.__spec__.name == MOVED[old]
    assert len([w for w in caught if f"{old} is" in str(w.message)]) == 1


def test_functions_that_have_moved_warn_and_are_the_same() -> None:
    old = importlib.import_module("lprl_jax.algorithms.interaction")
    playing = importlib.import_module("lprl_jax.algorithms.playing")
    for name in ("Policy", "play_episodes"):
        with pytest.warns(
            DeprecationWarning, match=rf"interaction\.{name} is .*playing\.{name} now"
        ):
            assert getattr(old, name) is getattr(playing, name)
    with pytest.raises(AttributeError, match="has no attribute 'evaluation'"):
        _ = old.evaluation


def test_all_that_was_documented_is_kept() -> None:
    assert set(DOCUMENTED) <= set(MOVED)


def test_what_has_never_been_there_is_not_found() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"lprl_jax\.offlin"):
        importlib.import_module("lprl_jax.offlin")


def test_a_program_of_the_release_before_runs_and_is_told_where() -> None:
    program = """
        import gymnasium, lprl_jax
        from lprl_jax import config, runner
        from lprl_jax.offline.dataset import load
        from lprl_jax.plotting import Curve
        from lprl_envs.blocks_world import BlocksWorld, EnvState
        from lprl_envs.frozen_lake import DOWN, EnvParams
        from lprl_envs.patterns import parse_pattern
        from lprl_jax.results import Result, read
        import lprl_jax.sharding
        from lprl_jax import dqn, LanguagePrior, sharding
        env = gymnasium.make("lprl_envs.gymnasium_adapter:FrozenLake-lprl")
        print(config.__name__, load.__module__, sharding is lprl_jax.sharding)
    """
    command = [sys.executable, "-W", "always::DeprecationWarning", "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [
        "lprl_jax.experiments.config",
        "lprl_jax.datasets.dataset",
        "True",
    ]
    for old in ("lprl_jax.config", "lprl_jax.offline.dataset", "lprl_envs.gymnasium_adapter"):
        (line,) = [x for x in done.stderr.splitlines() if f": {old} is {MOVED[old]} now" in x]
        assert "DeprecationWarning" in line
    assert "<string>:4: DeprecationWarning: lprl_jax.offline is " in done.stderr
