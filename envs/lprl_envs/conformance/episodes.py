"""The checks of episodes: how they start, what is seen, how they end. See `check`."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from gymnax.environments import spaces as spaces_

from lprl_envs.actions import bounds
from lprl_envs.conformance.compare import difference, first, take, unlikely
from lprl_envs.conformance.subject import LIMIT, Subject

NUM_RESETS = 2048


def mask(s: Subject) -> str | None:
    """`action_mask` is `bool[A]`, with 1 to `max_legal` legal actions in every state."""
    right = (s.env.num_actions,)
    if s.masks.dtype != bool or s.masks.shape[1:] != right:
        found = f"{s.masks.dtype}{list(s.masks.shape[1:])}"
        return f"action_mask is {found}; right: bool{list(right)}"
    if s.env.is_continuous:
        if place := first(~s.masks):
            where = s.name_of(take(s.states, place[0]))
            return f"{where}: word {place[1]} is illegal; right: none, where actions are continuous"
        return None
    for masks, states in (
        (s.masks, s.states),
        (s.each(s.env.action_mask, s.steps.state), s.steps.state),
    ):
        legal, most = np.asarray(masks).sum(-1), s.env.max_legal
        if wrong := first((legal < 1) | (legal > most)):
            found = f"{s.name_of(take(states, wrong[0]))} has {legal[wrong]} legal actions"
            return f"{found}; right: 1 to {most}"
    return None


def reset(s: Subject) -> str | None:
    """An episode starts at time 0, in an instance drawn uniformly from `params.instances`."""
    env = s.env

    def start(key: jax.Array, params: Any) -> Any:
        obs, state = env.reset(key, params)
        return obs, state, env.observe(key, state, None, params)

    obs, state, observed = s.each(start, s.keys(NUM_RESETS))
    if late := first(state.time):
        return f"reset starts at time {state.time[late[0]]}; right: 0"
    instances, weights = np.unique(np.asarray(s.params.instances), return_counts=True)
    if outside := first(~np.isin(state.instance, instances)):
        found = int(state.instance[outside[0]])
        return f"reset drew instance {found}; right: one of params.instances {instances.tolist()}"
    counts = (np.asarray(state.instance)[:, None] == instances).sum(0)
    if rare := unlikely(counts, weights / weights.sum()):
        found = f"{counts[rare]} of {NUM_RESETS} episodes begin in instance {instances[rare]}"
        return f"{found}; right: {NUM_RESETS * weights[rare] / weights.sum():.0f}, by uniform draws"
    if found := difference("observation of reset", obs, observed):
        return f"{s.name_of(take(state, found.row))}: {found.text}, by observe"
    return None


def spaces(s: Subject) -> str | None:
    """Observations lie in `observation_space`; `action_space` holds the actions and no others."""
    if wrong := _actions(s):
        return wrong
    space: Any = s.env.observation_space(s.params)
    for name, obs in (
        ("observation", s.steps.observation),
        ("final_observation", s.steps.info["final_observation"]),
    ):
        for leaf in jax.tree.leaves(obs) if hasattr(space, "dtype") else ():
            if (leaf.shape[1:], leaf.dtype) != (tuple(space.shape), space.dtype):
                return f"{name} is {leaf.dtype}{list(leaf.shape[1:])}; right: of {space}"
        if outside := first(~np.asarray(jax.vmap(space.contains)(obs))):
            found = [f"{np.min(x)} to {np.max(x)}" for x in jax.tree.leaves(take(obs, outside[0]))]
            return f"{s.name_of_step(outside[0])}: {name} has {found}; right: in {space}"
    return None


def _actions(s: Subject) -> str | None:
    """What is wrong with the space of actions, and with the words for points of a box."""
    env, space = s.env, s.env.action_space(s.params)
    if not isinstance(space, spaces_.Box):
        legal = [bool(space.contains(jnp.int32(a))) for a in range(-1, env.num_actions + 1)]
        right = legal == [False, *[True] * env.num_actions, False]
        return None if right else f"action_space is {space}; right: 0 to {env.num_actions - 1}"
    low, high = map(np.asarray, bounds(env, s.params))
    shaped = len(space.shape) == 1 and space.dtype == jnp.float32
    if not shaped or not np.isfinite([low, high]).all() or not (low < high).all():
        return f"action_space is {space}; right: float32[d], finite, the lowest below the highest"
    words, right = env.action_words, (env.num_actions, *space.shape)
    if (words.dtype, words.shape) != (np.float32, right):
        return f"action_words are {words.dtype}{list(words.shape)}; right: float32{list(right)}"
    if place := first((words < low[None]) | (words > high[None])):
        return f"action_words[{place[0]}] is {words[place[0]].tolist()}; right: in {space}"
    ascending = space.shape != (1,) or (np.diff(words[:, 0]) > 0).all()
    if not ascending or len(np.unique(words, axis=0)) != len(words):
        order = "ascending" if space.shape == (1,) else "a point each"
        return f"action_words are {words.tolist()}; right: {order}"
    return None


def terminated(s: Subject) -> str | None:
    """`terminated` is what `is_terminated` says of the final state, whatever the time."""
    t = s.timed
    for name, found, right, why in (
        ("terminated", t.terminated, t.is_terminated, "by is_terminated(final_state)"),
        ("terminated", t.terminated, t.terminated[:, :1], "as at time 0"),
        ('info["terminated"]', t.info_terminated, t.terminated, "as terminated"),
    ):
        if place := first(found != right):
            where = s.name_of(t.state(place), t.actions[place[0]])
            return f"{where}: {name} is {found[place]}; right: {not found[place]}, {why}"
    return None


def truncated(s: Subject) -> str | None:
    """Time grows by 1, and `truncated` is set exactly at the limit, also where `terminated` is."""
    t = s.timed
    due = np.broadcast_to(t.times + 1, t.final_time.shape)
    for name, found, right in (
        ("final_state.time", t.final_time, due),
        ("truncated", t.truncated, due >= LIMIT),
        ('info["truncated"]', t.info_truncated, due >= LIMIT),
    ):
        if place := first(found != right):
            where = f"{s.name_of(t.state(place), t.actions[place[0]])}, limit {LIMIT}"
            ended = f"terminated {t.terminated[place]}"
            return f"{where}: {name} is {found[place]} with {ended}; right: {right[place]}"
    return None


def final(s: Subject) -> str | None:
    """`final_state` and `final_observation` are what `step_env` returned: those before a reset."""
    env, steps = s.env, s.steps

    def step(key: jax.Array, state: Any, action: jax.Array, params: Any) -> Any:
        obs, after, *_ = env.step_env(key, state, action, params)
        return after, obs, env.observe(key, after, action, params)

    after, obs, observed = s.each(step, s.keys_of(steps.key)[0], steps.before, steps.action)
    for name, right, by in (
        ("final_state", after, "step_env"),
        ("final_observation", obs, "step_env"),
        ("final_observation", observed, "observe(final_state)"),
    ):
        if found := difference(name, steps.info[name], right):
            return f"{s.name_of_step(found.row)}: {found.text}, by {by}"
    return None


def auto_reset(s: Subject) -> str | None:
    """After an end, state and observation are those of a reset; otherwise the final ones."""
    steps, env = s.steps, s.env
    fresh = s.each(env.reset, s.keys_of(steps.key)[1])
    last = steps.info["final_observation"], steps.info["final_state"]
    done = np.asarray(steps.terminated | steps.truncated)
    right = jax.tree.map(
        lambda x, y: np.where(done.reshape(-1, *[1] * (x.ndim - 1)), x, y), fresh, last
    )
    for name, x, y in zip(
        ("observation", "state"), (steps.observation, steps.state), right, strict=True
    ):
        if found := difference(name, x, y):
            by = "a reset's" if done[found.row] else "the final one"
            return f"{s.name_of_step(found.row)}: {found.text}, {by}"
    return None
