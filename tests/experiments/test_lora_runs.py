"""Adapters from the config to a directory: trained, resumed, evaluated, split, exported."""

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import yaml
from cli.test_cli import complaint
from experiments.policy_experiment import assert_resumes, policy_fields
from lm.flax_folders import folder
from priors.tiny import tiny_model

from lprl_jax.cli.main import main
from lprl_jax.experiments import build, config, evaluate, run_directory, runner
from lprl_jax.lm import checkpoint, identity, lora, lora_files
from lprl_jax.lm.partition import LANGUAGE_MODEL
from lprl_jax.priors import LanguagePrior


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny"
    checkpoint.save(path, tiny_model())
    return path


@pytest.fixture(scope="module")
def changed(model: Path) -> dict[str, Any]:
    """The small experiment, with adapters of the model as its policy."""
    return policy_fields(model, lora_rank=2, lora_targets=["q", "v", "down"], learning_rate=3e-2)


@pytest.fixture(scope="module")
def run(changed: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("lora") / "run"
    runner.run(config.parse(changed), out, progress=False)
    return out


@pytest.fixture(scope="module")
def merged(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("merged") / "model"
    assert main(["export", str(run), "--run", "1", "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def adapter(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("adapter") / "model"
    assert main(["export", str(run), "--run", "1", "--adapter", "--out", str(out)]) == 0
    return out


def test_a_resumed_run_is_the_same_run(run: Path, changed: dict[str, Any], tmp_path: Path) -> None:
    assert_resumes(run, changed, tmp_path)


def test_a_pair_of_devices_that_shares_the_model_trains_the_same(
    run: Path, changed: dict[str, Any], tmp_path: Path
) -> None:
    """Each holds half of the matrices, and of an adapter the half that goes with its own."""
    shared = config.parse({**changed, "model_parallel": 2})
    runner.run(shared, tmp_path / "run", progress=False)
    found, right = (
        run_directory.read_lines(path / run_directory.METRICS) for path in (tmp_path / "run", run)
    )
    for one, other in zip(found, right, strict=True):
        for name in other:
            np.testing.assert_allclose(one[name], other[name], atol=2e-4, err_msg=name)
    setup = runner.set_up(shared)
    state = setup.initial_state()
    layers = state.params[LANGUAGE_MODEL]["layers"]
    held = {
        (name, leaf): [shard.data.shape for shard in x.addressable_shards]
        for name, own in layers.items()
        for leaf, x in own.items()
    }
    assert held == {
        ("q", "lora_a"): [(2, 2, 16, 2)] * 2,
        ("q", "lora_b"): [(2, 2, 2, 8)] * 2,
        ("v", "lora_a"): [(2, 2, 16, 2)] * 2,
        ("v", "lora_b"): [(2, 2, 2, 4)] * 2,
        ("down", "lora_a"): [(2, 2, 12, 2)] * 2,
        ("down", "lora_b"): [(2, 2, 2, 16)] * 2,
    }


def test_it_is_evaluated_on_maps_it_has_not_seen(run: Path) -> None:
    rows = evaluate.run(run, instances="held-out")
    assert {row.policy for row in rows} == {"sample", "greedy"}
    assert all(row.queries == 0 for row in rows)


def test_what_is_merged_is_the_trained_policy_everywhere(run: Path, merged: Path) -> None:
    """As a prior, by its directory, in every state of every instance."""
    trained = config.parse(run_directory.read_config(run))
    setup = runner.set_up(trained)
    state = evaluate.newest_state(run, trained)
    env, params = setup.env, setup.params
    prior = build.named_prior(str(merged), env, params)
    assert isinstance(prior, LanguagePrior)
    instance = jnp.repeat(params.instances, env.numbered_states)
    index = jnp.tile(jnp.arange(env.numbered_states), len(params.instances))
    states = jax.vmap(lambda m, i: env.state_at(m, i, params))(instance, index)
    found, _ = prior.log_probs(
        prior.params, prior.init(), states, params, jnp.ones(len(index), bool)
    )
    assert setup.policy is not None
    actor = setup.policy.actor_critic(trained.algorithm.adapters)
    # From two devices to one.
    data, learnt = jax.tree.map(jnp.asarray, jax.device_get((setup.data, state.params)))

    @jax.jit
    def judge(own: Any) -> jax.Array:
        context = actor.prepare(own, params.instances, data)
        return actor.apply(own, context, states, data).log_probs

    right = [judge(jax.tree.map(lambda x, r=r: x[r], learnt)) for r in range(2)]
    np.testing.assert_allclose(found, right[1], atol=1e-5)
    assert np.abs(right[0] - found).max() > 0.01  # another run's
    original = setup.policy.model.params
    for name in ("k", "o", "gate", "up"):  # which had no adapters
        kernel = checkpoint.load(merged).params["layers"][name]["kernel"]
        np.testing.assert_array_equal(kernel, original["layers"][name]["kernel"])


def test_what_is_written_for_peft_makes_the_merged_model(
    model: Path, merged: Path, adapter: Path
) -> None:
    names = {"README.md", lora_files.CONFIG, lora_files.WEIGHTS}
    assert {path.name for path in adapter.iterdir()} == names
    base, right = checkpoint.load(model), checkpoint.load(merged)
    settings, adapters = lora_files.load(adapter, base.config)
    assert settings == lora.LoraConfig(2, ("q", "v", "down"), 16.0)
    found = lora.merge(base.params, adapters, settings.scale)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-6), found, right.params)
    fields = json.loads((adapter / lora_files.CONFIG).read_text())
    assert fields["base_model_name_or_path"] == str(model)
    assert fields["target_modules"] == ["q_proj", "v_proj", "down_proj"]


def test_both_cards_say_what_they_are(model: Path, merged: Path, adapter: Path) -> None:
    cards = [(path / "README.md").read_text() for path in (merged, adapter)]
    digest = identity.of_model(checkpoint.load(merged))
    for card in cards:
        assert f"base_model: {model}" in card
        assert digest in card
        assert "lora_rank: 2" in card
    assert ["library_name: peft" in card for card in cards] == [False, True]
    assert "# Adapters of a language model" in cards[1]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"policy": "network"}, ["lora_rank is 2", "network"]),
        ({"lora_targets": ["q_proj"]}, ["lora_targets is ['q_proj']", "q, k, v, o, gate"]),
        ({"lora_targets": "q"}, ["lora_targets is 'q'", "a list"]),
        ({"lora_rank": 1.5}, ["lora_rank is 1.5", "whole number"]),
        (
            {"policy": str(folder("gpt2")), "lora_targets": ["gate"]},
            ["no matrix gate", "q, k, v, o, up, down"],
        ),
        ({"lora_rank": 2_000_000_000}, ["lora_rank is 2000000000", "GB", "smaller"]),
    ],
    ids=["network", "name", "no list", "fraction", "gpt2", "memory"],
)
def test_what_does_not_fit_is_one_line(
    changed: dict[str, Any],
    changes: dict[str, Any],
    words: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump({**changed, **changes}))
    line = complaint(["train", str(file), "--out", str(tmp_path / "run"), "--quiet"], capsys)
    assert all(word in line for word in words), line


def test_adapters_that_are_not_there_or_not_peft_s_are_not_written(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    export = ["export", str(tmp_path), "--adapter", "--out", out]
    whole = {**run_directory.read_config(run), "lora_rank": 0, "lora_targets": ["q", "v"]}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(whole))
    assert "lora_rank is 0" in complaint(export, capsys)
    gpt2 = {**whole, "lora_rank": 2, "policy": str(folder("gpt2"))}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(gpt2))
    assert "one matrix" in complaint(export, capsys)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml"]
