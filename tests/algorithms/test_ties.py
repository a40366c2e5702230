"""Prior, environment, bank, model and arguments belong together, in every algorithm.

What is refused is refused before anything is compiled, so that nothing here compiles a learner.
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lprl_envs import BlocksWorld, FrozenLake, InvalidInput
from priors.tiny import tiny_model

from lprl_jax.algorithms import prior_only
from lprl_jax.algorithms.base import Algorithm, Data
from lprl_jax.algorithms.policy_based import ppo
from lprl_jax.algorithms.policy_based.language_policy import LanguagePolicy
from lprl_jax.algorithms.search import slinvit
from lprl_jax.algorithms.tabular import linvit
from lprl_jax.algorithms.ties import Ties
from lprl_jax.algorithms.value_based import bc, cql, dqn
from lprl_jax.datasets.collect import at_random, collect
from lprl_jax.lm import identity
from lprl_jax.priors import (
    EncodedPrior,
    LanguagePrior,
    TabularPrior,
    UniformPrior,
    degrade,
    fingerprint,
    tabulate,
)

LAKE, SLIPPERY, LARGE = FrozenLake(is_slippery=False), FrozenLake(), FrozenLake("8x8", False)
MAPS = [
    ["SFFF", "FHFH", "FFFH", "HFFG"],
    ["FFFS", "FFFF", "GFHF", "FFFF"],
    ["FFFS", "FFFF", "FFHF", "FFFG"],
]
BANK, TURNED, LONGER = LAKE.params_of(MAPS[:2]), LAKE.params_of(MAPS[1::-1]), LAKE.params_of(MAPS)
R = 3
KEYS = jax.random.split(jax.random.key(0), R)
ROWS = jax.nn.log_softmax(jax.random.normal(jax.random.key(1), (2, 16, 4)))


def table_of(env=LAKE, params=BANK, model: str = "a" * 64, name: str = "one") -> TabularPrior:
    made_for = fingerprint.of(env, params, model, name)
    return TabularPrior(env, ROWS, name, 5, {}, made_for)


TABLE = table_of()
MAKE = {
    "dqn": (dqn.make, dqn.DQNConfig(k=2)),
    "cql": (cql.make, cql.CQLConfig(k=2)),
    "ppo": (ppo.make, ppo.PPOConfig()),
    "linvit": (linvit.make, linvit.LINVITConfig(horizon=4)),
    "prior_only": (prior_only.make, prior_only.PriorOnlyConfig()),
}
every_algorithm = pytest.mark.parametrize("name", list(MAKE))
BANKS = r"a bank of 2 instances \(\w{8}\), and here is a bank of "


@functools.cache
def algorithm(name: str) -> Algorithm:
    make, config = MAKE[name]
    return make(config, LAKE, TABLE)


def init(name: str, data: Any, keys: Any = KEYS, hparams: Any = None, **more: Any) -> Any:
    own = MAKE[name][1].hparams(R) if hparams is None else hparams
    return algorithm(name).init(keys, own, data, **more)


def refused(message: str):
    return pytest.raises(InvalidInput, match=f"^{message}")


# -- the prior's parameters ----------------------------------------------------------------------


@every_algorithm
def test_a_table_of_another_bank(name):
    for params, size in ((TURNED, 2), (LONGER, 3)):
        with refused(f"the prior 'one' was made for {BANKS}{size} instances"):
            init(name, Data(TABLE.params, params))
        with refused(f"the prior 'one' was made for {BANKS}{size} instances"):
            init(name, Data(degrade(TABLE, epsilon=0.5).params, params))


@every_algorithm
def test_a_prior_of_another_environment(name):
    make, config = MAKE[name]
    with refused(r"the prior 'one' was made for .*is_slippery=False.*here is .*is_slippery=True"):
        make(config, SLIPPERY, TABLE)
    with refused(r"the prior .* was made for .*map_name='4x4'.*, and here is .*map_name='8x8'"):
        make(config, LARGE, degrade(TABLE, temperature=2.0))
    with refused("the prior 'uniform' was made for FrozenLake-lprl .*here is FrozenLake-lprl"):
        make(config, LARGE, UniformPrior(LAKE))
    with refused("the prior 'uniform' was made for FrozenLake-lprl .*here is BlocksWorld-lprl"):
        make(config, BlocksWorld(3), UniformPrior(LAKE))
    with refused("the prior 'one' was made for .*is_slippery=True"):
        init(name, Data(table_of(SLIPPERY).params, BANK))


@every_algorithm
def test_a_table_of_another_model(name):
    other = table_of(model="b" * 64, name="another")
    with refused(
        r"the parameters of the prior 'one' are of the model 'another' \(bbbbbbbb\), and the "
        r"algorithm was made with the model 'one' \(aaaaaaaa\)"
    ):
        init(name, Data(other.params, BANK))


@every_algorithm
def test_a_bank_of_another_environment(name):
    with refused(r"an instance of the bank is tiles int32\[64\].*whose instances are tiles int32"):
        init(name, Data(TABLE.params, LARGE.default_params))
    with refused("Data's second field, env_params, is lprl_envs.blocks_world.*right: parameters"):
        init(name, Data(TABLE.params, BlocksWorld(3).default_params))


@every_algorithm
def test_a_table_by_hand_of_another_shape(name):
    by_hand = TabularPrior(LAKE, ROWS[:1], "one", 0)
    with refused(r"the table of the prior 'one' is \[1, 16, 4\].*right: \[2, 16, 4\]"):
        init(name, Data(by_hand.params, BANK))


@every_algorithm
def test_data_of_another_kind(name):
    for found, shown in ((None, "None"), ((), r"\(\)"), (ROWS, r"float32\[2, 16, 4\]")):
        with refused(f"Data's prior_params are {shown}, and those of the prior 'one' are Table"):
            init(name, Data(found, BANK))
    with refused("Data's first field, prior_params, is the parameters of an environment; right"):
        init(name, Data(BANK, TABLE.params))
    with refused("Data's second field, env_params, is None"):
        init(name, Data(TABLE.params, None))
    for data, shown in (((TABLE.params, BANK), "a tuple of Table, EnvParams"), ((), r"\(\)")):
        with refused(f"data is {shown}; right: Data"):
            init(name, data)


def test_parameters_that_nobody_asks_for():
    make = bc.make(bc.BCConfig(), LAKE)
    with refused("Data's prior_params are Table.*the algorithm was made with prior None"):
        make.init(KEYS, bc.BCConfig().hparams(R), Data(TABLE.params, BANK))


def test_instances_that_are_not_there():
    params = dataclasses.replace(BANK, instances=jnp.array([0, 2]))
    with refused("env_params.instances name the instance 2 of a bank of 2"):
        init("dqn", Data(TABLE.params, params))


def test_a_search():
    env, k, data = BlocksWorld(3), 2, None
    config = slinvit.SLINVITConfig(depth=1, k=k, proposals="best")
    banks = [env.sample_params(jax.random.key(i), 2) for i in range(2)]
    uniform = tabulate(UniformPrior(env), env, banks[0])
    search = slinvit.make(config, env, uniform)
    data, rows, budgets = Data(uniform.params, banks[0]), jnp.array([0, 1]), jnp.array([5, 5])
    hparams = config.hparams(2)
    with refused(f"the prior 'uniform' was made for {BANKS}2"):
        search.solve(KEYS[0], rows, budgets, hparams, Data(uniform.params, banks[1]))
    with refused(f"the prior 'uniform' was made for {BANKS}2"):
        search.plan(KEYS[0], None, rows > 0, hparams, data._replace(env_params=banks[1]), None)
    with refused("instances name the instance 2 of a bank of 2"):
        search.solve(KEYS[0], rows + 1, budgets, hparams, data)
    with refused(r"budgets are int32\[1\]; right: int32\[2\]"):
        search.solve(KEYS[0], rows, budgets[:1], hparams, data)
    with refused(r"hparams.alpha is float32\[2\], and there are 1 instances"):
        search.solve(KEYS[0], rows[:1], budgets[:1], hparams, data)
    with refused(r"key is key<fry>\[3\]; right: one key"):
        search.solve(KEYS, rows, budgets, hparams, data)


# -- language models -----------------------------------------------------------------------------


@functools.cache
def language(seed: int = 0) -> LanguagePrior:
    """Models of one shape."""
    model = tiny_model()
    moved = jax.tree.map(lambda x: x + seed, model.params)
    return LanguagePrior.of_model(model._replace(params=moved, name=f"model-{seed}"), LAKE, BANK)


def test_a_language_model_of_another_bank_or_model():
    config = dqn.DQNConfig(k=2)
    made = dqn.make(config, LAKE, language())
    with refused(f"the prior 'model-0' was made for {BANKS}3"):
        made.init(KEYS, config.hparams(R), Data(language().params, LONGER))
    with refused("the parameters of the prior 'model-0' are of the model 'model-1'"):
        made.init(KEYS, config.hparams(R), Data(language(1).params, BANK))
    with refused("the prior 'model-0' was made for .*is_slippery=False"):
        dqn.make(config, SLIPPERY, language())
    # The same model for another bank goes with it; so does a copy of it.
    ties = Ties(LAKE, language())
    ties.data(Data(language().with_bank(LONGER).params, LONGER))
    copied = jax.tree.map(lambda x: jnp.array(np.array(x)), language().params)
    ties.data(Data(copied, BANK))


def test_a_table_says_whose_it_is():
    with refused(f"the prior 'model-0' was made for {BANKS}3"):
        tabulate(language(), LAKE, LONGER)
    with refused("the prior 'model-0' was made for .*is_slippery=False"):
        tabulate(language(), SLIPPERY, BANK)
    table = tabulate(language(), LAKE, BANK)
    right = identity.of_model(language().model)[:32]
    assert fingerprint.models_of(table.params) == (right,)
    assert fingerprint.models_of(degrade(table, epsilon=0.5).params) == (right,)


def test_a_policy_of_another_bank_or_model():
    config = ppo.PPOConfig(policy="model-0")
    policies = [LanguagePolicy.of_model(language(i).model, LAKE, BANK) for i in range(2)]
    made = ppo.make(config, LAKE, None, policies[0])
    hparams, data = config.hparams(R), Data((), BANK, policy_params=policies[0].params)
    with refused(f"the policy 'model-0' was made for {BANKS}3"):
        made.init(KEYS, hparams, data._replace(env_params=LONGER))
    with refused("the parameters of the policy 'model-0' are of the model 'model-1'"):
        made.init(KEYS, hparams, data._replace(policy_params=policies[1].params))
    with refused(r"Data's policy_params are \(\), and those of the policy 'model-0' are Language"):
        made.init(KEYS, hparams, Data((), BANK))
    with refused("the policy 'model-0' was made for .*is_slippery=False"):
        ppo.make(config, SLIPPERY, None, policies[0])


@dataclasses.dataclass(frozen=True)
class Positions:
    """Features of a state and an action: where the state is."""

    env: FrozenLake
    params: jax.Array
    num_features: int = 1

    def encode(self, params, env_state, env_params):
        return params[env_state.position][:, None, None] * jnp.ones((1, 4, 1))


def test_an_encoder_of_another_environment_or_model():
    one = EncodedPrior(TABLE, Positions(LAKE, jnp.arange(16.0)))
    config = dqn.DQNConfig(q_input="features", k=2)
    made = dqn.make(config, LAKE, one)
    other = EncodedPrior(TABLE, Positions(LAKE, jnp.ones(16)))
    with refused("the parameters of the prior 'one' are of a model .*made with a model"):
        made.init(KEYS, config.hparams(R), Data(other.params, BANK))
    with refused("the prior 'one' was made for .*map_name='8x8'"):
        dqn.make(config, LAKE, EncodedPrior(TABLE, Positions(LARGE, jnp.ones(16))))
    Ties(LAKE, one).data(Data(one.params, BANK))


# -- arguments -----------------------------------------------------------------------------------

DATA = Data(TABLE.params, BANK)


@every_algorithm
def test_keys(name):
    for keys, shown in (
        (jax.random.key(0), "one key"),
        (jax.random.key_data(KEYS), r"uint32\[3, 2\]"),
        (jax.random.split(KEYS[0], (3, 2)), r"key<fry>\[3, 2\]"),
        (0, "0, an int"),
        (None, "None"),
    ):
        with refused(f"keys are {shown}; right: a key a run, jax.random.split"):
            init(name, DATA, keys)


@every_algorithm
def test_hparams(name):
    config = MAKE[name][1]
    for found in (4, None, {"alpha": 0.1}, config, bc.BCConfig().hparams(3)):
        with pytest.raises(InvalidInput, match=r"^hparams are .*; right: config\.hparams\(3\)"):
            algorithm(name).init(KEYS, found, DATA)
    if config.hparams(1):
        with refused(r"hparams\.\w+ is float32\[4\], and there are 3 runs; right: config\.hparams"):
            init(name, DATA, hparams=config.hparams(4))
        with refused(r"hparams\.\w+ is 0\.5, a float, and there are 3 runs"):
            own = config.hparams(3)
            init(name, DATA, hparams=own._replace(**{own._fields[0]: 0.5}))


@every_algorithm
def test_run_instances(name):
    for found, shown in (
        (jnp.zeros(3, jnp.int32), r"are int32\[3\]"),
        (jnp.zeros((4, 1), jnp.int32), r"are int32\[4, 1\]"),
        (jnp.zeros((3, 0), jnp.int32), r"are int32\[3, 0\]"),
        (jnp.zeros((3, 1)), r"are float32\[3, 1\]"),
        (jnp.ones((3, 1), bool), r"are bool\[3, 1\]"),
        ("all", "are 'all', a str"),
        (jnp.arange(3)[:, None], "name the instance 2 of a bank of 2"),
        (-jnp.arange(3)[:, None], "name the instance -2 of a bank of 2"),
    ):
        with refused(rf"run_instances {shown}; right: int32\[3, m\], each in 0 to 1"):
            init(name, DATA, run_instances=found)


@every_algorithm
@pytest.mark.parametrize(
    "prior", ["embedded", UniformPrior, LanguagePrior, 3, ROWS, {"name": "embedded"}], ids=str
)
def test_what_is_no_prior(name, prior):
    make, config = MAKE[name]
    with refused("prior is .*; right: None, or a prior"):
        make(config, LAKE, prior)


def test_what_is_no_environment_or_no_config():
    with refused("env is a tuple of FrozenLake, EnvParams; right: an environment, the first"):
        dqn.make(dqn.DQNConfig(), (LAKE, BANK), TABLE)  # pyright: ignore
    with refused("env is 'FrozenLake-lprl', a str"):
        dqn.make(dqn.DQNConfig(), "FrozenLake-lprl", TABLE)  # pyright: ignore
    for found, shown in ((ppo.PPOConfig(), "a PPOConfig"), (dqn.DQNConfig, "the class DQNConfig")):
        with refused(f"config is {shown}; right: DQNConfig"):
            dqn.make(found, LAKE, TABLE)  # pyright: ignore


@pytest.fixture(scope="module")
def state():
    return init("prior_only", DATA)


def test_a_learner_that_was_begun(state):
    made = algorithm("prior_only")
    for count, shown in ((-5, "-5"), (0, "0"), (2.0, "2.0, a float"), (True, "True, a bool")):
        with refused(f"num_updates is {shown}; it must be a whole number, 1 or more"):
            made.train(state, DATA, count)  # pyright: ignore
        with refused(f"num_episodes is {shown}; it must be a whole number, 1 or more"):
            made.evaluate(state, DATA, count)
    other = Data(TABLE.params, TURNED)
    for call in (lambda: made.train(state, other, 1), lambda: made.evaluate(state, other, 1)):
        with refused("the prior 'one' was made for a bank"):
            call()
    with refused("the prior 'one' was made for a bank"):
        made.restart(state, other)
    with refused(r"run_instances are int32\[2, 1\]"):
        made.restart(state, DATA, jnp.zeros((2, 1), jnp.int32))
    with refused("state is PriorOnlyState.*; right: what init, restart or train"):
        algorithm("ppo").evaluate(state, DATA, 1)
    with refused(r"state is \(\); right"):
        made.evaluate((), DATA, 1)


def test_evaluation_in_a_smaller_bank(state):
    one = LAKE.params_of(MAPS[:1])
    table = TabularPrior(LAKE, ROWS[:1], "one", 5, {}, fingerprint.of(LAKE, one, "a" * 64))
    with refused("run_instances name the instance 1 of a bank of 1"):
        algorithm("prior_only").evaluate(state, Data(table.params, one), 1)


def test_who_asks_nobody_plays_without_the_prior():
    made, config = algorithm("linvit"), linvit.LINVITConfig(horizon=4)
    state = init("prior_only", DATA)._replace(hparams=config.hparams(R))
    with refused("unknown policy 'none'"):  # which is looked at last
        made.evaluate(state, Data((), BANK), 1, "none")
    with refused(r"Data's prior_params are \(\)"):
        made.train(state, Data((), BANK), 1)


def test_learning_from_no_data():
    config = cql.CQLConfig(k=2)
    own = config.hparams(R)
    state = init("prior_only", DATA)._replace(hparams=own)
    with refused("the algorithm learns from a dataset, and Data's is none; right"):
        algorithm("cql").train(state, DATA, 1)


def test_collecting():
    run = functools.partial(collect, LAKE, TABLE, [at_random()], [1.0])
    every = jnp.zeros((R, 1), jnp.int32)
    with refused("the prior 'one' was made for a bank"):
        run(KEYS, Data(TABLE.params, LONGER), every, 4)
    with refused("run_instances name the instance 2"):
        run(KEYS, DATA, every + 2, 4)
    with refused("keys are one key"):
        run(KEYS[0], DATA, every, 4)


# -- what it costs -------------------------------------------------------------------------------


def test_what_was_checked_is_not_read_again(monkeypatch):
    ties, seen = Ties(LAKE, TABLE), []
    monkeypatch.setattr(fingerprint, "require", lambda *given: seen.append(given))
    for _ in range(3):
        ties.data(DATA)
    assert len(seen) == 1
    ties.data(DATA._replace(env_params=dataclasses.replace(BANK, bank=TURNED.bank)))
    assert len(seen) == 2


def test_inside_a_trace_only_shapes_are_looked_at():
    make = algorithm("prior_only")
    own = prior_only.HParams()
    jax.eval_shape(lambda data: make.init(KEYS, own, data), Data(TABLE.params, TURNED))
    with refused(r"the table of the prior 'one' is \[2, 16, 4\]"):
        jax.eval_shape(lambda data: make.init(KEYS, own, data), Data(TABLE.params, LONGER))


def test_another_bank_compiles_nothing():
    traces = []

    @jax.jit
    def look(params):
        traces.append(params)
        return params.log_probs[0, 0]

    look(TABLE.params)
    look(table_of(params=TURNED, model="c" * 64).params)
    assert len(traces) == 1
