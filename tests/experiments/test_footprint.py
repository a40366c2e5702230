"""What a training will hold is told before it is begun: the bytes that it then does hold."""

from __future__ import annotations

import json
import weakref
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest
import yaml
from lprl_envs import InvalidInput
from small_experiment import fields

from lprl_jax import memory
from lprl_jax.cli.main import main
from lprl_jax.experiments import build, config, footprint, needs, runner, sharding
from lprl_jax.experiments.chunks import Chunks
from lprl_jax.experiments.footprint import Footprint, Held
from lprl_jax.priors import UniformPrior, tabulate

INSTANCES, STATES, ACTIONS = 4, 16, 4
STATE = 3 * 4
"""Bytes of a lake's state: time, instance, position."""
BUFFER, K = 100, 3


@pytest.fixture
def table(tmp_path: Path) -> str:
    """Of the small experiment's bank."""
    plain = config.parse(fields())
    env, params = build.make_env(plain.config.env, plain.env_arguments, plain.bank)
    file = tmp_path / "table.npz"
    tabulate(UniformPrior(env), env, params).save(file, params)
    return str(file)


def on_first_device(tree: Any) -> int:
    """Bytes that really lie there."""
    total = 0
    for x in jax.tree.leaves(tree):
        is_key = jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
        shards = (jax.random.key_data(x) if is_key else x).addressable_shards
        total += sum(shard.data.nbytes for shard in shards if shard.device == jax.devices()[0])
    return total


def of_field(found: Footprint, field: str) -> list[Held]:
    return [part for part in found.held if part.field == field]


def limit(monkeypatch: pytest.MonkeyPatch, num_bytes: int | None) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda: num_bytes)


@pytest.mark.parametrize(("num_runs", "devices"), [(4, 2), (3, 1)])
def test_parts_are_what_a_training_then_holds(table: str, num_runs: int, devices: int) -> None:
    experiment = config.parse(fields(prior=table, k=K, num_runs=num_runs))
    found = footprint.of(experiment)
    setup = runner.set_up(experiment)
    state = setup.initial_state()
    assert (found.devices, found.copies, found.runs) == (devices, devices, num_runs)
    told = {field: sum(p.num_bytes for p in of_field(found, field)) for field in state._fields}
    assert told == {field: on_first_device(own) for field, own in state._asdict().items()}
    for field, own in setup.data._asdict().items():
        assert sum(part.num_bytes for part in of_field(found, field)) == on_first_device(own)
    # And by hand: two states, an action, a reward, whether it ended, k proposals; and a counter.
    transition = 2 * STATE + 4 + 4 + 1 + 4 * K
    assert told["replay"] == num_runs // devices * BUFFER * transition + 4
    assert told["opt_state"] == 2 * told["params"] + num_runs // devices * 4  # and Adam's count
    fingerprints = 3 * 4 * 4
    (prior,) = of_field(found, "prior_params")
    assert prior.num_bytes == 4 * INSTANCES * STATES * ACTIONS + fingerprints
    assert not prior.divided
    assert prior.smaller_by == {"env_params.num_instances": INSTANCES}
    (replay,) = of_field(found, "replay")
    assert replay.divided
    assert replay.smaller_by == {"num_runs": num_runs, "buffer_size": BUFFER}


@pytest.mark.parametrize("num_runs", [4, 3, 80])  # the last goes in blocks
def test_programs_are_those_of_training(table: str, num_runs: int) -> None:
    experiment = config.parse(fields(prior=table, num_runs=num_runs))
    found = footprint.of(experiment)
    setup = runner.set_up(experiment)
    state = setup.initial_state()
    algorithm, mesh, data = setup.algorithm, setup.mesh, setup.data
    updates = max(Chunks.of(experiment).lengths(0))
    chunk: Any = sharding.compile_chunk(algorithm, mesh, updates, state, data).memory_analysis()
    evaluate = sharding.compile_evaluation(
        algorithm, mesh, experiment.config.eval_episodes, algorithm.policies[0], state, data
    )
    played: Any = evaluate.memory_analysis()
    training, evaluation = found.programs
    assert (training.name, evaluation.name) == ("training", "evaluation")
    assert training.temporaries == chunk.temp_size_in_bytes > 0
    assert training.donated == chunk.alias_size_in_bytes == on_first_device(state)
    assert training.results == chunk.output_size_in_bytes - chunk.alias_size_in_bytes > 0
    assert evaluation.num_bytes == played.temp_size_in_bytes + played.output_size_in_bytes
    assert evaluation.donated == 0
    # XLA counts the arguments itself, but for those that it never reads.
    unread = found.lasting - chunk.argument_size_in_bytes
    assert 0 <= unread < 0.05 * found.lasting
    assert found.running == found.lasting + max(training.num_bytes, evaluation.num_bytes)


def test_what_is_told_of_hundreds_of_gigabytes_takes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    limit(monkeypatch, None)  # nobody knows what is free, so that nothing is refused
    experiment = config.parse(fields(prior="none", buffer_size=2_000_000_000))
    before = sum(x.nbytes for x in jax.live_arrays())
    found = footprint.of(experiment)
    assert sum(x.nbytes for x in jax.live_arrays()) < before + 1_000_000
    (replay,) = of_field(found, "replay")
    assert replay.num_bytes == 2 * 2_000_000_000 * (2 * STATE + 4 + 4 + 1) + 4
    assert found.beginning > 2 * replay.num_bytes


