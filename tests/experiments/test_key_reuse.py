"""No key is used twice: JAX's own check of it finds nothing in training and evaluation."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from small_experiment import fields

from lprl_jax.experiments import config, evaluate, runner

LEARNERS: dict[str, dict[str, Any]] = {
    "dqn": fields(prior="embedded-early-1", k=2),
    "ppo": {
        **{name: fields()[name] for name in ("env", "env_params", "num_runs", "eval_episodes")},
        **{"algorithm": "ppo", "prior": "uniform", "total_steps": 20, "eval_every": 20},
        **{"num_envs": 2, "rollout_length": 5, "num_minibatches": 1, "hidden_sizes": [8]},
    },
    "linvit": {
        **{name: fields()[name] for name in ("env", "env_params", "num_runs", "eval_episodes")},
        **{"algorithm": "linvit", "total_steps": 8, "eval_every": 4, "horizon": 4},
    },
}


@pytest.mark.parametrize("algorithm", LEARNERS)
def test_a_run_uses_no_key_twice(algorithm: str, tmp_path: Path) -> None:
    with jax.debug_key_reuse(True):
        runner.run(config.parse(LEARNERS[algorithm]), tmp_path / "run", progress=False)
        rows = evaluate.run(tmp_path / "run")
    assert rows
    assert all(np.isfinite(row.returns).all() for row in rows)


def test_a_key_that_is_used_twice_is_found() -> None:
    """Or the test above would hold of anything."""

    @jax.jit
    def twice(key: jax.Array) -> jax.Array:
        return jax.random.uniform(key) + jax.random.normal(key)

    with jax.debug_key_reuse(True), pytest.raises(jax.errors.KeyReuseError):
        twice(jax.random.key(0))
