"""A model in bfloat16, split over two devices: from the config to the run and its evaluation."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lm.flax_folders import folder
from priors.tiny import tiny_model
from small_experiment import fields

from lprl_jax.experiments import config, evaluate, run_directory, runner
from lprl_jax.lm import checkpoint
from lprl_jax.priors import LanguagePrior
from lprl_jax.results import reading
from lprl_jax.results.reading import Result


@pytest.fixture(scope="module")
def changes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Of the small experiment's fields: a live model, and where its weights lie."""
    path = tmp_path_factory.mktemp("model") / "tiny"
    checkpoint.save(path, tiny_model())
    placed = {"prior_dtype": "bfloat16", "model_parallel": 2}
    return {"prior": str(path), "prior_access": "live", "k": 2, "total_steps": 30, **placed}


@pytest.fixture(scope="module")
def run(changes: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    out = tmp_path_factory.mktemp("placed") / "run"
    runner.run(config.parse(fields(**changes)), out, progress=False)
    return out, reading.read(out)


def test_weights_are_in_bfloat16_and_split(changes: dict[str, Any]) -> None:
    setup = runner.set_up(config.parse(fields(**changes)))
    assert setup.mesh.shape == {"data": 1, "model": 2}
    assert isinstance(setup.prior, LanguagePrior)
    weights = setup.data.prior_params.weights
    assert {leaf.dtype for leaf in jax.tree.leaves(weights)} == {jnp.dtype(jnp.bfloat16)}
    kernel = weights["layers"]["gate"]["kernel"]
    assert [shard.data.shape for shard in kernel.addressable_shards] == [(2, 16, 12)] * 2


def test_the_run_is_finite_and_asks_the_model(run: tuple[Path, Result]) -> None:
    last = run_directory.read_lines(run[0] / "metrics.jsonl")[-1]
    assert last["step"] == 30
    assert np.isfinite(last["loss"]).all()
    assert last["queries"] >= 4 * 30


def test_it_is_evaluated_with_priors_that_have_no_dtype_and_no_mesh(
    run: tuple[Path, Result],
) -> None:
    """Its networks are played on the mesh that these have."""
    rows = evaluate.run(run[0], ["prior_access=table"], priors=[str(folder("opt"))])
    assert [row.prior for row in rows] == ["opt", "opt"]
    rows = evaluate.run(run[0], ["prior=uniform", "prior_dtype=float32", "model_parallel=1"])
    assert [row.prior for row in rows] == ["uniform", "uniform"]


def test_a_digest_is_of_the_values_wherever_they_lie(
    changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def weights(**others: Any) -> Any:
        own = {**changes, "prior_dtype": "float32", **others}
        return runner.set_up(config.parse(fields(**own))).data.prior_params.weights

    split, half = weights(), weights(prior_dtype="bfloat16")
    whole = run_directory.digest(weights(model_parallel=1))
    assert run_directory.digest(split) == whole
    held, contiguous = [], np.ascontiguousarray

    def recorded(part: np.ndarray) -> np.ndarray:
        held.append(part.nbytes)
        return contiguous(part)

    monkeypatch.setattr(run_directory, "HELD_BYTES", 800)
    monkeypatch.setattr(run_directory.np, "ascontiguousarray", recorded)
    assert run_directory.digest(split) == whole
    assert max(held) == 16 * 24 * 4  # a layer's matrix; the embedding has smaller rows
    assert run_directory.digest(half) != whole