def test_what_cannot_fit_is_refused_before_anything_is_made(
    table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = config.parse(fields(prior=table, num_runs=3))
    found = footprint.of(experiment)
    state = sum(part.num_bytes for part in found.held if part.field not in footprint.DATA)
    beside = max(program.num_bytes for program in found.programs)
    limit(monkeypatch, state + beside)
    footprint.of(experiment)
    limit(monkeypatch, state + beside - 1)
    with pytest.raises(InvalidInput, match=r"the runs and their program take .* or more"):
        footprint.of(experiment)
    monkeypatch.setattr(sharding, "compile_chunk", None)  # from here on nothing is compiled
    limit(monkeypatch, state - 1)
    with pytest.raises(InvalidInput, match=r"num_runs is 3, .*buffer_size is 100: the runs take"):
        footprint.of(experiment)
    monkeypatch.setattr(runner, "set_up", None)  # and here nothing is built
    limit(monkeypatch, sum(part.num_bytes for part in needs._least(experiment)) - 1)
    with pytest.raises(InvalidInput, match="the runs take"):
        footprint.of(experiment)


def test_a_models_weights_and_a_memo_are_told_apart() -> None:
    changes = {"prior": "embedded-early-1", "prior_access": "memo", "memo_slots": 80}
    experiment = config.parse(fields(**changes, num_runs=3))
    found = footprint.of(experiment)
    setup = runner.set_up(experiment)
    weights, texts = of_field(found, "prior_params")
    assert weights.num_bytes == on_first_device(setup.data.prior_params.weights)
    assert weights.smaller_by["prior"] == "embedded-early-1"
    assert texts.num_bytes == on_first_device(setup.data.prior_params) - weights.num_bytes
    assert texts.smaller_by == {"env_params.num_instances": INSTANCES}
    (memo,) = of_field(found, "prior_carry")
    assert memo.smaller_by == {"memo_slots": 80}
    assert memo.num_bytes == on_first_device(setup.initial_state().prior_carry)


@pytest.mark.parametrize(
    "changes",
    [
        {"algorithm": "prior_only"},
        {"algorithm": "linvit", "horizon": 3},
        {"algorithm": "ppo", "num_envs": 2, "rollout_length": 4},
        {"alpha": [0.1, 1.0]},
    ],
    ids=lambda changes: " ".join(changes),
)
def test_other_algorithms_and_a_sweep(changes: dict[str, Any], table: str) -> None:
    changed = fields(prior=table, **changes)
    if "algorithm" in changes:
        for name in ("buffer_size", "batch_size", "hidden_sizes"):
            del changed[name]
    experiment = config.parse(changed)
    found = footprint.of(experiment)
    state = runner.set_up(experiment).initial_state()
    told = {field: sum(p.num_bytes for p in of_field(found, field)) for field in state._fields}
    assert told == {field: on_first_device(own) for field, own in state._asdict().items()}
    assert found.runs == experiment.num_runs == 4 * len(changes.get("alpha", [0]))


@pytest.mark.parametrize("num_runs", [4, 3])
def test_a_state_is_handed_over_leaf_by_leaf(
    num_runs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup = runner.set_up(config.parse(fields(num_runs=num_runs, prior="none")))
    place, refs, alive = sharding._globalize, [], []

    def watched(mesh: Any, x: Any, *others: Any) -> jax.Array:
        if x.nbytes >= 4 * BUFFER * num_runs:  # the replay's; small ones may stand twice in a state
            alive.append(sum(ref() is not None for ref in refs))
            refs.append(weakref.ref(x))
        return place(mesh, x, *others)

    monkeypatch.setattr(sharding, "_globalize", watched)
    setup.initial_state()
    assert alive == [0] * len(alive)
    assert len(alive) > 5


def test_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file, out, figures = (tmp_path / name for name in ("config.yaml", "run", "figures.json"))
    file.write_text(yaml.safe_dump(fields(num_runs=3)))
    call = ["train", str(file), "--memory", "--out", str(out)]
    assert main(call) == 0
    told = capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml"]
    assert "| replay | 15.9 kB | its share | num_runs=3 buffer_size=100 |" in told
    assert "3 runs on 1 device" in told
    assert main(["train", str(file), "--memory", "--json", str(figures)]) == 0
    written = json.loads(figures.read_text())
    assert written["running"] <= written["most"]
    assert {"replay", "params", "env_params"} <= {part["field"] for part in written["held"]}
    capsys.readouterr()
    limit(monkeypatch, 1_000)
    assert main(call) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("lprl: num_runs is 3")
    assert told.err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml", "figures.json"]


@pytest.mark.parametrize(
    ("options", "words"), [([], "--out is missing"), (["--out", "x", "--json", "y"], "--memory")]
)
def test_what_only_goes_with_memory(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit:
        main(["train", "frozen_lake_dqn", *options])
    assert exit.value.code == 2
    assert words in capsys.readouterr().err
