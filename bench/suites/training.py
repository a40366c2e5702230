"""Training steps a second: DQN, DQN-Prior from a table, DQN-Prior asking the model at every step.

32 runs, one environment each, a 64-64 network, batch 64, one update a run for 10 steps a run; 8x8
maps, one a run. The table's making is not in its rate; the live model is asked for every step.
With a memory it has been asked about every state before.

And DQN beside what its updates must compute and move; see `training_floor`.

And DQN whose reward is shifted by a table of verdicts (LMGT), those that the same model's prior
implies. Beside DQN it looks up a row of verdicts a step and keeps one number a transition.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from tools import floor, training_floor
from tools.floor import Costs
from tools.timing import Contender, Measured, Ratio, compiled, race, ratio, rows

import lprl_jax
from lprl_jax import Data, LanguagePrior, UniformPrior, dqn, judges, tabulate
from lprl_jax.priors import memo

RUNS = 32
SHIFT = 0.1
"""What a verdict is worth, where there is a judge."""

ACTED = 4 + 4 + 1
"""Bytes of an action, a reward and whether it was the last."""
CONFIG = dqn.DQNConfig(
    num_envs=1, rollout_length=10, hidden_sizes=(64, 64), batch_size=64, buffer_size=10_000
)
"""Of every row, but for what it says otherwise."""


def training(
    env: Any, params: Any, prior: Any, num_updates: int, num_runs: int = RUNS, num_envs: int = 1,
    judge: Any = None, carry: Any = None, run_instances: Any = None,
) -> Contender:  # fmt: skip
    """`num_updates` updates of all runs, from the start; `carry` is what a prior remembers.

    Run r plays instance r, modulo their number, or its row of `run_instances [R, m]`.
    """
    # As many transitions as without environments side by side, but those of an update at the least.
    size = max(CONFIG.buffer_size // num_envs, CONFIG.rollout_length) * num_envs
    config = dataclasses.replace(CONFIG, num_envs=num_envs, buffer_size=size, shift_scale=SHIFT)
    algorithm = dqn.make(config, env, prior, judge)
    prior_params, judge_params = (() if x is None else x.params for x in (prior, judge))
    data = Data(prior_params, params, judge_params=judge_params)
    own = jnp.arange(num_runs, dtype=jnp.int32)[:, None] % params.instances.shape[0]
    runs = own if run_instances is None else run_instances
    keys = jax.random.split(jax.random.key(0), num_runs)
    state = algorithm.init(keys, config.hparams(num_runs), data, runs)
    state = state if carry is None else state._replace(prior_carry=carry)
    steps = num_updates * config.steps_per_update * num_runs
    # The state is copied, not used up, so that every repeat starts from the same one.
    return compiled(
        lambda state, data: algorithm.train(state, data, num_updates),
        state, data, amount=steps, unit="steps/s",
        note=f"R = {num_runs}, N = {num_envs}",
    )  # fmt: skip


def least(sizes: Sequence[int], env: Any, params: Any) -> Costs:
    """Of an update of one run."""
    state = env.state_at(0, 0, params)
    transition = 2 * sum(x.nbytes for x in jax.tree.leaves(state)) + ACTED
    return training_floor.dqn_update(sizes, CONFIG.rollout_length, CONFIG.batch_size, transition)


def _filled(prior: memo.MemoPrior, env: Any, params: Any) -> Any:
    """What a memory holds once every state of every instance was asked about, some at a time."""
    ask = jax.jit(prior.log_probs, donate_argnums=1)
    carry, every = prior.init(), jnp.ones(RUNS, bool)
    instances = jnp.arange(RUNS, dtype=jnp.int32)
    for _ in range(2):  # of new ones that share cells, some are kept the second time
        for index in range(env.num_states):
            of = jax.vmap(lambda m, i=index: env.state_at(m, i, params))(instances)
            _, carry = ask(prior.params, carry, of, params, every)
    return carry


def run(quick: bool) -> Measured:
    """Rows and ratios."""
    env, _ = lprl_jax.make(
        "FrozenLake-lprl", map_name="8x8", is_slippery=False, observation="index"
    )
    params = env.sample_params(jax.random.key(0), RUNS)
    one_map = env.sample_params(jax.random.key(0), 1)
    live = LanguagePrior.from_pretrained("embedded", env, params)
    table = tabulate(live, env, params)
    verdicts = judges.tabulate(judges.PriorJudge(table), env, params)
    remembered = memo.remember(dataclasses.replace(live, chunk=memo.CHUNK), env)
    updates = 100 if quick else 500
    contenders = {
        "training/dqn": training(env, params, None, updates),
        "training/dqn_prior_uniform": training(env, params, UniformPrior(env), updates),
        "training/dqn_prior_table": training(env, params, table, updates),
        "training/dqn_prior_memo": training(
            env, params, remembered, updates, carry=_filled(remembered, env, params)
        ),
        "training/dqn_lmgt_table": training(env, params, None, updates, judge=verdicts),
    }
    sizes = env.numbered_states, *CONFIG.hidden_sizes, env.num_actions
    flops, moved = least(sizes, env, params)
    costs = Costs(RUNS * updates * flops, RUNS * updates * moved)
    kept = RUNS * training_floor.KEPT * training_floor.FLOAT * training_floor.weights(sizes)
    contenders |= floor.contenders("training", kept)
    slow = {
        "training/dqn_prior_live_32_maps": training(env, params, live, 2),
        "training/dqn_prior_live_1_map": training(env, one_map, live.with_bank(one_map), 2),
    }
    seconds, slow_seconds = race(contenders, repeats=15), race(slow)
    ratios: dict[str, Ratio | None] = {
        "dqn_prior_table/dqn": ratio(
            contenders, seconds, "training/dqn_prior_table", "training/dqn"
        ),
        "dqn_prior_memo/dqn": ratio(contenders, seconds, "training/dqn_prior_memo", "training/dqn"),
        "training/fraction_of_floor": floor.share(
            costs, contenders, seconds, "training", "training/dqn"
        ),
        "training/lmgt_table/dqn": ratio(
            contenders, seconds, "training/dqn_lmgt_table", "training/dqn"
        ),
    }
    return rows(contenders, seconds) + rows(slow, slow_seconds), ratios
