"""A run's directory in Python: arrays of its lines, and the agent of its newest checkpoint."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import InvalidInput
from small_experiment import FIELDS

import lprl_jax
from lprl_jax.experiments import config, evaluate, runner


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "small"
    return runner.run(config.parse(FIELDS), out, progress=False)


def test_its_metrics_are_its_lines(directory: Path) -> None:
    lines = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    found = lprl_jax.Run(directory).metrics
    assert found["step"].tolist() == [line["step"] for line in lines] == [0, 30, 60, 90]
    assert found["success"].shape == (4, 4)
    np.testing.assert_array_equal(found["return"][2], lines[2]["return"])
    assert found["loss"].shape == (4, 4)  # a row a line, also where none is
    assert np.isnan(found["loss"][0]).all()
    np.testing.assert_array_equal(found["loss"][1:], [line["loss"] for line in lines[1:]])
    assert np.issubdtype(found["queries"].dtype, np.integer)
    assert lprl_jax.Run(directory).result.success.shape == (4, 4)


def test_its_agent_is_the_newest_checkpoint(directory: Path) -> None:
    run = lprl_jax.Run(directory)
    right = evaluate.newest_state(directory, config.parse(FIELDS))
    for x, y in zip(jax.tree.leaves(run.state.params), jax.tree.leaves(right.params), strict=True):
        np.testing.assert_array_equal(x, y)
    instances = jnp.arange(4) % 4
    states = jax.vmap(run.env.state_at, (0, None, None))(instances, 0, run.params)
    found = run.act(states, jax.random.key(0), "greedy")
    own = run.algorithm.act(right, run.data, states, jax.random.key(0), "greedy")
    np.testing.assert_array_equal(found, own)
    played = run.evaluate(4)
    np.testing.assert_array_equal(
        played["success"], run.algorithm.evaluate(right, run.data, 4)["success"]
    )


def test_an_agent_whose_prior_remembers_acts_too(tmp_path: Path) -> None:
    """Over two devices each share has a memory; whoever plays has one, and counts of both."""
    memo = {"prior": "embedded-early-1", "prior_access": "memo", "memo_slots": 256}
    out = runner.run(config.parse({**FIELDS, **memo}), tmp_path / "memo", progress=False)
    run = lprl_jax.Run(out)
    assert jax.device_count() == 2
    assert run.state.prior_carry.tag.shape == (256,)
    counted = int(run.state.prior_carry.queries), int(run.state.prior_carry.evaluations)
    assert counted == (run.metrics["queries"][-1], run.metrics["evaluations"][-1])
    _, states = jax.vmap(run.env.reset, (0, None))(
        jax.random.split(jax.random.key(0), 4), run.params
    )
    assert run.act(states, jax.random.key(1)).shape == (4,)
    assert ((run.evaluate(2)["success"] >= 0) & (run.evaluate(2)["success"] <= 1)).all()


def test_it_is_shown_in_a_line(directory: Path) -> None:
    assert repr(lprl_jax.Run(directory)) == f"Run({str(directory)!r}: dqn on FrozenLake-lprl)"


def test_what_is_no_run(tmp_path: Path, directory: Path) -> None:
    with pytest.raises(InvalidInput, match="holds no run"):
        lprl_jax.Run(tmp_path)
    (tmp_path / "config.yaml").write_text((directory / "config.yaml").read_text())
    run = lprl_jax.Run(tmp_path)
    assert run.metrics == {}
    with pytest.raises(InvalidInput, match="holds no checkpoint yet"):
        _ = run.state
