"""SLINVIT: search in which a prior proposes, and a value estimator judges.

From a state, k actions a node become children, down to depth N; a path is scored by what its end is
worth and by how much the prior supports it,

    score = V(s_N) + α Σ_t p(a_t | s_t),

and the first action of the best path is executed, or the whole path; then the search starts anew,
until the instance is solved or its budget of actions is used up. The environment's exact law is the
model. Thousands of instances are searched in one program.

With the environment's heuristic in the prior's place it is a plain beam of that heuristic: what a
prior has to be better than.

Reference: Zhang et al. 2024, How Can LLM Guide RL? A Value-Based Approach, arXiv 2402.16181, sec. 4.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
from lprl_envs import InvalidInput

from lprl_jax.algorithms import asking, leaf_values, search_tree
from lprl_jax.algorithms.base import Data, Env
from lprl_jax.algorithms.search_tree import Cost, Path
from lprl_jax.algorithms.slinvit_config import HParams, SLINVITConfig
from lprl_jax.priors.base import Counters, Prior


class Outcome(NamedTuple):
    """What came of B instances."""

    solved: jax.Array
    """bool[B]: by the environment itself, within the budget."""
    length: jax.Array
    """i32[B]: actions executed."""
    cost: Cost
    """Of all searches of an instance."""
    prior_carry: Counters
    """What the prior was asked, about all of them."""


@dataclasses.dataclass(frozen=True, eq=False)
class Search:
    """Pure functions over B instances at once."""

    plan: Callable[..., tuple[Path, Cost, Counters]]
    """`(key, states [B], searches bool[B], hparams [B], data, carry) -> (path, cost, carry)`: one
    search from every state, where there is to be one."""
    solve: Callable[..., Outcome]
    """`(key, instances i32[B], budgets i32[B], hparams [B], data) -> outcome`: search and execute,
    by turns. The environment's time limit holds as well."""
    init: Callable[[], Counters]
    """The carry of a prior that was asked nothing."""


def make(config: SLINVITConfig, env: Env, prior: Prior | None = None) -> Search:
    """SLINVIT on an environment.

    Args:
        config: Settings.
        env: The environment, whose law leaves nothing to chance.
        prior: Proposes, if the config says so, and supports paths; None where nothing asks it.

    Returns:
        `Search`, whose `data` is `Data(prior.params, env_params)`, or `Data((), env_params)`.

    Raises:
        InvalidInput: if the law has chance in it, or something is lacking: heuristic or prior.
    """
    require_fit(config, env, prior is not None)
    asker = asking.of(prior)
    propose = {
        "draws": search_tree.draws(config.k),
        "best": search_tree.best(config.k),
        "heuristic": search_tree.by_heuristic(env, config.k),
    }[config.proposals]
    grow = search_tree.growth(env, asker, propose, config.gamma)
    value = leaf_values.rollouts(
        env, asker, config.num_rollouts, config.rollout_length, config.gamma
    )
    if config.value == "heuristic":
        is_known = config.proposals == "heuristic"
        value = leaf_values.known() if is_known else leaf_values.heuristic(env)

    def plan(
        key: chex.PRNGKey,
        states: Any,
        searches: jax.Array,
        hparams: HParams,
        data: Data,
        carry: Counters,
    ) -> tuple[Path, Cost, Counters]:
        """One search from each of B states."""
        *keys, key_value = jax.random.split(key, config.depth + 1)
        levels, cost = [search_tree.roots(states, searches)], Cost.zero(searches.shape[0])
        for key_level in keys:
            level, more, carry = grow(key_level, levels[-1], data, carry)
            levels.append(level)
            cost = jax.tree.map(jnp.add, cost, more)
        leaves = levels[-1]
        values, valuations, carry = value(key_value, leaves, data, carry)
        score = values + hparams.alpha[:, None] * leaves.support
        cost = cost._replace(valuations=cost.valuations + valuations)
        return search_tree.best_path(levels[1:], score), cost, carry

    def solved(states: Any, data: Data) -> jax.Array:
        return jax.vmap(env.is_solved, in_axes=(0, None))(states, data.env_params)

    def execute(
        key: chex.PRNGKey, states: Any, action: jax.Array, acts: jax.Array, data: Data
    ) -> tuple[Any, jax.Array]:
        """The states `[B]` after one action where `acts`, and which episodes ended by it."""
        keys = jax.random.split(key, acts.shape[0])
        _, after, _, terminated, _ = jax.vmap(env.step_env, in_axes=(0, 0, 0, None))(
            keys, states, action, data.env_params
        )

        def choose(new: jax.Array, old: jax.Array) -> jax.Array:
            return jnp.where(acts.reshape(-1, *[1] * (new.ndim - 1)), new, old)

        return jax.tree.map(choose, after, states), acts & terminated

    def solve(
        key: chex.PRNGKey, instances: jax.Array, budgets: jax.Array, hparams: HParams, data: Data
    ) -> Outcome:
        """Search and execute, by turns, until every instance is solved, dead or out of budget."""
        key, key_start = jax.random.split(key)
        starts = jax.random.split(key_start, instances.shape[0])
        states = jax.vmap(env.initial_state, in_axes=(0, 0, None))(
            starts, instances, data.env_params
        )
        budgets = jnp.minimum(budgets, data.env_params.max_steps_in_episode)
        none = jnp.zeros(instances.shape, jnp.int32)

        def turn(loop: tuple[Any, ...]) -> tuple[Any, ...]:
            key, states, playing, length, cost, carry = loop
            key, key_plan, *keys = jax.random.split(key, 2 + reach)
            path, more, carry = plan(key_plan, states, playing, hparams, data, carry)
            cost = jax.tree.map(jnp.add, cost, more)
            for i, key_step in enumerate(keys):
                acts = playing & (i < path.length)
                states, ended = execute(key_step, states, path.action[:, i], acts, data)
                length += acts
                playing &= ~ended & ~solved(states, data) & (length < budgets)
            return key, states, playing, length, cost, carry

        reach = config.depth if config.execute == "path" else 1
        playing = ~solved(states, data) & (budgets > 0)
        start = key, states, playing, none, Cost.zero(instances.size), asker.init()
        _, states, _, length, cost, carry = jax.lax.while_loop(
            lambda loop: jnp.any(loop[2]), turn, start
        )
        return Outcome(solved(states, data), length, cost, carry)

    return Search(plan, solve, asker.init)


def require_fit(config: SLINVITConfig, env: Env, has_prior: bool) -> None:
    """Raise InvalidInput unless environment and prior have what the settings need."""
    if not has_prior:
        needs = {
            f"proposals={config.proposals}": config.proposals != "heuristic",
            f"value={config.value}": config.value == "rollouts",
            f"alpha={config.alpha:g}": config.alpha > 0,
        }
        lacking = [setting for setting, needs_prior in needs.items() if needs_prior]
        if lacking:
            raise InvalidInput(
                f"{', '.join(lacking)}, but prior is none; name a prior, or set "
                "proposals=heuristic value=heuristic alpha=0"
            )

    def law() -> Any:
        params = env.default_params
        state = env.initial_state(jax.random.key(0), jnp.int32(0), params)
        if "heuristic" in (config.proposals, config.value):
            env.heuristic(state, params)
        return env.transitions(state, jnp.int32(0), params)

    num_outcomes = jax.eval_shape(law)[0].shape[0]
    if num_outcomes > 1:
        raise InvalidInput(
            f"{env.name}'s law has {num_outcomes} outcomes; the search needs one without chance"
        )
