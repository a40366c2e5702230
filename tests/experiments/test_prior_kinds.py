"""p_map in configs: how it is asked for, what is refused, and what a run says of it."""

import dataclasses
import json

import numpy as np
import pytest
from lprl_envs import InvalidInput
from small_experiment import fields

from lprl_jax.experiments import build, config, evaluate, prior_kinds, runner
from lprl_jax.experiments.asking import PLAIN
from lprl_jax.priors import FreeForm, FreeFormPrior, TabularPrior, degrade

FREE = {"prior": "embedded-early-1", "prior_kind": "p_map", "samples": 2, "max_tokens": 2}


def prior_of(**changes):
    experiment = config.parse(fields(**changes))
    env, params = build.make_env(experiment.config.env, experiment.env_arguments, experiment.bank)
    return build.make_prior(experiment, env, params), env, params


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"prior_kind": "p_max"}, "unknown prior_kind 'p_max'; valid: p_dist, p_map"),
        ({"samples": 3}, "samples is 3, but by p_dist a model writes nothing"),
        ({"top_p": 0.5}, "top_p is 0.5, but by p_dist"),
        ({**FREE, "samples": 0}, "samples is 0; it must be 1 or more"),
        ({**FREE, "max_tokens": "all"}, "max_tokens is 'all'"),
        ({**FREE, "sample_temperature": 0}, "sample_temperature is 0.0; it must be above 0"),
        ({**FREE, "smoothing": 0}, "smoothing is 0.0; it must be above 0"),
        ({**FREE, "top_p": 2}, r"top_p is 2; it must lie in \(0, 1\]"),
        ({**FREE, "calibration": "pmi"}, "calibration is 'pmi', .* by p_map none is weighed"),
        ({**FREE, "normalization": "word"}, "normalization is 'word', .* by p_map none is"),
    ],
    ids=[
        *("kind", "samples", "top-p", "none", "tokens", "temperature", "smoothing", "range"),
        *("calibrated", "by words"),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_read(changes, said):
    with pytest.raises(InvalidInput, match=said):
        config.parse(fields(**changes))


@pytest.mark.parametrize("name", ["uniform", "none", "habit"])
def test_only_a_model_can_write(name):
    with pytest.raises(InvalidInput, match=f"the prior '{name}' is no model that our own decoder"):
        prior_of(**{**FREE, "prior": name})


def test_fields_reach_the_prior():
    prior, _, _ = prior_of(**FREE, prior_access="live", sample_temperature=0.5, top_p=0.9)
    assert isinstance(prior, FreeFormPrior)
    assert prior.form == FreeForm(samples=2, max_tokens=2, temperature=0.5, top_p=0.9)
    assert prior.name == "embedded-early-1 (p_map)"


def test_a_run_says_how_its_answers_were_read(tmp_path):
    experiment = config.parse(fields(**FREE, prior_epsilon=0.1))
    out = runner.run(experiment, tmp_path / "run", progress=False)
    figures = json.loads((out / "run.json").read_text())["prior_figures"]
    table, env, params = prior_of(**FREE)
    assert isinstance(table, TabularPrior)
    assert figures == table.figures
    assert sum(figures[name] for name in ("exact", "contained", "none")) == pytest.approx(
        1.0, abs=1e-3
    )
    assert prior_kinds.figures_of(degrade(table, epsilon=0.5)) == {"prior_figures": figures}
    assert prior_kinds.figures_of(None) == {}
    assert table.settings["kind"] == "p_map"
    table.save(tmp_path / "table.npz", params)
    loaded = TabularPrior.load(tmp_path / "table.npz", env, params)
    np.testing.assert_array_equal(loaded.table, table.table)


def test_another_prior_is_evaluated_without_what_only_a_model_has():
    asked = {**FREE, "num_runs": 4, "prior_dtype": "float32", "model_parallel": 1}
    found = evaluate._with_prior(asked, "uniform")
    assert found == {
        "prior": "uniform",
        "num_runs": 4,
        "prior_dtype": "float32",
        "model_parallel": 1,
        **dataclasses.asdict(PLAIN),
    }
    assert evaluate._with_prior(asked, FREE["prior"]) == asked
