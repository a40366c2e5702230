"""The embedded model: its size, that it knows held-out maps, and that it knows them by reading."""

import jax
import jax.numpy as jnp
import pytest
from lprl_envs import InvalidInput

from lprl_jax.lm import checkpoint, embedded, measuring
from lprl_jax.lm.curriculum import TASKS
from lprl_jax.lm.tasks import ActionTask
from lprl_jax.priors.base import normalize

TASK = TASKS[0]  # 8x8, firm
assert isinstance(TASK, ActionTask)
MAPS = 24
STATES = 64


@pytest.fixture(scope="module")
def exam():
    """Held-out maps: slots of states that are asked about, and the optimal actions there."""
    bank = jax.jit(TASK.sample, static_argnums=(1, 2))(jax.random.key(11), MAPS, "held-out")
    assert bool(jnp.all(jax.vmap(TASK.env.held_out)(bank.bank)))

    @jax.jit
    def ask(bank):
        def one(key, i):
            states, right = TASK.draw(key, bank, i, STATES)
            return jax.vmap(TASK.env.slots, (0, None))(states, bank), right

        return jax.vmap(one)(jax.random.split(jax.random.key(3), MAPS), jnp.arange(MAPS))

    return ask(bank)


@pytest.fixture(scope="module")
def scores(exam):
    """Top-1, coverage and KL of every embedded model, best model first, and of shuffled words."""
    slots, right = exam
    legal = jnp.ones(right.shape, bool)

    def judge(model, slots):
        course = TASK.compile(model.tokenizer)
        return measuring.judge(normalize(measuring.score_slots(model, course, slots), legal), right)

    models = {name: checkpoint.load(embedded.path_of(name)) for name in embedded.MODELS}
    found = {name: judge(model, slots) for name, model in models.items()}
    mixed = measuring.shuffle(TASK.env, jax.random.key(1), slots)
    found["shuffled"] = judge(models["embedded"], mixed)
    found["uniform"] = measuring.judge(normalize(jnp.zeros(legal.shape), legal), right)
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
