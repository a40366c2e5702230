"""The embedded model: its size, that it knows held-out maps, and that it knows them by reading."""

import jax
import jax.numpy as jnp
import pytest
from lprl_envs import InvalidInput

from lprl_jax.lm import checkpoint, embedded, model_card
from lprl_jax.lm.tasks import TASKS, askable, demonstrator

TASK = TASKS[0]  # 8x8, firm
MAPS = 24


@pytest.fixture(scope="module")
def exam():
    """Held-out maps: their slots, the optimal actions, and the states that are asked about."""
    bank = jax.jit(TASK.sample, static_argnums=(1, 2))(jax.random.key(11), MAPS, "held-out")
    assert bool(jnp.all(jax.vmap(TASK.env.held_out)(bank.bank)))

    @jax.jit
    def answers(bank):
        maps = jnp.arange(MAPS)
        optimal = jax.vmap(lambda i: demonstrator(TASK, bank, i))(maps)
        asked = jax.vmap(lambda i: askable(TASK, bank, i))(maps)
        return model_card.all_slots(TASK, bank), optimal, asked & jnp.any(optimal, -1)

    return answers(bank)


@pytest.fixture(scope="module")
def scores(exam):
    """Top-1, coverage and KL of every embedded model, best model first, and of shuffled words."""
    slots, optimal, asked = exam
    found = {}
    for name in embedded.MODELS:
        model = checkpoint.load(embedded.path_of(name))
        found[name] = model_card.judge(model_card.score_slots(model, TASK, slots), optimal, asked)
    model = checkpoint.load(embedded.path_of("embedded"))
    mixed = model_card.shuffle(TASK, jax.random.key(1), slots)
    found["shuffled"] = model_card.judge(model_card.score_slots(model, TASK, mixed), optimal, asked)
    uniform = jnp.full(optimal.shape, -jnp.log(4.0))
    found["uniform"] = model_card.judge(uniform, optimal, asked)
    return found


def test_it_is_small():
    model = checkpoint.load(embedded.path_of("embedded"))
    assert sum(leaf.size for leaf in jax.tree.leaves(model.params)) <= 3_000_000
    files = [file for file in embedded.FOLDER.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) <= 8 * 2**20


def test_it_knows_maps_that_it_has_never_seen(scores):
    assert scores["embedded"].top1 > 0.9
    assert scores["embedded"].covered > 0.95
    assert scores["embedded"].kl < 0.5 < scores["uniform"].kl


def test_it_knows_them_by_reading(scores):
    assert scores["shuffled"].top1 < scores["uniform"].top1 + 0.12
    assert scores["shuffled"].covered < scores["uniform"].covered


def test_the_early_versions_are_a_ladder(scores):
    ladder = [scores[name].top1 for name in embedded.MODELS]
    assert ladder == sorted(ladder, reverse=True)
    assert ladder[-1] > scores["uniform"].top1


def test_the_card_is_of_this_model():
    card = (embedded.FOLDER / "MODEL_CARD.md").read_text()
    model = checkpoint.load(embedded.path_of("embedded"))
    size = sum(leaf.size for leaf in jax.tree.leaves(model.params))
    assert f"{size:,} parameters" in card
    assert "words shuffled" in card


def test_a_name_that_is_no_model_is_answered_with_the_names():
    with pytest.raises(InvalidInput, match="embedded-early-1, or a Hugging Face directory"):
        embedded.path_of("embeded")
