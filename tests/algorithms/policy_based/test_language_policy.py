"""A language model as a policy: what it starts as, its gradient, and what it learns."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from algorithms.probes import (
    END,
    FAST_TO_COMPILE,
    PROBES,
    TabularMDP,
    begin,
    tables,
    trainer,
)
from algorithms.test_sharding import CALLS_OF_THE_HOST
from lm.flax_folders import MAP
from lprl_envs import BlocksWorld, FrozenLake, InvalidInput
from priors.tiny import tiny_model

from lprl_jax.algorithms.base import Data
from lprl_jax.algorithms.policy_based import policy_losses, ppo
from lprl_jax.algorithms.policy_based.language_policy import LanguagePolicy
from lprl_jax.algorithms.policy_based.ppo_config import PPOConfig
from lprl_jax.experiments import sharding
from lprl_jax.lm import decoder
from lprl_jax.lm.decoder import DecoderConfig
from lprl_jax.lm.partition import LANGUAGE_MODEL
from lprl_jax.priors import LanguagePrior, UniformPrior, degrade, tabulate

LAKE = FrozenLake("4x4", is_slippery=False)
# Four actions of 1 to 4 words, of which some are illegal.
LEGAL = [[1, 1, 1, 1], [1, 0, 1, 0], [0, 0, 0, 1], [0, 1, 1, 1]]
BLOCKS = BlocksWorld(3)
STACKS = [{"init": ["cb", "a"], "goal": ["ab"]}, {"init": ["abc"], "goal": ["ca"]}]
TWO_MAPS = [MAP, ["FFFS", "FFHF", "FGFF", "FFFF"]]
MDP = TabularMDP(4, 4)
CASES = {
    "one text for all": (LAKE, LAKE.params_of([MAP])),
    "a text an instance": (LAKE, LAKE.params_of(TWO_MAPS)),
    "illegal actions": (MDP, MDP.params_of([tables([[END] * 4] * 4, [[0] * 4] * 4, LEGAL)])),
    "few legal of many": (BLOCKS, BLOCKS.params_of(STACKS)),
}


def live_states(env, params):
    """Every state that is not terminal."""
    count = params.instances.shape[0]
    instance = jnp.repeat(jnp.arange(count), env.num_states)
    index = jnp.tile(jnp.arange(env.num_states), count)
    states = jax.vmap(lambda m, i: env.state_at(m, i, params))(instance, index)
    ended = np.asarray(jax.vmap(env.is_terminated, (0, None))(states, params))
    return jax.tree.map(lambda x: x[~ended], states)


class Case:
    """A tiny policy in one of CASES, and the prior of the same model."""

    def __init__(self, name):
        self.env, self.bank = CASES[name]
        self.policy = LanguagePolicy.of_model(tiny_model(), self.env, self.bank)
        self.prior = LanguagePrior.of_model(tiny_model(), self.env, self.bank, chunk=16)
        self.actor = self.policy.actor_critic()
        self.data = Data(self.prior.params, self.bank, policy_params=self.policy.params)
        self.states = live_states(self.env, self.bank)
        self.params = self.actor.init(jax.random.key(0), self.states, self.data)
        self.judge = jax.jit(self._judge, compiler_options=FAST_TO_COMPILE)
        self.legal = np.asarray(jax.vmap(self.env.action_mask, (0, None))(self.states, self.bank))

    def _judge(self, params, states, instances):
        context = self.actor.prepare(params, instances, self.data)
        return self.actor.apply(params, context, self.actor.read(states, self.data), self.data)


@functools.cache
def case(name):
    return Case(name)


@pytest.mark.parametrize("name", CASES)
def test_at_the_start_it_is_the_frozen_prior(name):
    here = case(name)
    every = jnp.ones(len(here.legal), bool)
    prior = jax.jit(here.prior.log_probs, compiler_options=FAST_TO_COMPILE)
    right, _ = prior(here.data.prior_params, here.prior.init(), here.states, here.bank, every)
    found = here.judge(here.params, here.states, here.bank.instances)
    np.testing.assert_array_equal(np.isfinite(found.log_probs), here.legal)
    np.testing.assert_allclose(found.log_probs, right, atol=1e-5, rtol=1e-6)
    kl = jax.vmap(policy_losses.kl)(found.log_probs, right)
    np.testing.assert_allclose(kl, 0, atol=2e-6)
    np.testing.assert_array_equal(found.value, 0)
    assert np.ptp(np.exp(found.log_probs)) > 0.5  # there is something to be wrong about


def test_few_states_of_many_instances_have_a_text_each():
    here = case("a text an instance")
    row = jnp.array([20])  # of the second instance
    state = jax.tree.map(lambda x: x[row], here.states)
    every = here.bank.instances
    chosen = here.actor.to_prepare(every, state)
    assert state.instance.tolist() == chosen.tolist() == [1]
    np.testing.assert_array_equal(here.actor.to_prepare(every, here.states), every)
    head = {"kernel": jnp.linspace(-1, 1, 16), "bias": jnp.float32(0.5)}
    params = {**here.params, "value": head}
    alone, all_ = (here.judge(params, state, x) for x in (chosen, every))
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-5), alone, all_)
    ask = jax.jit(here.prior.log_probs_and_features, compiler_options=FAST_TO_COMPILE)
    _, own, _ = ask(here.prior.params, here.prior.init(), state, here.bank, jnp.array([True]))
    np.testing.assert_allclose(alone.value, own @ head["kernel"] + 0.5, atol=1e-5)


# -- the gradient ----------------------------------------------------------------------------------


class Naive:
    """Every state with every action as its own sequence, through `decoder.logits`."""

    def __init__(self, here):
        encode = tiny_model().tokenizer.encode
        slots = np.asarray(jax.vmap(here.env.slots, (0, None))(here.states, here.bank))
        texts = [here.env.template.render(row) for row in slots.tolist()]
        whole = [[encode(t + a + "\n") for a in here.env.action_texts] for t in texts]
        self.shape = len(texts), here.env.num_actions
        width = max(len(row) for rows in whole for row in rows)
        self.tokens = np.zeros((*self.shape, width), np.int32)
        self.answer = np.zeros((*self.shape, width - 1), bool)
        for i, rows in enumerate(whole):
            for j, row in enumerate(rows):
                self.tokens[i, j, : len(row)] = row
                self.answer[i, j, len(encode(texts[i])) - 1 : len(row) - 1] = True
        self.legal = here.legal

    def log_probs(self, weights):
        rows = jnp.asarray(self.tokens.reshape(-1, self.tokens.shape[-1]))
        nats = jax.nn.log_softmax(decoder.logits(tiny_model().config, weights, rows)[:, :-1])
        own = jnp.take_along_axis(nats, rows[:, 1:, None], axis=-1)[..., 0]
        scores = jnp.sum(own.reshape(self.answer.shape), axis=-1, where=self.answer)
        return jax.nn.log_softmax(jnp.where(self.legal, scores, -jnp.inf))


def weighed(log_probs, legal):
    """A sum of log-probabilities in which every one counts differently."""
    weights = np.random.default_rng(0).normal(size=legal.shape).astype(np.float32)
    return jnp.sum(jnp.where(legal, log_probs, 0.0) * weights)


@pytest.mark.parametrize("name", list(CASES)[1:])
def test_the_gradient_is_that_of_every_text_on_its_own(name):
    here, naive = case(name), Naive(case(name))

    def packed(weights):
        params = {**here.params, LANGUAGE_MODEL: weights}
        return weighed(here._judge(params, here.states, here.bank.instances)[0], here.legal)

    start = here.params[LANGUAGE_MODEL]
    both = [
        jax.jit(jax.value_and_grad(f), compiler_options=FAST_TO_COMPILE)
        for f in (packed, lambda weights: weighed(naive.log_probs(weights), here.legal))
    ]
    (value, found), (right_value, right) = (f(start) for f in both)
    np.testing.assert_allclose(value, right_value, rtol=1e-4, atol=1e-3)
    sizes = jax.tree.map(lambda x: float(jnp.max(jnp.abs(x))), right)
    assert min(jax.tree.leaves(sizes)) > 1e-3  # all weights matter
    jax.tree.map(
        lambda x, y, size: np.testing.assert_allclose(x, y, atol=3e-4 * size), found, right, sizes
    )
    # Finite differences, along the gradient and along directions at random.
    directions = [
        found,
        *(jax.tree.map(lambda x, s=s: jnp.sign(jnp.sin(s * x * 1e5)), start) for s in (1.0, 2.0)),
    ]
    for direction in directions:
        norm = jnp.sqrt(sum(jnp.sum(x * x) for x in jax.tree.leaves(direction)))
        unit, step = jax.tree.map(lambda x, n=norm: x / n, direction), 2e-3
        ends = [
            both[0](jax.tree.map(lambda w, d, s=s: w + s * d, start, unit))[0]
            for s in (step, -step)
        ]
        slope = sum(
            float(jnp.sum(x * y))
            for x, y in zip(jax.tree.leaves(found), jax.tree.leaves(unit), strict=True)
        )
        np.testing.assert_allclose((ends[0] - ends[1]) / (2 * step), slope, rtol=0.01, atol=0.2)


# -- learning --------------------------------------------------------------------------------------

# What is best does not depend on luck: one step, and rewards by action, or by place and action.
PLACES = TabularMDP(2, 3)
WORLD = PLACES.params_of([PROBES["by action"], PROBES["by both"]], max_steps=2)
CONFIG = PPOConfig(
    policy="tiny",
    num_envs=64,
    rollout_length=2,
    num_epochs=2,
    num_minibatches=2,
    normalize_advantages=False,
    learning_rate=1e-3,
    anneal_steps=120 * 64 * 2,
    entropy_coef=0.0,
)
POLICY = LanguagePolicy.of_model(tiny_model(), PLACES, WORLD)
PRIOR = LanguagePrior.of_model(tiny_model(), PLACES, WORLD)
TABLE = tabulate(degrade(PRIOR, epsilon=0.3), PLACES, WORLD, **PRIOR.settings)
DATA = Data(TABLE.params, WORLD, policy_params=POLICY.params)
ALGORITHM = ppo.make(CONFIG, PLACES, TABLE, POLICY)
# Run by run: without the prior, weighed against it, held by it.
ALPHAS, OWN = (0.0, 0.0, 0.5, 0.5, 100.0), (0, 1, 0, 1, 1)
UPDATES, CHUNK = 120, 3  # as many as `anneal_steps` says


def policy_of(state, run):
    """Probabilities `[2, A]` of a run in its two places."""
    params = jax.tree.map(lambda x: x[run], state.params)
    instance = state.run_instances[run]
    states = jax.vmap(lambda i: PLACES.state_at(instance[0], i, WORLD))(jnp.arange(2))
    actor = POLICY.actor_critic()
    judged = actor.apply(params, actor.prepare(params, instance, DATA), states, DATA)
    return np.exp(judged.log_probs), np.asarray(judged.value)


def start_with(runs):
    instances = jnp.array([[OWN[run]] for run in runs])
    alphas = [ALPHAS[run] for run in runs]
    return begin(ALGORITHM, CONFIG, DATA, runs, instances, alpha=alphas)


@pytest.fixture(scope="module")
def fresh():
    return start_with(range(5))


@pytest.fixture(scope="module")
def chunks(fresh):
    """After every CHUNK updates, `(state, metrics)`."""
    found = [(fresh, {})]
    for _ in range(UPDATES // CHUNK):
        found.append(trainer(ALGORITHM, CHUNK)(found[-1][0], DATA))
    return found[1:]


@pytest.fixture(scope="module")
def trained(chunks):
    metrics = [found for _, found in chunks]
    return chunks[-1][0], jax.tree.map(lambda *x: np.concatenate(x), *metrics)


@pytest.mark.parametrize("run", [0, 1])
def test_training_raises_the_return(fresh, trained, run):
    state, metrics = trained
    name = ("by action", "by both")[OWN[run]]
    places = sorted({int(place) for place in PROBES[name].starts})
    before, after = (policy_of(x, run)[0] for x in (fresh, state))
    gains = [np.sum(p * PROBES[name].reward, axis=-1)[places] for p in (before, after)]
    assert gains[1].min() > 0.9 > gains[0].min()
    assert np.mean(np.asarray(metrics["reward"])[-5:, run]) > 0.9 * 128


@pytest.mark.parametrize("run", [2, 3])
def test_with_a_prior_it_ends_where_the_two_are_weighed(trained, run):
    """π ∝ p exp(r / α): one step an episode."""
    state, _ = trained
    name = ("by action", "by both")[OWN[run]]
    right = np.exp(TABLE.table[OWN[run], :2]) * np.exp(PROBES[name].reward / ALPHAS[run])
    right /= right.sum(-1, keepdims=True)
    places = sorted({int(place) for place in PROBES[name].starts})
    found, value = policy_of(state, run)
    np.testing.assert_allclose(found[places], right[places], atol=0.08)
    expected = np.sum(found * PROBES[name].reward, axis=-1)
    np.testing.assert_allclose(value[places], expected[places], atol=0.2)


def test_a_large_alpha_keeps_it_at_the_prior(trained):
    state, metrics = trained
    found, _ = policy_of(state, 4)
    np.testing.assert_allclose(found, np.exp(TABLE.table[1, :2]), atol=0.03)
    assert metrics["kl"][-1, 4] < 1e-3 < 0.05 < metrics["kl"][0, 4]  # it was not there before


def test_runs_at_once_equal_each_alone(chunks):
    at_once, right = chunks[0]
    for run in (1, 3):
        alone, seen = trainer(ALGORITHM, CHUNK)(start_with([run]), DATA)
        jax.tree.map(
            lambda x, y, run=run: np.testing.assert_allclose(x[0], y[run], atol=2e-4),
            alone.params,
            at_once.params,
        )
        np.testing.assert_allclose(seen["reward"][:, 0], right["reward"][:, run])


# -- the compiled program --------------------------------------------------------------------------


def test_a_chunk_runs_without_the_host_and_weights_are_arguments():
    mesh = sharding.make_mesh(2)
    keys = jax.random.split(jax.random.key(0), 2)
    placed, data = sharding.place(mesh, (keys, CONFIG.hparams(2))), sharding.place(mesh, DATA)
    rows, width = tiny_model().config.vocab_size, tiny_model().config.hidden_size
    init = jax.jit(ALGORITHM.init).lower(*placed, data).compile().as_text() or ""
    state = sharding.spread(mesh, ALGORITHM.init(*placed, data))
    chunk = sharding.compile_chunk(ALGORITHM, mesh, 2, state, data)
    program = chunk.as_text() or ""  # pyright: ignore[reportFunctionMemberAccess]
    for text, shape in ((init, f"{rows},{width}"), (program, rf"\d,{rows},{width}")):
        assert text.count("\nENTRY ") == 1
        assert re.search(rf"f32\[{shape}\]\S* parameter\(", text)
        assert not re.search(rf"f32\[{shape}\]\S* constant\(", text)
        for call in CALLS_OF_THE_HOST:
            assert call not in text, call
    assert "while" in program


# -- what does not fit -----------------------------------------------------------------------------


@functools.cache
def other_vocabulary():
    from lm.conftest import _tokenizer

    tokenizer = _tokenizer("llama-3")
    config = DecoderConfig(len(tokenizer), 16, 24, 1, 2, 1, 8)
    model = tiny_model()._replace(
        config=config,
        params=decoder.init(jax.random.key(0), config),
        tokenizer=tokenizer,
        name="other",
    )
    return LanguagePrior.of_model(model, PLACES, WORLD)


def test_a_prior_of_another_vocabulary_is_refused():
    prior = other_vocabulary()
    table = tabulate(prior, PLACES, WORLD, **prior.settings)
    message = "policy 'tiny' has another vocabulary than the prior, .* 'other'; that model as"
    for wrong in (prior, table, degrade(table, epsilon=0.5), degrade(prior, adversarial=True)):
        with pytest.raises(InvalidInput, match=message):
            ppo.make(CONFIG, PLACES, wrong, POLICY)


def test_priors_of_its_own_vocabulary_and_of_no_model_fit():
    unknown = tabulate(other_vocabulary(), PLACES, WORLD)  # does not say whose it is
    for right in (None, UniformPrior(PLACES), PRIOR, TABLE, degrade(PRIOR, epsilon=0.5), unknown):
        fits = ppo.make(CONFIG, PLACES, right, POLICY)
        assert ("kl" in fits.means) == (right is not None)


def test_the_policy_is_of_the_kind_that_the_config_names():
    with pytest.raises(InvalidInput, match="the config's policy is 'network'"):
        ppo.make(PPOConfig(), PLACES, None, POLICY)
    with pytest.raises(InvalidInput, match="the config's policy is 'tiny'"):
        ppo.make(CONFIG, PLACES)
