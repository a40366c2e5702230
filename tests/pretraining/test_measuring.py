"""Measuring a model: by hand where it can be worked by hand, and by models that know everything."""

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import CubeStacking, FrozenLake, InvalidInput
from priors.tiny import tiny_model

from lprl_jax.files import origin
from lprl_jax.lm import generation, identity, taught
from lprl_jax.pretraining import following, measuring, model_card, pretrain_run
from lprl_jax.pretraining.following import Followed
from lprl_jax.pretraining.pretrain import PretrainConfig
from lprl_jax.pretraining.replay import Replayed, Taught
from lprl_jax.pretraining.tasks import ActionTask, CompletionTask, Population, planned
from lprl_jax.priors.judging import Scores
from lprl_jax.priors.tabular import TabularPrior
from lprl_jax.results.statistics import Interval

CUBES = CubeStacking(4)
SHAPE = (CUBES, CUBES.sample_params, planned(CUBES, 8, 0.9), 3, 4)
ACTIONS: Any = ActionTask("cubes", *SHAPE)
WHOLE: Any = CompletionTask("cubes, whole", *SHAPE)


def test_a_random_model_is_no_better_than_chance_allows():
    model = tiny_model()
    nothing = model._replace(params=jax.tree.map(jnp.zeros_like, model.params))
    (population,) = ACTIONS.measured
    found = measuring.measure_actions({"nothing": nothing, "tiny": model}, ACTIONS, population, 12)
    assert (found.task, found.population) == ("cubes", "random")
    assert list(found.ladder) == ["nothing", "tiny"]
    assert found.ladder["tiny"] == found.model.top1 != found.ladder["nothing"]
    assert 0 <= found.model.top1 <= 1
    # At heights 0 to 4 one of 4, 4, 3, 2 and 1 legal actions is right.
    assert found.uniform.top1 == pytest.approx((2 / 4 + 1 / 3 + 1 / 2 + 1) / 5, abs=0.15)
    assert found.success is not None
    assert found.success.uniform.estimate > 0  # at random, one stacks four cubes now and then
    for rate in found.success:
        assert rate.low is not None
        assert rate.high is not None
        assert rate.low <= rate.estimate <= rate.high


def test_the_habit_of_a_task_is_the_best_of_what_does_not_look():
    """Of two lakes of one kind: taught on training instances, measured on held-out ones."""
    env = FrozenLake("3x3", is_slippery=False)
    asked = []

    def sample(key, num_instances, split):
        asked.append(split)
        return env.sample_params(key, num_instances, split)

    # Right is always to go down, so that the habit knows everything.
    def draw(key, params, instance, num):
        states = jax.vmap(lambda i: env.state_at(instance, i, params))(jnp.arange(num))
        return states, jnp.tile(jnp.array([False, True, False, False]), (num, 1))

    task: Any = ActionTask("down", env, env.sample_params, draw, 3, 4)
    population = Population("of ours", sample)
    found = measuring.measure_actions({"tiny": tiny_model()}, task, population, 5)
    assert asked == ["held-out", "train", "held-out"]
    assert found.population == "of ours"
    assert found.habit == pytest.approx((1, 1, 0), abs=1e-4)
    assert found.uniform == pytest.approx((0.25, 1 - 0.75**5, np.log(4)), abs=1e-5)


def test_following_is_the_share_of_episodes_in_each_instance():
    """Down alone solves the first of two lakes, right alone the second."""
    env = FrozenLake("2x2", is_slippery=False)
    bank = env.params_of([("SF", "GF"), ("SG", "FF")])
    always = [jnp.log(jnp.float32(jnp.eye(4)[a])) for a in (1, 2)]
    tables = [jnp.broadcast_to(log_probs, (2, 4, 4)) for log_probs in always]
    priors = [TabularPrior(env, table, "always", 0) for table in tables]
    down, right = (
        following.success(env, bank, prior, policy, jax.random.key(0))
        for prior, policy in zip(priors, (following.drawn, following.likeliest), strict=True)
    )
    np.testing.assert_array_equal(down, [1, 0])
    np.testing.assert_array_equal(right, [0, 1])


def test_what_a_perfect_writer_writes_is_accepted(monkeypatch):
    """The generation is replaced by the truth, of instances that the measuring draws itself."""
    model, truth = tiny_model(), []
    key_bank, _ = jax.random.split(jax.random.key(7))
    bank: Any = WHOLE.sample(key_bank, 6, "held-out")
    for instance in range(6):
        text = CUBES.completion.render(CUBES.target(jnp.int32(instance), bank).tolist())
        truth.append(model.tokenizer.encode(text))
    rows = jnp.asarray(truth, jnp.int32)

    def write(config, params, tokens, valid, keys, num_tokens, choose=generation.greedy):
        # The instance is the one whose cubes the prompt names.
        course = WHOLE.compile(model.tokenizer)
        starts = jax.vmap(
            lambda i: course.prompts.prefix.render(CUBES.slots(CUBES.state_at(i, 0, bank), bank))[0]
        )(jnp.arange(6))
        same = jnp.all(tokens[:, None, : starts.shape[1]] == starts[None], axis=-1)
        return rows[jnp.argmax(same, axis=1)]

    monkeypatch.setattr(generation, "generate", write)
    found = measuring.measure_completions(model, WHOLE, 6)
    assert sum(found.shown) == 24
    assert found.malformed == 0
    shown = np.array(found.shown)
    np.testing.assert_array_equal(np.array(found.accepted)[shown > 0], 1.0)


