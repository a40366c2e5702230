"""Experiments whose Q-networks read text: by table, live and by an encoder; what is refused."""

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from lm.flax_folders import folder
from lprl_envs import InvalidInput
from small_experiment import fields

from lprl_jax.datasets import dataset
from lprl_jax.experiments import build, config, evaluate, runner
from lprl_jax.priors import LanguagePrior, TabularFeaturePrior, TabularPrior
from lprl_jax.results import reading

MODEL = "embedded-early-1"
# On two maps, each for two runs, so that live asking costs little.
TEXT: dict[str, Any] = {"q_input": "features", "prior": MODEL, "env_params": {"num_instances": 2}}


def train(out: Path, **changes: Any) -> Any:
    return reading.read(
        runner.run(config.parse(fields(**{**TEXT, **changes})), out, progress=False)
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    out = tmp_path_factory.mktemp("runs") / "table"
    return out, train(out)


def test_networks_read_the_models_hidden_state_by_table_and_live() -> None:
    table, live = (
        runner.set_up(config.parse(fields(**TEXT, prior_access=access)))
        for access in ("table", "live")
    )
    assert isinstance(table.prior, TabularFeaturePrior)
    assert isinstance(live.prior, LanguagePrior)
    assert table.prior.settings == live.prior.settings
    assert dataset.settings_of(table.prior) == dataset.settings_of(live.prior)
    by_table, by_asking = table.initial_state(), live.initial_state()
    assert by_table.features.shape == (4, 1, 128)
    np.testing.assert_allclose(by_asking.features, by_table.features, atol=1e-4)
    kernel = by_asking.params["params"]["Dense_0"]["kernel"]
    assert kernel.shape == (4, 128, 8)


def test_training_runs(trained: tuple[Path, Any]) -> None:
    out, result = trained
    assert np.isfinite(result.returns).all()
    assert config.read(out / "config.yaml").algorithm.reads_features


@pytest.mark.parametrize("prior", ["uniform", "table"])
def test_an_encoder_gives_features_to_any_prior(prior: str, tmp_path: Path) -> None:
    experiment = config.parse(fields(**TEXT))
    if prior == "table":
        args = experiment.config.env, experiment.env_arguments, experiment.bank
        env, params = build.make_env(*args)
        prior = str(tmp_path / "table.npz")
        TabularPrior(env, jnp.full((2, 16, 4), -jnp.log(4.0)), "by hand", 0).save(prior, params)
    changes = {"prior": prior, "encoder": str(folder("bert")), "hidden_sizes": [64, 64]}
    setup = runner.set_up(config.parse(fields(**{**TEXT, **changes})))
    assert isinstance(setup.prior, TabularFeaturePrior)
    assert setup.prior.features.shape == (2, 16, 4, 32)
    # The network of the papers: [CLS] -> 64 -> 64 -> 1.
    layers = setup.initial_state().params["params"]
    assert [layers[f"Dense_{i}"]["kernel"].shape[1:] for i in range(3)] == [
        (32, 64),
        (64, 64),
        (64, 1),
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prior": "none"}, "q_input is 'features', but there is no prior; a language model"),
        ({"prior": "uniform"}, "q_input is 'features', but the prior 'uniform' has none"),
        ({"q_input": "words"}, "q_input is 'words'; valid: observation, features"),
        (
            {"q_input": "observation", "encoder": "bert"},
            "encoder is 'bert', but nothing reads its features; with q_input=features Q-networks",
        ),
        ({"encoder": "nowhere"}, "nowhere"),
    ],
)
def test_refusals(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as caught:
        runner.set_up(config.parse(fields(**{**TEXT, **changes})))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("changes", [{"prior_dtype": "bfloat16"}, {"model_parallel": 2}])
@pytest.mark.parametrize("prior", ["none", "uniform", "opt", "table.npz"])
def test_other_priors_have_no_dtype_and_no_mesh(prior: str, changes: dict[str, Any]) -> None:
    """They would be ignored."""
    prior = str(folder("opt")) if prior == "opt" else prior
    with pytest.raises(InvalidInput) as caught:
        runner.set_up(config.parse(fields(prior=prior, **changes)))
    assert str(caught.value) == (
        "prior_dtype and model_parallel are for models of gpt2, llama, mistral, qwen2, qwen3; the "
        f"prior {prior!r} has neither"
    )


def test_evaluation_keeps_the_model_that_the_networks_read(trained: tuple[Path, Any]) -> None:
    out, _ = trained
    with pytest.raises(InvalidInput, match=f"prior is 'embedded', but .* valid: {MODEL}$"):
        evaluate.run(out, priors=["embedded"])
    rows = evaluate.run(out, ["prior_epsilon=0.5"], ks=["1"])
    assert [row.prior for row in rows] == [f"{MODEL} (ε = 0.5)"] * 2
