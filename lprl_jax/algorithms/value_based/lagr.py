"""LaGR and LaGR-SEQ: a model completes the whole pattern, and a schedule says when it is asked.

While no accepted completion is held, the primary learner acts ε-greedily. When the schedule asks,
the completer writes the whole pattern from the part that the state shows; the task's evaluator
accepts it or not; an accepted one is executed action by action in place of the primary's. With the
schedule `seq` a second learner, a contextual bandit, decides when to ask: that is LaGR-SEQ.

Reference: Thomas et al. 2023, LaGR-SEQ: Language-Guided Reinforcement Learning with
Sample-Efficient Querying, arXiv 2308.13542.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
from lprl_envs import InvalidInput

from lprl_jax.algorithms import asking, policies, streams
from lprl_jax.algorithms.asking import Told
from lprl_jax.algorithms.base import Algorithm, Data, Env
from lprl_jax.algorithms.checked import checked
from lprl_jax.algorithms.interaction import (
    begin_runs,
    legal_actions,
    observe,
    step_envs,
)
from lprl_jax.algorithms.playing import play_by
from lprl_jax.algorithms.schedules import Schedule, Seen, schedule_of
from lprl_jax.algorithms.value_based import primaries
from lprl_jax.algorithms.value_based.guide import TRIAL, Guide, Guiding
from lprl_jax.algorithms.value_based.lagr_config import REDRAWN, HParams, LaGRConfig
from lprl_jax.algorithms.value_based.primaries import TABLE, Item
from lprl_jax.algorithms.value_based.q_learning import Transition
from lprl_jax.completers import Completer
from lprl_jax.completers.base import require_completer
from lprl_jax.priors.base import Counters, Prior


class LaGRState(NamedTuple):
    """Everything that changes in training."""

    params: Any
    """The primary learner's own: network or table, leading axis R."""
    guide: Guide
    """What was asked and is held, leading axis R."""
    env_state: Any
    """Leading axes R and N."""
    episode: jax.Array
    """i32[R, N]: episodes that ended."""
    prior_carry: Counters
    """What the completer was asked, by all runs together."""
    key: chex.PRNGKey
    """[R]"""
    num_steps: jax.Array
    """i32[]: environment steps a run."""
    hparams: HParams
    """[R]"""
    run_instances: jax.Array
    """i32[R, m]: the instances that a run plays."""