def test_what_a_random_model_writes_is_none():
    found = measuring.measure_completions(tiny_model(), WHOLE, 4)
    assert found.malformed > 0.5
    assert max(found.accepted) < 0.5


def test_the_card_has_a_row_of_every_task(monkeypatch):
    scores, ladder = Scores(0.91, 0.98, 0.25), {"early-1": 0.5, "final": 0.91}
    worse, rate = Scores(0.4, 0.6, 1.5), Interval(0.5, 0.38, 0.625)
    success = Followed(rate, Interval(0.75, 0.5, 1.0), rate, Interval(0.125, 0, 0.25))
    actions = measuring.Actions("cubes", "random", scores, scores, worse, scores, success, ladder)
    whole = measuring.Completions("cubes, whole", [0, 3, 2, 1, 1], [0, 0.333, 0.5, 1, 1], 0.1)
    monkeypatch.setattr(model_card, "measure_actions", lambda *_: actions)
    monkeypatch.setattr(model_card, "measure_completions", lambda *_: whole)
    models, config = {"early-1": tiny_model(), "final": tiny_model()}, PretrainConfig(num_steps=123)
    apart = Taught("cubes", "text", 9_999, 1_234, 0, 200, 0)
    rows = [apart, apart._replace(taught_texts=617)]
    replayed = Replayed(rows, np.array([[3, 5]], np.uint16))
    monkeypatch.setattr(model_card, "replay", lambda *_: replayed)
    measured = model_card.measure(config, models, [ACTIONS, WHOLE])
    card = model_card.render(config, models, measured, "lprl pretrain")
    for line in (
        "    lprl pretrain",
        "| cubes | random | model | 0.910 | 0.980 | 0.250 |",
        "| cubes | random | habit | 0.400 | 0.600 | 1.500 |",
        "| cubes | random | 0.50 [0.38, 0.62] | 0.75 [0.50, 1.00] | 0.50 [0.38, 0.62] "
        "| 0.12 [0.00, 0.25] |",
        "| cubes, whole | – | 0.333 (3) | 0.500 (2) | 1.000 (1) | 1.000 (1) | 0.100 |",
        "| cubes | random | 0.500 | 0.910 |",
        "| cubes | 9,999 | 1,234 | 0 | 200 | 0 |",
        "| cubes | 9,999 | 1,234 | 617 (50.0 %) | 200 | 0 |",
    ):
        assert line in card.splitlines()
    assert "num_steps = 123;" in card
    figures = model_card.figures(config, models, measured, "lprl pretrain")
    figures = json.loads(json.dumps(figures))
    assert figures["actions"][0]["model"] == {"top1": 0.91, "covered": 0.98, "kl": 0.25}
    assert figures["actions"][0]["success"]["greedy"] == {"estimate": 0.75, "low": 0.5, "high": 1.0}
    assert figures["completions"][0]["shown"] == [0, 3, 2, 1, 1]
    assert figures["taught"][0]["texts"] == 1_234
    assert figures["settings"]["num_steps"] == 123
    assert figures["made"] == {
        "model": {name: identity.of_model(model) for name, model in models.items()},
        "command": "lprl pretrain",
        "commit": origin.commit(Path(__file__).parents[2]) or "not a checkout",
        "machine": origin.machine(),
    }


def test_a_card_that_shows_a_leak_is_refused(tmp_path, monkeypatch):
    leak = Taught("cubes", "text", 9, 9, 1, 9, 0)
    pairs = np.array([[3, 5]], np.uint16)
    measured = model_card.Measured([], [], [], [leak], pairs)
    (tmp_path / "final").mkdir()
    monkeypatch.setattr(model_card, "measure", lambda *_: measured)
    with pytest.raises(InvalidInput, match="what is held out was taught, of cubes, as MODEL_CARD"):
        pretrain_run.write_card(PretrainConfig(), {"final": tiny_model()}, tmp_path)
    assert "| cubes | 9 | 9 | 1 (11.1 %) | 9 | 0 |" in (tmp_path / "MODEL_CARD.md").read_text()
    kept = taught.read(tmp_path / "final")
    assert kept is not None
    assert np.array_equal(kept, pairs)
    assert "pairs" not in json.loads((tmp_path / "MODEL_CARD.json").read_text())
