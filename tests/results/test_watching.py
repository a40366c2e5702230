"""An episode that is watched: what is shown is what was read, asked and done."""

import io
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import InvalidInput
from PIL import Image
from small_experiment import fields

from lprl_jax.cli.main import main
from lprl_jax.experiments import config, runner
from lprl_jax.results import watching
from lprl_jax.results.run import Run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("watched") / "run"
    return Run(runner.run(config.parse(fields(k=2)), out, progress=False))


def test_what_is_shown_is_what_happens(run: Run) -> None:
    episode = watching.play(run, number=2, seed=3)
    env, params = run.env, run.params
    instance = int(run.state.run_instances[2, 0])
    state = env.initial_state(jax.random.key(0), jnp.int32(instance), params)
    for step in episode.steps[:-1]:
        assert step.text == env.describe(state, params)
        assert step.prior is not None
        assert step.agent is not None
        assert step.action is not None
        np.testing.assert_allclose(step.prior, 0.25)  # the uniform prior's
        assert step.agent.sum() == pytest.approx(1)
        assert step.agent[step.action] > 0
        _, state, reward, *_ = env.step_env(jax.random.key(0), state, step.action, params)
        assert step.reward == float(reward)
    last = episode.steps[-1]
    assert (last.text, last.action, last.agent) == (env.describe(state, params), None, None)
    over = bool(env.is_terminated(state, params)) or bool(env.is_truncated(state, params))
    assert over
    assert episode.is_solved == bool(env.is_solved(state, params))
    assert episode.total == sum(step.reward for step in episode.steps)


def test_a_seed_is_an_episode(run: Run) -> None:
    first, again, other = (watching.play(run, 0, 1, seed) for seed in (0, 0, 1))
    assert [s.action for s in first.steps] == [s.action for s in again.steps]
    assert [s.action for s in first.steps] != [s.action for s in other.steps]


def test_it_is_read_and_looked_at(run: Run) -> None:
    episode = watching.play(run, policy=run.algorithm.policies[-1])
    text = watching.as_text(episode)
    count = len(episode.steps) - 1
    assert text.splitlines()[-1].endswith(f"solved in {count} steps, return {episode.total:g}")
    assert text.count("── step ") == count + 1
    assert text.count("\n> ") == count
    assert all(step.text in text for step in episode.steps)
    image = Image.open(io.BytesIO(watching.as_animation(episode).gif()))
    assert getattr(image, "n_frames", 1) > 1
    assert image.width > episode.steps[0].picture.rgb.shape[1]


def test_the_command(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = str(run.directory)
    assert main(["watch", name, "--run", "1", "--seed", "2"]) == 0
    assert "agent" in capsys.readouterr().out
    assert main(["watch", name, "-o", str(tmp_path / "episode.gif")]) == 0
    assert (tmp_path / "episode.gif").read_bytes().startswith(b"GIF8")
    for wrong, words in (
        (["--run", "4"], "run is 4; there are 4, 0 to 3"),
        (["--instance", "-1"], "instance is -1; there are 4, 0 to 3"),
        (["--policy", "bold"], "unknown policy 'bold'"),
        (["-o", str(tmp_path / "episode.gif")], "exists"),
        (["-o", str(tmp_path / "episode.mp4")], ".gif"),
    ):
        capsys.readouterr()
        assert main(["watch", name, *wrong]) == 2
        assert words in capsys.readouterr().err


def test_worlds_that_cannot_be_watched(tmp_path: Path) -> None:
    for env, prior in (("CartPole-v1", "none"), ("Pendulum-lprl", "none")):
        box = {"algorithm": "td3"} if env.startswith("Pendulum") else {}
        own = {
            "env": env, "prior": prior, "num_runs": 1, "total_steps": 20, "eval_every": 20,
            "eval_episodes": 1, "buffer_size": 50, "batch_size": 4, **box,
        }  # fmt: skip
        out = runner.run(config.parse(own), tmp_path / env, progress=False)
        with pytest.raises(InvalidInput, match=r"has no text|continuous"):
            watching.play(Run(out))
