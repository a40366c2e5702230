"""In which words a model is asked: from the config and the command line to prior and policy."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli.test_cli import complaint
from lm.flax_folders import folder
from lprl_envs import InvalidInput
from priors.tiny import tiny_model
from small_experiment import fields

from lprl_jax.cli.main import main
from lprl_jax.experiments import build, config, evaluate
from lprl_jax.files import archive
from lprl_jax.lm import checkpoint
from lprl_jax.priors import FlaxLanguagePrior, LanguagePrior

SHOWN = "examples: [{instance: [SFFF, FHFF, FFFH, HFFG], action: down}]\nanswer: Go\n"
ASKED = {"normalization": "token", "end_of_action": ".", "chunk": 3}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("model") / "tiny"
    checkpoint.save(path, tiny_model())
    return str(path)


@pytest.fixture
def shown(tmp_path: Path) -> str:
    path = tmp_path / "shown.yaml"
    path.write_text(SHOWN)
    return str(path)


def made(**changes: Any) -> tuple[config.Experiment, Any, Any]:
    """The small experiment with changes, its environment and bank."""
    experiment = config.parse(fields(**changes))
    env, params = build.make_env(experiment.config.env, experiment.env_arguments, experiment.bank)
    return experiment, env, params


def test_a_config_says_how_its_prior_is_asked(model: str, shown: str) -> None:
    own = {"prior": model, "prior_access": "live", "wording": shown, **ASKED}
    prior = build.make_prior(*made(**own))
    assert isinstance(prior, LanguagePrior)
    assert (prior.normalization, prior.end_of_action, prior.chunk) == ("token", ".", 3)
    assert prior.settings["wording"] == "shown"
    text = prior.scorer.prompt.template.render([0] * prior.env.template.num_slots)
    assert "\nGo down\n\nCross" in text
    assert text.endswith("\nGo")
    plain = build.make_prior(*made(prior=model, prior_access="live"))
    assert isinstance(plain, LanguagePrior)
    assert plain.scorer.prompt.template == plain.env.template


def test_examples_are_drawn_as_the_experiments_training_instances(model: str) -> None:
    own = {"prior": model, "prior_access": "live", "wording": "few-shot-2"}
    texts = []
    for goal in ("corner", "anywhere"):
        prior = build.make_prior(*made(**own, env_params={"goal": goal}))
        assert isinstance(prior, LanguagePrior)
        texts.append(prior.scorer.prompt.template.render([0] * prior.env.template.num_slots))
    corner, anywhere = (text.count("Goal d4") for text in texts)
    assert corner == 2
    assert anywhere < 2


def test_models_that_flax_runs_are_asked_so_too(shown: str) -> None:
    own = {"prior": str(folder("opt")), "prior_access": "live", "wording": shown}
    prior = build.make_prior(*made(**own, env_params={"num_instances": 1}))
    assert isinstance(prior, FlaxLanguagePrior)
    assert (prior.settings["wording"], prior.chunk) == ("shown", 16)


def test_a_policy_is_asked_in_the_same_words(model: str, shown: str) -> None:
    own = fields(algorithm="ppo", policy=model, wording=shown)
    dqn = ("buffer_size", "batch_size", "hidden_sizes")
    experiment = config.parse({name: own[name] for name in own if name not in dqn})
    env, params = build.make_env(experiment.config.env, experiment.env_arguments, experiment.bank)
    policy = build.make_policy(experiment, env, params)
    assert policy is not None
    assert policy.settings["wording"] == "shown"
    prior = build.make_prior(experiment, env, params)  # uniform: the wording is the policy's
    assert prior is not None
    assert prior.name == "uniform"
    with pytest.raises(InvalidInput, match=r"policy was trained in another; valid: .*shown"):
        evaluate._refuse_other_wording(experiment, "bare")
    evaluate._refuse_other_wording(experiment, shown)


@pytest.mark.parametrize("prior", ["none", "uniform", "habit", "table.npz"])
@pytest.mark.parametrize("field", [*ASKED, "wording"])
def test_what_asks_no_model_is_not_told_how(prior: str, field: str) -> None:
    own = {"wording": "chat", **ASKED}[field]
    with pytest.raises(InvalidInput, match=rf"^{field} is .*, and the prior '{prior}' asks none"):
        build.make_prior(*made(prior=prior, **{field: own}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"wording": "brief"}, "no wording brief; valid: a YAML file, or bare, chat, few-shot-2"),
        ({"wording": 3}, "wording is 3; it must be text"),
        ({"normalization": "mean"}, "unknown normalization 'mean'; valid: sum, token, word"),
        ({"chunk": -1}, "chunk is -1; it must be 1 or more, or 0 for the default"),
        ({"end_of_action": 1}, "end_of_action is 1; it must be text"),
    ],
)
def test_odd_values_are_refused(model: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        build.make_prior(*made(prior=model, prior_access="live", **changes))


def test_a_file_is_found_from_anywhere(
    shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chat").write_text(SHOWN)  # a name of our own stays one
    assert config.parse(fields(wording="shown.yaml")).config.wording == shown
    assert config.parse(fields(wording="chat")).config.wording == "chat"


def test_another_prior_that_asks_nobody_is_evaluated_without(model: str) -> None:
    own = config.parse(fields(prior=model, wording="chat", **ASKED)).as_dict()
    found = config.parse(evaluate._with_prior(own, "uniform")).config
    assert (found.wording, found.normalization, found.chunk) == ("bare", "sum", 0)
    same = config.parse(evaluate._with_prior(own, model)).config
    assert (same.wording, same.normalization) == ("chat", "token")


def test_a_table_of_the_command_line_says_how_it_was_asked(
    model: str, shown: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "table.npz")
    call = ["prior", "FrozenLake-lprl", "map_name=4x4", "is_slippery=false", "--model", model]
    asked = ["--wording", shown, "--normalization", "word", "--end-of-action", r".\n"]
    line = complaint([*call, "--wording", "brief", "-o", out], capsys)
    assert "no wording brief" in line
    line = complaint([*call[:-1], "habit", *asked, "-o", out], capsys)
    assert "says how a model is asked, and the prior 'habit' asks none" in line
    opt = [*call[:-1], str(folder("opt")), "--dtype", "bfloat16", "-o", out]
    assert "has neither" in complaint(opt, capsys)
    assert not Path(out).exists()
    assert main([*call, *asked, "--chunk", "16", "--dtype", "bfloat16", "-o", out]) == 0
    manifest, arrays = archive.read(out, "table", "lprl prior", ["log_probs"])
    settings = manifest["settings"]
    assert (settings["wording"], settings["normalization"]) == ("shown", "word")
    assert settings["end_of_action"] == ".\n"
    assert np.isfinite(arrays["log_probs"]).all()