@checked(LaGRConfig)
def make(
    config: LaGRConfig,
    env: Env,
    prior: Prior | None,
    completer: Completer,
    schedule: Schedule | None = None,
) -> Algorithm:
    """LaGR on an environment with a pattern.

    Args:
        config: Settings.
        env: The environment.
        prior: None; the primary has no prior.
        completer: Who is asked.
        schedule: When; default, the one that the config names.

    Returns:
        `Algorithm`, whose `data` is `Data((), env_params, completer_params=completer.params)`.

    Raises:
        InvalidInput: if the environment has no pattern, there is a prior or no completer, or a
            table is asked for where states are not numbered.
    """
    if prior is not None:
        raise InvalidInput(f"the prior is {prior.name!r}; LaGR's learner has none: prior=none")
    require_completer(completer)
    primary = primaries.of(config, env)
    when = schedule or schedule_of(config, env.num_states or 0)
    guiding = Guiding(env, completer, when, config.keep, config.eligible, config.memory_size)
    nobody = asking.of(None)

    def epsilon(state: LaGRState) -> jax.Array:
        """`f32[R, N]`: the probability of a random action."""
        if config.epsilons:
            known = jnp.asarray(config.epsilons, jnp.float32)
            return known[jnp.minimum(state.episode, len(config.epsilons) - 1)]
        fraction = jnp.minimum(state.num_steps / state.hparams.epsilon_steps, 1.0)
        of_run = 1.0 + fraction * (state.hparams.epsilon - 1.0)
        return jnp.broadcast_to(of_run[:, None], state.episode.shape)

    def look(state: LaGRState, data: Data) -> Seen:
        """What schedules see; the guide adds what belongs to prompts."""
        shape = state.episode.shape
        unknown = jnp.zeros(shape, bool)
        heads = primary.values(state.params, state.env_state, data)
        return Seen(
            q_values=jnp.mean(heads, axis=2),
            heads=heads if config.num_heads > 1 else (),
            legal=legal_actions(env, state.env_state, data.env_params),
            observation=observe(env, jax.random.key(0), state.env_state, data.env_params),
            revealed=jnp.zeros(shape, jnp.float32),
            changed=unknown,
            known=unknown,
            can_ask=unknown,
            time=state.num_steps // config.num_envs,
            episode=state.episode,
            epsilon=epsilon(state),
        )

    def explore(
        key: Any, q: jax.Array, legal: jax.Array, chance: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """ε-greedy actions `i32[N]` of one run, and whether they are random, `bool[N]`."""
        key_explore, key_random, key_legal = jax.random.split(key, 3)
        at_random = jax.random.bernoulli(key_explore, chance)
        choices = legal if config.illegal != REDRAWN else jnp.ones_like(legal)
        random = policies.uniform(key_random, choices)
        chosen = jnp.where(at_random, random, policies.greedy(q, choices))
        is_legal = jnp.take_along_axis(legal, chosen[:, None], axis=1)[:, 0]
        return jnp.where(is_legal, chosen, policies.uniform(key_legal, legal)), at_random

    def collect(state: LaGRState, data: Data) -> tuple[LaGRState, dict[str, jax.Array]]:
        """One step of every environment."""
        keys = jax.vmap(lambda k: jax.random.split(k, 4))(state.key)
        seen = look(state, data)
        decision, guide, counters = guiding.decide(
            state.guide, state.prior_carry, keys[:, 1], state.env_state, data, seen
        )
        own, at_random = jax.vmap(explore)(keys[:, 2], seen.q_values, seen.legal, seen.epsilon)
        follows = decision.follows & ~(config.explore_while_following & at_random)
        action = jnp.where(follows, decision.action, own)
        env_keys = jax.vmap(lambda k: jax.random.split(k, config.num_envs))(keys[:, 3])
        step = step_envs(
            env, env_keys, state.env_state, action, data.env_params, state.run_instances
        )
        transition = Transition(
            state=state.env_state,
            action=action,
            reward=step.reward,
            terminated=step.terminated,
            next_state=step.final_state,
            next_prior=(),
            features=(),
            next_features=(),
        )
        counts = ~decision.follows | config.learn_while_following
        learnt, loss = primary.add(state.params, Item(transition, counts), state.hparams, data)
        done = step.terminated | step.truncated
        seen_now = {
            "episodes": done,
            "reward": step.reward,
            "asked": decision.asked,
            "evaluated": decision.evaluated,
            "accepted": decision.accepted,
            "unreadable": decision.unreadable,
            "followed": follows,
        }
        state = state._replace(
            params=learnt,
            guide=guiding.after(guide, step.reward, done),
            env_state=step.state,
            episode=state.episode + done,
            prior_carry=counters,
            key=keys[:, 0],
            num_steps=state.num_steps + config.num_envs,
        )
        return state, {**{name: jnp.sum(x, 1) for name, x in seen_now.items()}, "loss": loss}

    def init(
        keys: chex.PRNGKey, hparams: HParams, data: Data, run_instances: jax.Array | None = None
    ) -> LaGRState:
        """Fresh runs; see `interaction.begin_runs`."""
        runs = begin_runs(env, nobody, keys, data, run_instances, config.num_envs)
        if config.keep == TRIAL and runs.run_instances.shape[1] != 1:
            raise InvalidInput(
                f"keep is 'trial', and a run plays {runs.run_instances.shape[1]} instances; a "
                "trial is of one: instance_per_run=true, or keep=episode"
            )
        if config.primary == TABLE and runs.run_instances.shape[1] != 1:
            raise InvalidInput(
                f"primary is 'table', and a run plays {runs.run_instances.shape[1]} instances, "
                "which a table of states cannot tell apart; right: instance_per_run=true, or "
                "primary=network"
            )
        shape = (len(keys), config.num_envs)
        state = LaGRState(
            params=primary.init(runs.key_params, runs.env_state, data),
            guide=(),  # type: ignore[arg-type]
            env_state=runs.env_state,
            episode=jnp.zeros(shape, jnp.int32),
            prior_carry=completer.init(),
            key=runs.key,
            num_steps=jnp.int32(0),
            hparams=hparams,
            run_instances=runs.run_instances,
        )
        return state._replace(guide=guiding.init(streams.of(keys, "trial"), look(state, data)))

    def restart(state: LaGRState, data: Data, run_instances: jax.Array | None = None) -> LaGRState:
        """New episodes in another bank: a new trial. What was learnt stays, also of asking."""
        fresh = init(state.key, state.hparams, data, run_instances)
        kept = state.params
        if hasattr(kept, "replay"):  # of states of the old bank
            kept = kept._replace(replay=fresh.params.replay)
        return fresh._replace(
            params=kept,
            guide=guiding.restart(state.guide, fresh.guide),
            episode=state.episode,
            prior_carry=state.prior_carry.plus(fresh.prior_carry),
            num_steps=state.num_steps,
        )

    def update(state: LaGRState, data: Data) -> tuple[LaGRState, dict[str, jax.Array]]:
        """Collect `rollout_length` steps, then learn; metrics are `[R]`, of these steps."""
        state, seen = jax.lax.scan(
            lambda s, _: collect(s, data), state, None, length=config.rollout_length
        )
        keys = jax.vmap(jax.random.split)(state.key)
        learnt, loss = primary.improve(state.params, keys[:, 1], state.hparams, data)
        metrics = {name: jnp.sum(x, axis=0) for name, x in seen.items()}
        metrics["loss"] = loss + metrics["loss"] / config.rollout_length
        return state._replace(params=learnt, key=keys[:, 0]), metrics

    def greedy(state: LaGRState, data: Data, keys: Any, env_state: Any, told: Told) -> jax.Array:
        """The primary alone."""
        del keys, told
        q = jnp.mean(primary.values(state.params, env_state, data), axis=2)
        legal = legal_actions(env, env_state, data.env_params)
        return jax.vmap(policies.greedy)(q, legal)

    def guided(state: LaGRState, data: Data, keys: Any, env_state: Any, told: Told) -> jax.Array:
        """A trial's completion where one is held, the primary otherwise; nothing is asked."""
        holds, action = guiding.trial_action(state.guide, env_state, data)
        return jnp.where(holds, action, greedy(state, data, keys, env_state, told))

    own = {"guided": guided} if config.keep == TRIAL else {}
    ways = {**own, "greedy": greedy}
    return Algorithm(
        jax.jit(init),
        jax.jit(restart),
        update,
        **play_by(env, nobody, ways),
        asks_in_play=False,
    )
