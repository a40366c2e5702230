"""The embedded model: its size, that it knows held-out instances, and that it knows by reading."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import InvalidInput

from lprl_jax.lm import checkpoint, embedded, named
from lprl_jax.pretraining import measuring
from lprl_jax.pretraining.curriculum import TASKS
from lprl_jax.pretraining.tasks import ActionTask, CompletionTask, planned
from lprl_jax.priors import judging
from lprl_jax.priors.base import normalize

pytestmark = pytest.mark.optimized

ACTIONS = {task.name: task for task in TASKS if isinstance(task, ActionTask)}
COMPLETIONS = {task.name: task for task in TASKS if isinstance(task, CompletionTask)}
LAKE = "FrozenLake 8x8, firm"
INSTANCES = 24

model = functools.cache(lambda name: checkpoint.load(embedded.path_of(name)))


@functools.cache
def exam(name, draw=None):
    """Held-out instances: slots of states, the right actions there, and the legal ones."""
    task = ACTIONS[name]
    draw = draw or task.exam or task.draw
    bank = jax.jit(task.sample, static_argnums=(1, 2))(jax.random.key(11), INSTANCES, "held-out")
    assert bool(jnp.all(jax.vmap(task.env.held_out)(bank.bank)))

    @jax.jit
    def ask(bank):
        def one(key, i):
            states, right = draw(key, bank, i, 32)
            read = [jax.vmap(f, (0, None)) for f in (task.env.slots, task.env.action_mask)]
            return right, *(f(states, bank) for f in read)

        return jax.vmap(one)(jax.random.split(jax.random.key(3), INSTANCES), jnp.arange(INSTANCES))

    return ask(bank)


@functools.cache
def scorer(task_name):
    """All versions have one shape and tokenizer."""
    final = model("embedded")
    return judging.make_scorer(final.config, ACTIONS[task_name].compile(final.tokenizer).prompts)


def judge(task_name, model_name="embedded", shuffled=False, draw=None):
    """Top-1, coverage and KL of a model on a task."""
    task, (right, slots, legal) = ACTIONS[task_name], exam(task_name, draw)
    if shuffled:
        slots = judging.shuffle(task.env.template, jax.random.key(1), slots)
    scores = scorer(task_name)(model(model_name).params, slots)
    return judging.judge(normalize(scores, legal), right)


@functools.cache
def guess(task_name):
    """The same of the uniform distribution."""
    right, _, legal = exam(task_name)
    return judging.judge(normalize(jnp.zeros(legal.shape), legal), right)


def test_it_is_small():
    assert sum(leaf.size for leaf in jax.tree.leaves(model("embedded").params)) <= 4_000_000
    folders = [
        embedded.path_of(name) for name in embedded.LADDER
    ]  # the judge has a test of its own
    files = [file for folder in folders for file in folder.iterdir()]
    assert sum(file.stat().st_size for file in files) <= 10 * 2**20


@pytest.mark.parametrize(
    ("name", "least"), [(LAKE, 0.9), ("BlocksWorld 4", 0.9), ("BlocksWorld 5", 0.85)]
)
def test_it_knows_instances_that_it_has_never_seen(name, least):
    found = judge(name)
    assert found.top1 > least
    assert found.covered > 0.95
    assert found.kl < guess(name).kl - 0.2


@pytest.mark.parametrize("blocks", [4, 5])
def test_it_knows_how_to_build(blocks):
    # Near the goal, where the habit of taking towers apart is of no use.
    name = f"BlocksWorld {blocks}"
    near = planned(ACTIONS[name].env, horizon=4 * blocks, discount=0.9, fade=0.5)
    assert judge(name, draw=near).top1 > 0.85


@pytest.mark.parametrize("name", [LAKE, "BlocksWorld 4", "BlocksWorld 5"])
def test_it_knows_them_by_reading(name):
    shuffled = judge(name, shuffled=True)
    assert shuffled.top1 < guess(name).top1 + 0.15
    assert shuffled.covered < guess(name).covered


def test_the_early_versions_are_a_ladder():
    ladder = [judge(LAKE, name).top1 for name in embedded.LADDER]
    assert ladder == sorted(ladder, reverse=True)
    assert ladder[-1] > guess(LAKE).top1


def test_it_completes_a_pattern_better_the_more_of_it_is_shown():
    found = measuring.measure_completions(
        model("embedded"), COMPLETIONS["CubeStacking 8, whole"], INSTANCES
    )
    shown, accepted = np.array(found.shown), np.array(found.accepted)
    assert found.malformed < 0.05
    low, high = (np.average(accepted[i], weights=shown[i]) for i in (slice(2), slice(3, None)))
    assert high > max(0.5, low)


def test_the_card_is_of_this_model():
    card = (embedded.FOLDER / "MODEL_CARD.md").read_text()
    size = sum(leaf.size for leaf in jax.tree.leaves(model("embedded").params))
    assert f"{size:,} parameters" in card
    for task in TASKS:
        assert f"| {task.name} |" in card


def test_a_name_that_is_no_model_is_answered_with_the_names():
    with pytest.raises(InvalidInput, match="embedded-judge, embedded-home, smollm2, a Hugging"):
        named.path_of("embeded")
