"""SLINVIT: search in which a prior proposes, and a value estimator judges.

From a state, k actions a node become children, down to depth N; a path is scored by what its end is
worth and by how much the prior supports it,

    score = V(s_N) + α Σ_t p(a_t | s_t),

and the first action of the best path is executed, or the whole path; then the search starts anew,
until the instance is solved or its budget of actions is used up. The environment's exact law is the
model. Thousands of instances are searched in one program.

With the environment's heuristic in the prior's place it is a plain beam of that heuristic: what a
prior has to be better than.

Reference: Zhang et al. 2024, How Can LLM Guide RL? A Value-Based Approach, arXiv 2402.16181.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
from lprl_envs import InvalidInput

from lprl_jax.algorithms import arguments, asking
from lprl_jax.algorithms.base import Data, Env
from lprl_jax.algorithms.checked import checked
from lprl_jax.algorithms.search import leaf_values, proposals, tree
from lprl_jax.algorithms.search.levels import if_any
from lprl_jax.algorithms.search.slinvit_config import HParams, SLINVITConfig
from lprl_jax.algorithms.search.tree import Cost, Path
from lprl_jax.algorithms.ties import Ties, size_of
from lprl_jax.priors.base import Counters, Prior

IDLE = 0.2
"""Lanes that are done wait until they are this share of all; then all of them are refilled."""


class Lanes(NamedTuple):
    """Instances that are searched at the same time; the next take the places of those done."""

    row: jax.Array
    """i32[L]: which of the B rows; B where there are no more."""
    state: Any
    """Leaves [..., L]"""
    hparams: HParams
    """Leaves [L]"""
    budget: jax.Array
    """i32[L]"""
    playing: jax.Array
    """bool[L]"""
    length: jax.Array
    """i32[L]: actions executed."""
    cost: Cost
    """Leaves [L]"""


class Outcome(NamedTuple):
    """What came of B instances."""

    solved: jax.Array
    """bool[B]: by the environment itself, within the budget."""
    length: jax.Array
    """i32[B]: actions executed."""
    cost: Cost
    """Of all searches of an instance."""
    prior_carry: Counters
    """What the prior was asked, about all of them; over devices one a share, `[D]`."""


@dataclasses.dataclass(frozen=True, eq=False)
class Search:
    """Pure functions over B instances at once."""

    plan: Callable[..., tuple[Path, Cost, Counters]]
    """`(key, states [B, ...], searches bool[B], hparams [B], data, carry) -> (path, cost, carry)`:
    one search from every state, where there is to be one."""
    solve: Callable[..., Outcome]
    """`(key, instances i32[B], budgets i32[B], hparams [B], data) -> outcome`: search and execute,
    by turns. The environment's time limit holds as well."""
    init: Callable[[], Counters]
    """The carry of a prior that was asked nothing."""


def _checked(search: Search, kind: type[HParams], ties: Ties) -> Search:
    """The same search, whose functions check what they are given."""

    def plan(
        key: chex.PRNGKey, states: Any, searches: Any, hparams: HParams, data: Data, carry: Counters
    ) -> tuple[Path, Cost, Counters]:
        arguments.require_key(key)
        ties.data(data)
        arguments.require_hparams(hparams, kind, len(searches), "rows")
        return search.plan(key, states, searches, hparams, data, carry)

    def solve(
        key: chex.PRNGKey, instances: Any, budgets: Any, hparams: HParams, data: Data
    ) -> Outcome:
        arguments.require_key(key)
        ties.data(data)
        size = size_of(data.env_params)
        arguments.require_instances("instances", instances, ("B",), size)
        count = instances.shape[0]
        if jnp.shape(budgets) != (count,) or not jnp.issubdtype(budgets.dtype, jnp.integer):
            raise InvalidInput(
                f"budgets are {arguments.described(budgets)}; right: int32[{count}], actions in "
                "which each of the instances must be solved"
            )
        arguments.require_hparams(hparams, kind, count, "instances")
        return search.solve(key, instances, budgets, hparams, data)

    return dataclasses.replace(search, plan=plan, solve=solve)


