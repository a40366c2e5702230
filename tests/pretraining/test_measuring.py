"""Measuring a model: by hand where it can be worked by hand, and by models that know everything."""

import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import CubeStacking
from priors.tiny import tiny_model

from lprl_jax.lm import generation, identity
from lprl_jax.pretraining import measuring, model_card
from lprl_jax.pretraining.pretrain import PretrainConfig
from lprl_jax.pretraining.tasks import ActionTask, CompletionTask, planned

CUBES = CubeStacking(4)
SHAPE = (CUBES, CUBES.sample_params, planned(CUBES, 8, 0.9), 3, 4)
ACTIONS: Any = ActionTask("cubes", *SHAPE)
WHOLE: Any = CompletionTask("cubes, whole", *SHAPE)


def test_scores_worked_by_hand():
    """Half, all and none of the mass on what is right; a state that is not asked about."""
    probs = jnp.array([[[0.5, 0.25, 0.25], [0.5, 0.5, 0.0], [0.1, 0.2, 0.7], [1.0, 0.0, 0.0]]])
    right = jnp.array([[[1, 0, 0], [1, 1, 0], [1, 0, 0], [0, 0, 0]]], bool)
    found = measuring.judge(jnp.log(jnp.maximum(probs, 1e-30)), right)
    assert found.top1 == pytest.approx(2 / 3)
    assert found.covered == pytest.approx((1 - 0.5**5 + 1 + 1 - 0.9**5) / 3, abs=1e-5)
    assert found.kl == pytest.approx((np.log(2) + 0 + np.log(10)) / 3, abs=1e-5)


def test_a_random_model_is_no_better_than_chance_allows():
    model = tiny_model()
    nothing = model._replace(params=jax.tree.map(jnp.zeros_like, model.params))
    found = measuring.measure_actions({"nothing": nothing, "tiny": model}, ACTIONS, 12)
    assert list(found.ladder) == ["nothing", "tiny"]
    assert found.ladder["tiny"] == found.model.top1 != found.ladder["nothing"]
    assert 0 <= found.model.top1 <= 1
    # At heights 0 to 4 one of 4, 4, 3, 2 and 1 legal actions is right.
    assert found.uniform.top1 == pytest.approx((2 / 4 + 1 / 3 + 1 / 2 + 1) / 5, abs=0.15)
    assert found.success is not None
    assert found.success[2] > 0  # at random, one stacks four cubes now and then


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
    scores, ladder = measuring.Scores(0.91, 0.98, 0.25), {"early-1": 0.5, "final": 0.91}
    actions = measuring.Actions("cubes", scores, scores, scores, (0.5, 0.75, 0.125), ladder)
    whole = measuring.Completions("cubes, whole", [0, 3, 2, 1, 1], [0, 0.333, 0.5, 1, 1], 0.1)
    monkeypatch.setattr(model_card, "measure_actions", lambda *_: actions)
    monkeypatch.setattr(model_card, "measure_completions", lambda *_: whole)
    models, config = {"early-1": tiny_model(), "final": tiny_model()}, PretrainConfig(num_steps=123)
    measured = model_card.measure(models, [ACTIONS, WHOLE])
    card = model_card.render(config, models, measured, "lprl pretrain")
    for line in (
        "    lprl pretrain",
        "| cubes | model | 0.910 | 0.980 | 0.250 |",
        "| cubes | 0.500 | 0.750 | 0.125 |",
        "| cubes, whole | – | 0.333 (3) | 0.500 (2) | 1.000 (1) | 1.000 (1) | 0.100 |",
        "| cubes | 0.500 | 0.910 |",
    ):
        assert line in card.splitlines()
    assert "num_steps = 123;" in card
    figures = model_card.figures(config, models, measured, "lprl pretrain")
    figures = json.loads(json.dumps(figures))
    assert figures["actions"][0]["model"] == {"top1": 0.91, "covered": 0.98, "kl": 0.25}
    assert figures["completions"][0]["shown"] == [0, 3, 2, 1, 1]
    assert figures["settings"]["num_steps"] == 123
    assert figures["made"] == {
        "model": {name: identity.of_model(model) for name, model in models.items()},
        "command": "lprl pretrain",
    }
