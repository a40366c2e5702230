"""A judge in words by its config: what is made by hand; tables, bits, calibration; refusals."""

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import yaml
from cli.test_cli import complaint
from priors.tiny import tiny_model

from lprl_jax.algorithms.tabular.word_calibration import calibrated
from lprl_jax.experiments import config, evaluate, judging, runner
from lprl_jax.experiments.build import make_env
from lprl_jax.judges import PriorJudge, tabulate
from lprl_jax.judges.words import WordJudge
from lprl_jax.lm import checkpoint
from lprl_jax.lm.quantised import quantised
from lprl_jax.priors import LanguagePrior, Prior, TabularPrior

PENDULUM: dict[str, Any] = {"env": "Pendulum-lprl", "algorithm": "td3"}
LAKE: dict[str, Any] = {
    "env": "FrozenLake-lprl",
    "env_params": {"map_name": "4x4", "is_slippery": False},
    "num_runs": 2,
    "total_steps": 20,
    "eval_every": 20,
    "eval_episodes": 2,
    "buffer_size": 50,
    "batch_size": 4,
    "hidden_sizes": [8],
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The directory of a tiny model."""
    path = tmp_path_factory.mktemp("models") / "tiny"
    checkpoint.save(path, tiny_model())
    return str(path)


def made(fields: dict[str, Any], prior: Prior | None = None) -> Any:
    """The judge of a config."""
    experiment = config.parse(fields)
    env, params = make_env(experiment.config.env, experiment.env_arguments, experiment.bank)
    return judging.make_judge(experiment, env, params, prior=prior)


def world_of(fields: dict[str, Any]) -> Any:
    experiment = config.parse(fields)
    return make_env(experiment.config.env, experiment.env_arguments, experiment.bank)


def test_a_table_in_words_is_that_of_a_judge_by_hand(model: str) -> None:
    more = {"judge_soft": True, "judge_bits": 3, "judge_calibrated": True}
    found = made({**PENDULUM, "judge": model, "judge_says": "words", **more})
    env, params = world_of(PENDULUM)
    by_hand = WordJudge.of_model(quantised(tiny_model(), 3), env, params, soft=True)
    assert not np.allclose(calibrated(by_hand).params.bias, 0, atol=0.1)
    right = tabulate(calibrated(by_hand), env, params)
    np.testing.assert_allclose(found.params.verdicts, right.params.verdicts, atol=1e-5)
    assert found.name == "tiny (3 bits) in words"
    assert int(found.init().evaluations) == 144
    plain = tabulate(by_hand, env, params)
    assert np.abs(found.params.verdicts - plain.params.verdicts).max() > 0.05


def test_a_live_judge_in_words_is_the_one_by_hand(model: str) -> None:
    own = {"judge": model, "judge_says": "words", "judge_access": "live", "judge_threshold": 0.5}
    found = made({**PENDULUM, **own, "wording": "instruction", "chunk": 7})
    env, params = world_of(PENDULUM)
    right = WordJudge.of_model(tiny_model(), env, params, threshold=0.5, wording="instruction")
    assert isinstance(found, WordJudge)
    assert (found.chunk, found.soft) == (7, False)
    assert found.scorer.prompt.template == right.scorer.prompt.template != env.template
    jax.tree.map(np.testing.assert_array_equal, found.params, right.params)


@pytest.mark.parametrize("access", ["table", "live"])
def test_bits_of_a_judge_by_action(model: str, access: str) -> None:
    own = {"judge": model, "judge_bits": 2, "judge_soft": True, "judge_access": access}
    found = made({**LAKE, **own})
    env, params = world_of(LAKE)
    right = PriorJudge(LanguagePrior.of_model(quantised(tiny_model(), 2), env, params), soft=True)
    if access == "live":
        jax.tree.map(np.testing.assert_array_equal, found.params, right.params)
        return
    right = tabulate(right, env, params)
    np.testing.assert_allclose(found.params.verdicts, right.params.verdicts, atol=1e-5)
    whole = made({**LAKE, **own, "judge_bits": 32})
    assert np.abs(whole.params.verdicts - found.params.verdicts).max() > 0.05


def test_a_model_that_is_prior_and_judge_is_tabulated_once(model: str) -> None:
    own = {"prior": model, "judge": model, "judge_soft": True, "prior_temperature": 2.0}
    setup = runner.set_up(config.parse({**LAKE, **own}))
    prior: Any = setup.prior
    judge: Any = setup.judge
    assert isinstance(judge.prior, TabularPrior)
    assert judge.prior.table is prior.prior.table  # not the one of temperature 2
    assert int(prior.init().evaluations) == 11
    assert int(judge.init().evaluations) == 0
    alone = made({**LAKE, **own, "prior": "none", "prior_temperature": 1.0})
    env, params = world_of(LAKE)
    states = jax.vmap(lambda i: env.state_at(0, i, params))(jnp.arange(16))
    asked = jax.random.split(jax.random.key(0), 16), states, params, jnp.ones(16, bool)
    found, right = (x.verdicts(x.params, x.init(), *asked)[0] for x in (judge, alone))
    whole = ~np.asarray(jax.vmap(env.is_terminated, (0, None))(states, params))
    np.testing.assert_allclose(found[whole], right[whole], atol=1e-5)


@pytest.mark.parametrize(
    "other", [{"judge_bits": 8}, {"judge_says": "words"}, {"prior_kind": "p_map", "samples": 2}]
)
def test_who_is_asked_otherwise_has_a_table_of_its_own(model: str, other: dict[str, Any]) -> None:
    env, _ = world_of(LAKE)
    table = jnp.full((1, 16, 4), jnp.log(0.25))
    prior = TabularPrior(env, table, "of another question", 11)
    judge = made({**LAKE, "prior": model, "judge": model, **other}, prior)
    assert judge.name.startswith("tiny")
    assert int(judge.init().evaluations) == 11


def test_a_run_by_text_is_trained_and_evaluated(model: str, tmp_path: Path) -> None:
    """Cart pole has no numbered states, and the wording is the judge's alone."""
    fields = {
        "env": "CartPole-lprl",
        "algorithm": "ppo",
        "judge": model,
        "judge_says": "words",
        "judge_threshold": 0.4,
        "wording": "instruction",
        "num_runs": 2,
        "num_envs": 2,
        "rollout_length": 8,
        "total_steps": 32,
        "eval_every": 16,
        "eval_episodes": 2,
        "hidden_sizes": [8],
    }
    out = runner.run(config.parse(fields), tmp_path / "run", progress=False)
    last = json.loads((out / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["judge_evaluations"] == 1225
    assert last["judge_queries"] > 0
    assert max(*last["good"], *last["bad"]) > 0
    again = config.parse(yaml.safe_load((out / "config.yaml").read_text()))
    assert again.as_dict() == config.parse(fields).as_dict()
    assert evaluate.run(out, [])[0].returns.shape == (2,)


def test_another_prior_leaves_the_judge_its_wording(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A learner that looks ahead is judged in evaluation, too."""
    own = {"prior": model, "judge": model, "judge_says": "words", "shift_form": "look_ahead"}
    fields = {**LAKE, **own, "algorithm": "dqn", "wording": "instruction", "chunk": 7}
    out = runner.run(config.parse(fields), tmp_path / "run", progress=False)
    asked = []
    make = judging.make_judge

    def remembered(experiment: Any, *others: Any, **more: Any) -> Any:
        given = experiment.config
        asked.append((given.prior, given.judge, given.wording, given.chunk))
        return make(experiment, *others, **more)

    monkeypatch.setattr(judging, "make_judge", remembered)
    evaluate.run(out, [], priors=["uniform"])
    assert asked[-1] == ("uniform", model, "instruction", 7)


AHEAD = {"shift_form": "look_ahead"}
PRIORS_ASKED = {
    # What is said of asking is the judge's, and stays; what is of actions alone was the prior's.
    "words ahead": (
        {"judge_says": "words", "chunk": 7, "normalization": "token", **AHEAD},
        (7, "sum"),
    ),
    "action ahead": ({"chunk": 7, "normalization": "token", **AHEAD}, (7, "token")),
    # Nobody else is asked: the judge of other learners is not, in evaluation.
    "words": ({"judge_says": "words", "chunk": 7, "normalization": "token"}, (0, "sum")),
    "action": ({"chunk": 7, "normalization": "token"}, (0, "sum")),
    "no judge": ({"judge": "none", "chunk": 7, "normalization": "token"}, (0, "sum")),
    "planner ahead": ({"judge": "perfect", "chunk": 7, **AHEAD}, (0, "sum")),
    "model acts": (
        {"algorithm": "ppo", "policy": "embedded-early-1", "chunk": 7, "wording": "instruction"},
        (0, "sum"),
    ),
}


@pytest.mark.parametrize("prior", ["uniform", "habit"])
@pytest.mark.parametrize("name", PRIORS_ASKED)
def test_who_is_asked_how_with_another_prior(model: str, name: str, prior: str) -> None:
    own, right = PRIORS_ASKED[name]
    other = {"buffer_size", "batch_size"} if own.get("algorithm") == "ppo" else set()
    fields = {x: value for x, value in LAKE.items() if x not in other}
    given = config.parse({**fields, "prior": model, "judge": model, **own}).as_dict()
    found = config.parse(evaluate._with_prior(given, prior)).config
    assert found.prior == prior
    assert (found.chunk, found.normalization) == right
    assert found.wording == own.get("wording", "bare")


def test_a_judges_weights_stay_as_they_are_placed(model: str) -> None:
    own = {**LAKE, "prior": model, "judge": model, "prior_dtype": "bfloat16"}
    for more, right in ((AHEAD, "bfloat16"), ({}, "float32")):
        given = config.parse({**own, **more}).as_dict()
        assert config.parse(evaluate._with_prior(given, "uniform")).config.prior_dtype == right


WORDS = ["judge_says=words"]
REFUSED = {
    "judge_says": (["judge_says=loudly"], "unknown judge_says 'loudly'; valid: action, words"),
    "planner": ([*WORDS, "judge=perfect"], "the judge 'perfect' is none; right: judge_says=action"),
    "nobody": ([*WORDS, "judge=none"], "judge_says is 'words', which is for language models"),
    "stranger": ([*WORDS, "judge=nobody"], "unknown judge"),
    "bits": (["judge_bits=9"], "judge_bits is 9; it must lie in 2 to 8, or be 32"),
    "bits of a table": (["judge=table.npz", "judge_bits=4"], "judge_bits is 4, which is for"),
    "bits of bfloat16": (["judge_bits=4", "prior_dtype=bfloat16"], "rounded in float32"),
    "threshold": (["judge_threshold=.5"], "judge_threshold is 0.5, and by action"),
    "calibrated": (["judge_calibrated=true"], "right: judge_says=words, or judge_calibrated=false"),
    "range": ([*WORDS, "judge_threshold=1.5"], "judge_threshold is 1.5; it must lie in [0, 1]"),
    "soft": ([*WORDS, "judge_threshold=.5", "judge_soft=true"], "there is no likeliest word"),
    "weighed": ([*WORDS, "calibration=pmi"], "a judge in words weighs none"),
    "too many": (
        [*WORDS, "env=BlocksWorld-lprl", "env_params={num_blocks: 7}"],
        "too many states, and too many texts, for a table of verdicts; right: judge_access=live",
    ),
    "no training": (
        [*WORDS, "judge_calibrated=true", "env_params={map_name: 2x2}"],
        "a judge is calibrated on training instances: ",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    overrides, message = REFUSED[name]
    (tmp_path / "own.yaml").write_text(yaml.safe_dump({**LAKE, "judge": "embedded-early-1"}))
    out = tmp_path / "run"
    arguments = ["train", str(tmp_path / "own.yaml"), *overrides, "--out", str(out)]
    assert message in complaint(arguments, capsys)
    assert not (out / "metrics.jsonl").exists()


def test_a_model_of_flax_code_says_no_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "gpt_neo"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "gpt_neo"}))
    for name in ("tokenizer.json", "model.safetensors"):  # which are not opened
        (folder / name).touch()
    (tmp_path / "own.yaml").write_text(yaml.safe_dump({**LAKE, "judge": str(folder)}))
    arguments = ["train", str(tmp_path / "own.yaml"), *WORDS, "--out", str(tmp_path / "run")]
    assert "is 'words', which is for models of gpt2, llama" in complaint(arguments, capsys)
