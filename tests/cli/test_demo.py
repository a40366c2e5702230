"""The demonstration's rows are measured alike."""

import pytest

from lprl_jax.cli import demo
from lprl_jax.experiments import config
from lprl_jax.experiments.chunks import Chunks


@pytest.mark.parametrize("world", demo.WORLDS)
def test_all_rows_are_evaluated_as_often_and_by_as_many_episodes(world: str) -> None:
    rows = {
        name: config.read(file, overrides)
        for name, (file, overrides) in demo.experiments(world, controls=True).items()
    }
    assert set(rows) == {*demo.EXPERIMENTS, *demo.CONTROLS}
    assert len({Chunks.of(row).steps for row in rows.values()}) == 1
    assert {row.config.eval_episodes for row in rows.values()} == {32}
    # The controls have as many steps as the baselines, DQN-Prior as its config says.
    steps = {name: row.config.total_steps for name, row in rows.items()}
    assert {steps[name] for name in rows if name != demo.PRIOR} == {steps["DQN"]}
    own = config.read(f"{demo.WORLDS[world].configs}_dqn_prior").config
    assert steps[demo.PRIOR] == own.total_steps
    if world.startswith("frozen_lake"):
        goals = {row.bank.goal for row in rows.values()}
        assert goals == {"corner" if world.endswith("corner") else "anywhere"}
    without = demo.experiments(world, controls=False)
    assert without == {name: demo.experiments(world, controls=True)[name] for name in without}