@checked(SLINVITConfig, _checked)
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
        "draws": proposals.draws(config.k),
        "best": proposals.best(config.k),
        "heuristic": proposals.by_heuristic(env, config.k),
    }[config.proposals]
    grow = tree.growth(env, asker, propose, config.gamma)
    value = leaf_values.rollouts(
        env, asker, config.num_rollouts, config.rollout_length, config.gamma
    )
    if config.value == "heuristic":
        is_known = config.proposals == "heuristic"
        value = leaf_values.known() if is_known else leaf_values.heuristic(env)

    reach = config.depth if config.execute == "path" else 1

    def search(
        key: chex.PRNGKey,
        states: Any,
        searches: jax.Array,
        hparams: HParams,
        data: Data,
        carry: Counters,
    ) -> tuple[Path, Cost, Counters]:
        """One search from each of B states `[..., B]`."""
        *keys, key_value = jax.random.split(key, config.depth + 1)
        levels, cost = [tree.roots(states, searches)], Cost.zero(searches.shape[0])
        for key_level in keys:
            level, more, carry = grow(key_level, levels[-1], data, carry)
            levels.append(level)
            cost = jax.tree.map(jnp.add, cost, more)
        leaves = levels[-1]
        values, valuations, carry = value(key_value, leaves, data, carry)
        score = values + hparams.alpha[None] * leaves.support
        cost = cost._replace(valuations=cost.valuations + valuations)
        return tree.best_path(levels[1:], score), cost, carry

    def plan(
        key: chex.PRNGKey,
        states: Any,
        searches: jax.Array,
        hparams: HParams,
        data: Data,
        carry: Counters,
    ) -> tuple[Path, Cost, Counters]:
        last = jax.tree.map(lambda x: jnp.moveaxis(x, 0, -1), states)
        return search(key, last, searches, hparams, data, carry)

    def solved(states: Any, data: Data) -> jax.Array:
        return jax.vmap(env.is_solved, in_axes=(-1, None))(states, data.env_params)

    def execute(
        key: chex.PRNGKey, states: Any, action: jax.Array, acts: jax.Array, data: Data
    ) -> tuple[Any, jax.Array]:
        """The states `[..., B]` after one action where `acts`, and which episodes ended by it."""

        def step(key: chex.PRNGKey, state: Any, action: jax.Array) -> tuple[Any, jax.Array]:
            _, after, _, terminated, _ = env.step_env(key, state, action, data.env_params)
            return after, terminated

        keys = jax.random.split(key, acts.shape[0])
        steps = jax.vmap(step, in_axes=-1, out_axes=-1)
        after, ended = if_any(acts, steps, keys, states, action)
        return _where(acts, after, states), acts & ended

    def take_turn(
        key: chex.PRNGKey, lanes: Lanes, data: Data, carry: Counters
    ) -> tuple[Lanes, Counters]:
        """One search in every lane that plays, and what is executed of it."""
        key_plan, *keys = jax.random.split(key, 1 + reach)
        state, playing, length = lanes.state, lanes.playing, lanes.length
        path, more, carry = search(key_plan, state, playing, lanes.hparams, data, carry)
        for i, key_step in enumerate(keys):
            acts = playing & (i < path.length)
            state, ended = execute(key_step, state, path.action[:, i], acts, data)
            length += acts
            playing &= ~ended & ~solved(state, data) & (length < lanes.budget)
        cost = jax.tree.map(jnp.add, lanes.cost, more)
        return lanes._replace(state=state, playing=playing, length=length, cost=cost), carry

    def solve(
        key: chex.PRNGKey, instances: jax.Array, budgets: jax.Array, hparams: HParams, data: Data
    ) -> Outcome:
        """Search and execute, by turns, until every instance is solved, dead or out of budget."""
        num_rows = instances.shape[0]
        num_lanes = min(config.lanes, num_rows)
        budgets = jnp.minimum(budgets, data.env_params.max_steps_in_episode)

        def begin(key: chex.PRNGKey, row: jax.Array) -> Lanes:
            """Lanes at the start of these rows; a row that there is not plays nothing."""
            given = instances, budgets, hparams
            instance, budget, own = jax.tree.map(lambda x: x.at[row].get(mode="clip"), given)
            keys = jax.random.split(key, num_lanes)
            initial = jax.vmap(env.initial_state, in_axes=(0, 0, None), out_axes=-1)
            state = initial(keys, instance, data.env_params)
            playing = (row < num_rows) & (budget > 0) & ~solved(state, data)
            none = jnp.zeros(num_lanes, jnp.int32)
            return Lanes(row, state, own, budget, playing, none, Cost.zero(num_lanes))

        def refill(
            key: chex.PRNGKey, lanes: Lanes, waiting: jax.Array, outcome: Any
        ) -> tuple[Lanes, jax.Array, Any]:
            """Write down what came of lanes that are done; the next rows take their places."""
            found = solved(lanes.state, data), lanes.length, lanes.cost
            outcome = jax.tree.map(lambda x, y: x.at[lanes.row].set(y, mode="drop"), outcome, found)
            row = waiting + jnp.cumsum(~lanes.playing, dtype=jnp.int32) - 1
            lanes = _where(lanes.playing, lanes, begin(key, jnp.minimum(row, num_rows)))
            return lanes, jnp.minimum(row[-1] + 1, num_rows), outcome

        def turn(loop: tuple[Any, ...]) -> tuple[Any, ...]:
            key, lanes, waiting, outcome, carry = loop
            key, key_turn, key_next = jax.random.split(key, 3)
            lanes, carry = take_turn(key_turn, lanes, data, carry)
            # Refilling at every turn takes longer than turns in which a few lanes idle.
            num_idle = jnp.sum(~lanes.playing)
            lanes, waiting, outcome = jax.lax.cond(
                (num_idle >= IDLE * num_lanes) & (waiting < num_rows),
                refill,
                lambda _, *same: same,
                key_next,
                lanes,
                waiting,
                outcome,
            )
            return key, lanes, waiting, outcome, carry

        def goes_on(loop: tuple[Any, ...]) -> jax.Array:
            _, lanes, waiting, _, _ = loop
            return jnp.any(lanes.playing) | (waiting < num_rows)

        key, key_start, key_end = jax.random.split(key, 3)
        first = begin(key_start, jnp.arange(num_lanes, dtype=jnp.int32))
        none = jnp.zeros(num_rows, jnp.int32)
        start = (
            key,
            first,
            jnp.int32(num_lanes),
            (none > 0, none, Cost.zero(num_rows)),
            asker.init(),
        )
        _, lanes, waiting, outcome, carry = jax.lax.while_loop(goes_on, turn, start)
        _, _, (is_solved, length, cost) = refill(key_end, lanes, waiting, outcome)
        return Outcome(is_solved, length, cost, carry)

    return Search(plan, solve, asker.init)


def _where(choice: jax.Array, one: Any, other: Any) -> Any:
    """Columns `[..., B]` of one tree or of the other, by `choice bool[B]`."""

    def choose(x: jax.Array, y: jax.Array) -> jax.Array:
        return jnp.where(choice.reshape(*[1] * (x.ndim - 1), -1), x, y)

    return jax.tree.map(choose, one, other)


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
