"""GFlan-Prior from the config to the directory of what it has trained, and what is refused."""

import importlib.util
import os
import subprocess
import sys
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
from lprl_jax.lm import checkpoint, identity, partition
from lprl_jax.priors import LanguagePrior


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny"
    checkpoint.save(path, tiny_model())
    return path


@pytest.fixture(scope="module")
def changed(model: Path) -> dict[str, Any]:
    """The small experiment, with the model as its policy."""
    return policy_fields(model, learning_rate=1e-2)


@pytest.fixture(scope="module")
def run(changed: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("gflan") / "run"
    runner.run(config.parse(changed), out, progress=False)
    return out


@pytest.fixture(scope="module")
def exported(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exported") / "model"
    assert main(["export", str(run), "--run", "1", "--out", str(out)]) == 0
    return out


def test_a_resumed_run_is_the_same_run(run: Path, changed: dict[str, Any], tmp_path: Path) -> None:
    assert_resumes(run, changed, tmp_path)


def test_it_is_evaluated_on_maps_it_has_not_seen(run: Path) -> None:
    rows = evaluate.run(run, instances="held-out")
    assert {row.policy for row in rows} == {"sample", "greedy"}
    assert all(row.queries == 0 for row in rows)


def test_what_is_exported_is_the_trained_policy_everywhere(run: Path, exported: Path) -> None:
    """As a prior, by its directory, in every state of every instance."""
    trained = config.parse(run_directory.read_config(run))
    setup = runner.set_up(trained)
    state = evaluate.newest_state(run, trained)
    env, params = setup.env, setup.params
    prior = build.named_prior(str(exported), env, params)
    assert isinstance(prior, LanguagePrior)
    instance = jnp.repeat(params.instances, env.numbered_states)
    index = jnp.tile(jnp.arange(env.numbered_states), len(params.instances))
    states = jax.vmap(lambda m, i: env.state_at(m, i, params))(instance, index)
    found, _ = prior.log_probs(
        prior.params, prior.init(), states, params, jnp.ones(len(index), bool)
    )
    assert setup.policy is not None
    actor = setup.policy.actor_critic()
    # From two devices to one.
    data, learnt = jax.tree.map(jnp.asarray, jax.device_get((setup.data, state.params)))
    own = [jax.tree.map(lambda x, r=r: x[r], learnt) for r in range(2)]
    right = [
        actor.apply(p, actor.prepare(p, params.instances, data), states, data).log_probs
        for p in (*own, {**own[0], partition.LANGUAGE_MODEL: setup.policy.params.start})
    ]
    np.testing.assert_allclose(found, right[1], atol=1e-5)
    assert np.abs(right[0] - found).max() > 0.01  # another run's
    assert np.abs(right[2] - found).max() > 0.1  # untrained


def test_the_card_says_what_it_was_and_what_was_left_out(exported: Path, model: Path) -> None:
    card = (exported / "README.md").read_text()
    assert f"base_model: {model}" in card
    assert "after 60 environment steps of ppo on FrozenLake-lprl" in card
    assert "run 1 of 2" in card
    assert "values that were learnt beside it are\nleft out" in card
    digests = [identity.of_model(checkpoint.load(path)) for path in (exported, model)]
    assert "by which datasets and tables know it: `{}`; before: `{}`".format(*digests) in card


TORCH = """
import sys, numpy as np, torch
from transformers import LlamaForCausalLM
model = LlamaForCausalLM.from_pretrained(sys.argv[1]).double()
tokens = torch.tensor(np.load(sys.argv[2])["tokens"])
logits = model(tokens).logits
nats = torch.log_softmax(logits[:, :-1], -1).gather(-1, tokens[:, 1:, None])[..., 0]
nats[:, -3:].sum().backward()
np.savez(sys.argv[3], logits=logits.detach().numpy(), **{
    name: p.grad.numpy() for name, p in model.named_parameters()})
"""


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
def test_torch_reads_it_and_has_the_same_gradient(exported: Path, tmp_path: Path) -> None:
    """Logits of a plain text, and the gradient of its last three tokens' log-likelihood."""
    from lprl_jax.lm import decoder, weights

    tokens = np.random.default_rng(0).integers(0, 500, (2, 9))
    np.savez(tmp_path / "tokens.npz", tokens=tokens)
    command = [sys.executable, "-c", TORCH, str(exported), "tokens.npz", "found.npz"]
    there = {**os.environ, "USE_TORCH": "1"}
    subprocess.run(command, check=True, cwd=tmp_path, env=there, capture_output=True)
    found, ours = np.load(tmp_path / "found.npz"), checkpoint.load(exported)

    def likelihood(params: Any) -> tuple[jax.Array, jax.Array]:
        logits = decoder.logits(ours.config, params, jnp.asarray(tokens))
        nats = jax.nn.log_softmax(logits[:, :-1])
        own = jnp.take_along_axis(nats, jnp.asarray(tokens)[:, 1:, None], axis=-1)
        return jnp.sum(own[:, -3:]), logits

    gradient, logits = jax.grad(likelihood, has_aux=True)(ours.params)
    np.testing.assert_allclose(logits, found["logits"], atol=1e-4)
    for tensor, layer in weights.rows("llama", ours.config):
        leaf = gradient
        for name in tensor.path:
            leaf = leaf[name]
        own = leaf if layer is None else leaf[layer]
        right = found[tensor.key]
        size = np.abs(right).max()
        np.testing.assert_allclose(own.T if tensor.transpose else own, right, atol=2e-4 * size)


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"policy": "nothing"}, ["unknown policy 'nothing'", "network", "embedded"]),
        ({"policy": str(folder("opt"))}, ["of the family opt", "not trained", "llama"]),
        ({"prior": str(folder("opt"))}, ["another vocabulary than the prior", "'opt'"]),
        ({"policy": "network", "model_parallel": 2}, ["model_parallel", "'uniform'"]),
    ],
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


def test_a_policy_is_split_where_the_prior_has_no_weights(changed: dict[str, Any]) -> None:
    setup = runner.set_up(config.parse({**changed, "model_parallel": 2}))
    kernel = setup.data.policy_params.start["layers"]["gate"]["kernel"]
    assert [shard.data.shape for shard in kernel.addressable_shards] == [(2, 16, 12)] * 2


def test_refusals_of_an_export(
    run: Path, exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    before = sorted(path.name for path in exported.iterdir())
    assert "exists" in complaint(["export", str(run), "--out", str(exported)], capsys)
    assert sorted(path.name for path in exported.iterdir()) == before
    line = complaint(["export", str(run), "--run", "2", "--out", out], capsys)
    assert "has runs 0 to 1" in line
    assert "holds no run" in complaint(["export", str(tmp_path), "--out", out], capsys)
    networks = {**run_directory.read_config(run), "policy": "network"}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(networks))
    line = complaint(["export", str(tmp_path), "--out", out], capsys)
    assert "is a network" in line
    gpt2 = {**networks, "policy": str(folder("gpt2"))}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(gpt2))
    assert "only plain Llama" in complaint(["export", str(tmp_path), "--out", out], capsys)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml"]
