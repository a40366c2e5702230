"""Training steps a second of policies: PPO, KL-PPO from a table, GFlan-Prior.

The networks are 64-64 and read 8x8 maps, 32 runs with one each; the prior is a table, whose making
is not in the rate. GFlan-Prior's policy is the embedded model, one run of 16 maps of 4x4: there all
of the arithmetic is the model's, forwards in acting and forwards and backwards in learning, and its
row says how much of it a second.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from tools.timing import Contender, Measured, Ratio, compiled, race, ratio, rows

import lprl_jax
from lprl_jax import Data, LanguagePrior, ppo, tabulate
from lprl_jax.algorithms.policy_based.language_policy import LanguagePolicy
from lprl_jax.algorithms.policy_based.ppo_config import PPOConfig
from lprl_jax.lm.scoring import Trie

RUNS, MAPS, MATRIX = 32, 16, 2048
NETWORK = PPOConfig(num_envs=8, rollout_length=16, gamma=0.97)
MODEL = PPOConfig(
    policy="embedded",
    num_envs=16,
    rollout_length=16,
    num_epochs=2,
    num_minibatches=2,
    learning_rate=1e-4,
    entropy_coef=0.0,
)


def training(
    config: PPOConfig, env: Any, prior: Any, params: Any, runs: jax.Array, updates: int, note: str,
    policy: LanguagePolicy | None = None,
) -> Contender:  # fmt: skip
    """`updates` updates of all runs, `runs i32[R, m]`."""
    algorithm = ppo.make(config, env, prior, policy)
    prior_params, policy_params = (() if x is None else x.params for x in (prior, policy))
    data = Data(prior_params, params, policy_params=policy_params)
    keys = jax.random.split(jax.random.key(0), len(runs))
    state = algorithm.init(keys, config.hparams(len(runs)), data, runs)
    # The state is copied, not used up, so that every repeat starts from the same one.
    return compiled(
        lambda state, data: algorithm.train(state, data, updates),
        state, data, amount=updates * config.steps_per_update * len(runs), unit="steps/s",
        note=note,
    )  # fmt: skip


def run(quick: bool) -> Measured:
    """Rows and ratios."""
    env, _ = lprl_jax.make(
        "FrozenLake-lprl", map_name="8x8", is_slippery=False, observation="index"
    )
    params = env.sample_params(jax.random.key(0), RUNS)
    table = tabulate(LanguagePrior.from_pretrained("embedded", env, params), env, params)
    own, updates = jnp.arange(RUNS, dtype=jnp.int32)[:, None], 20 if quick else 100
    sampled = dataclasses.replace(NETWORK, k=5)
    note = f"R = {RUNS}, N = {NETWORK.num_envs}, T = {NETWORK.rollout_length}"
    contenders = {
        "training/ppo_32_maps": training(NETWORK, env, None, params, own, updates, note),
        "training/kl_ppo_table": training(NETWORK, env, table, params, own, updates, note),
        "training/kl_ppo_table/k5": training(sampled, env, table, params, own, updates, note),
    }
    seconds = race(contenders, repeats=15)
    ratios: dict[str, Ratio | None] = {
        "kl_ppo_table/ppo": ratio(
            contenders, seconds, "training/kl_ppo_table", "training/ppo_32_maps"
        )
    }
    model_rows, model_ratios = gflan(quick)
    return rows(contenders, seconds) + model_rows, ratios | model_ratios


def gflan(quick: bool) -> Measured:
    """GFlan-Prior's rows, and which part of the matrix products' own rate it reaches."""
    env, _ = lprl_jax.make("FrozenLake-lprl", map_name="4x4", is_slippery=False)
    params = env.sample_params(jax.random.key(0), MAPS)
    prior = tabulate(LanguagePrior.from_pretrained("embedded", env, params), env, params)
    policy = LanguagePolicy.from_pretrained("embedded", env, params)
    runs, updates = jnp.arange(MAPS, dtype=jnp.int32)[None], 1 if quick else 3
    flops = updates * _flops(policy) / 1e9
    note = (
        f"N = {MODEL.num_envs}, T = {MODEL.rollout_length}; {flops / updates:.0f} GFLOP an update"
    )
    square = jax.random.normal(jax.random.key(0), (MATRIX, MATRIX))
    contenders = {
        "training/gflan": training(MODEL, env, prior, params, runs, updates, note, policy),
        "training/gflan_matmul": compiled(
            jnp.matmul, square, square, amount=2 * MATRIX**3 / 1e9, unit="GFLOP/s"
        ),
    }
    seconds = race(contenders)
    as_flops = {
        **contenders,
        "training/gflan": dataclasses.replace(contenders["training/gflan"], amount=flops),
    }
    part = ratio(as_flops, seconds, "training/gflan", "training/gflan_matmul")
    return rows(contenders, seconds), {"gflan/fraction_of_floor": part}


def _flops(policy: LanguagePolicy) -> float:
    """Of an update of one run: what the layers' matrices need; no attention, no vocabulary."""
    c, scorer = policy.scorer.config, policy.scorer
    attention = 4 * c.hidden_size * c.num_attention_heads * c.head_dim
    weights = c.num_hidden_layers * (attention + 3 * c.hidden_size * c.intermediate_size)
    assert isinstance(scorer.answers, Trie)
    state = len(scorer.table.suffix.slot) + len(scorer.answers.tokens)
    texts, steps = policy.params.tokens.size, MODEL.steps_per_update
    acted = texts + steps * state
    learnt = MODEL.num_epochs * (MODEL.num_minibatches * texts + steps * state)
    return 2.0 * weights * (acted + 3 * learnt)
