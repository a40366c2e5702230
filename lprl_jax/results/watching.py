"""An episode of a trained run, step by step: what it reads, what its prior says, what it does.

What the agent does is counted: it is asked DRAWS times in every state. So it can be said of every
learner, whatever its policy is made of. Where acting runs a model, it is asked once, and what is
shown of the agent is what it did.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import InvalidInput
from lprl_envs.bridges.no_text import NoText
from lprl_envs.render import BLUE, INK, LINE, MUTED, YELLOW, Animation, Canvas, Picture

from lprl_jax.algorithms.policy_based.ppo_config import NETWORK
from lprl_jax.algorithms.registry import ALGORITHMS
from lprl_jax.experiments import build, places, prior_kinds
from lprl_jax.results.run import Run

DRAWS = 200
"""Times that an agent is asked in a state."""
MOST_ASKED = 50_000
"""States that are laid out for it at once: all runs act, and of many each is asked less often."""
MOST_SHOWN = 8
"""Actions of a state, the likeliest of either."""
BAR = 16
"""Letters of a bar."""
PANEL, ROW = 340, 26
"""Width of a picture's panel of bars, and height of a row in it, in pixels."""


@dataclasses.dataclass(frozen=True, eq=False)
class Step:
    """A state of an episode, and what was done in it."""

    text: str
    """As a model reads it."""
    picture: Picture
    """As the world draws it."""
    prior: np.ndarray | None
    """f32[A]; None without a prior."""
    agent: np.ndarray | None
    """f32[A]: shares of what it does here; None in the last state."""
    action: int | None
    """What was done; None in the last state."""
    reward: float
    """For that."""


@dataclasses.dataclass(frozen=True, eq=False)
class Episode:
    """From its first state to its last."""

    actions: tuple[str, ...]
    """Texts of the actions."""
    steps: Sequence[Step]
    """The last has no action."""
    is_solved: bool
    """Whether it met what it is for."""

    @property
    def total(self) -> float:
        """The return."""
        return sum(step.reward for step in self.steps)


def play(
    run: Run,
    number: int = 0,
    instance: int | None = None,
    seed: int = 0,
    policy: str | None = None,
) -> Episode:
    """Play an episode.

    Args:
        run: A trained run's directory.
        number: Which of its runs; in a sweep they are numbered setting by setting.
        instance: Of the bank; by default the first that the run plays.
        seed: Of all that chance decides.
        policy: One of `run.algorithm.policies`; by default the first.

    Raises:
        InvalidInput: if there is no such run or instance, its world has no text, or its actions are
            not numbered.
    """
    env, params = run.env, run.params
    try:
        actions = tuple(env.action_texts)
    except NoText as error:
        raise InvalidInput(f"{env.name} has no text, and cannot be watched: {error}") from None
    if env.is_continuous:
        raise InvalidInput(f"{env.name} has continuous actions; what is watched has numbered ones")
    _require("run", number, run.experiment.num_runs)
    instances = jax.tree.leaves(params.bank)[0].shape[0]
    plays = [int(one) for one in run.state.run_instances[number]]
    own = plays[0] if instance is None else instance
    _require("instance", own, instances)
    name = run.experiment.config.algorithm
    if ALGORITHMS[name].of_instances and own not in plays:
        raise InvalidInput(
            f"instance is {own}, but what {name} learns is a table of its own instances; valid of "
            f"run {number}: {', '.join(map(str, plays))}"
        )

    key_start, key = jax.random.split(jax.random.key(seed))
    state = env.initial_state(key_start, jnp.int32(own), params)
    steps, is_solved, ended = [], False, False
    while not ended:
        key, key_act, key_step = jax.random.split(key, 3)
        drawn = _acted(run, number, state, key_act, policy)
        action = int(drawn[0])
        agent = np.bincount(drawn, minlength=len(actions)) / len(drawn)
        _, after, reward, terminated, _ = _stepper(env)(key_step, state, action, params)
        steps.append(_seen(run, state, agent, action, float(reward)))
        is_solved |= bool(env.is_solved(after, params))
        ended = bool(terminated) or bool(env.is_truncated(after, params))
        state = after
    return Episode(actions, [*steps, _seen(run, state, None, None, 0.0)], is_solved)


@functools.lru_cache(maxsize=8)
def _stepper(env: Any) -> Any:
    return jax.jit(env.step_env)


def _acted(run: Run, number: int, state: Any, key: Any, policy: str | None) -> np.ndarray:
    """`i64[D]`: what is done in a state, of D draws."""
    runs = run.experiment.num_runs
    lead = runs, 1 if _runs_model(run) else max(1, min(DRAWS, MOST_ASKED // runs))
    many = jax.tree.map(lambda x: jnp.broadcast_to(x, (*lead, *jnp.shape(x))), state)
    return np.asarray(run.act(many, key, policy))[number].astype(np.int64)


def _runs_model(run: Run) -> bool:
    """Whether a model runs where the agent acts: as its policy, its prior, or its judge."""
    config = run.experiment.config
    asks_prior = run.algorithm.asks_in_play and config.prior_access != prior_kinds.TABLE
    is_policy = build.policy_name(run.experiment) != NETWORK
    asks_judge = places.judge_asks_model(config.judge) and config.judge_access == prior_kinds.LIVE
    return is_policy or asks_judge or (asks_prior and places.asks_model(config.prior))


def _seen(
    run: Run, state: Any, agent: np.ndarray | None, action: int | None, reward: float
) -> Step:
    env, params = run.env, run.params
    shares = None if action is None else _prior(run, state)
    return Step(
        env.describe(state, params), env.render(state, params), shares, agent, action, reward
    )


def _prior(run: Run, state: Any) -> np.ndarray | None:
    """`f32[A]` of a state."""
    prior = run.prior
    if prior is None:
        return None
    one = jax.tree.map(lambda x: jnp.asarray(x)[None], state)
    asked = run.data.prior_params, prior.init(), one, run.params, jnp.ones(1, bool)
    return np.exp(np.asarray(_asking(prior)(*asked)[0][0]))


@functools.lru_cache(maxsize=4)
def _asking(prior: Any) -> Any:
    """One function a prior, so that it is compiled once."""
    return jax.jit(prior.log_probs)


def _require(what: str, found: int, count: int) -> None:
    if not 0 <= found < count:
        raise InvalidInput(f"{what} is {found}; there are {count}, 0 to {count - 1}")


# -- to be read ------------------------------------------------------------------------------------


def as_text(episode: Episode) -> str:
    """Every step with its text and bars, for a terminal."""
    parts = []
    for number, step in enumerate(episode.steps):
        lines = [f"── step {number} " + "─" * 50, step.text]
        lines += _bars(episode, step)
        if step.reward:
            lines.append(f"reward {step.reward:g}")
        parts.append("\n".join(lines))
    outcome = "solved" if episode.is_solved else "not solved"
    count = len(episode.steps) - 1
    return "\n".join([*parts, f"{outcome} in {count} steps, return {episode.total:g}"])


def shown(step: Step) -> list[int]:
    """The actions of a step that are worth a line: the one that was taken, and the likeliest."""
    if step.agent is None:
        return []
    either = step.agent if step.prior is None else np.maximum(step.agent, step.prior)
    likeliest = [int(a) for a in np.argsort(-either, kind="stable")[:MOST_SHOWN] if either[a] > 0]
    return sorted({*likeliest, step.action} - {None})  # type: ignore[type-var]


def _bars(episode: Episode, step: Step) -> list[str]:
    """A line an action, that which was taken marked."""
    names = {action: episode.actions[action].strip() for action in shown(step)}
    width = max(map(len, names.values()), default=0)
    lines = []
    for action, name in names.items():
        both = {"prior": step.prior, "agent": step.agent}
        bars = [f"{who} {_bar(x[action])}" for who, x in both.items() if x is not None]
        mark = ">" if action == step.action else " "
        lines.append(f"{mark} {name:<{width}}  {'  '.join(bars)}")
    return lines


def _bar(share: float) -> str:
    return f"{'█' * round(BAR * share):<{BAR}} {100 * share:3.0f} %"


# -- to be looked at -------------------------------------------------------------------------------


def as_animation(episode: Episode) -> Animation:
    """The world's pictures, with the bars of prior and agent beside them."""
    rows = max(len(shown(step)) for step in episode.steps)
    height = max(max(step.picture.rgb.shape[0] for step in episode.steps), ROW * (rows + 2))
    width = max(step.picture.rgb.shape[1] for step in episode.steps)
    frames = []
    for number, step in enumerate(episode.steps):
        panel = _panel(episode, number, step, height)
        page = np.full((height, width + PANEL, 3), 255, np.uint8)
        own = step.picture.rgb
        page[: own.shape[0], : own.shape[1]] = own
        page[:, width:] = panel.rgb
        frames.append(Picture(page))
    return Animation(frames, milliseconds=900)


def _panel(episode: Episode, number: int, step: Step, height: int) -> Picture:
    canvas = Canvas(PANEL, height)
    last = len(episode.steps) - 1
    outcome = ("solved" if episode.is_solved else "not solved") if number == last else ""
    canvas.text(12, 20, f"step {number} of {last}  {outcome}", 14, INK, "lm")
    canvas.text(170, 20 + ROW - 4, "prior", 12, MUTED, "lm")
    canvas.text(255, 20 + ROW - 4, "agent", 12, MUTED, "lm")
    for row, action in enumerate(shown(step), 2):
        y = 16 + ROW * row
        name = episode.actions[action].strip()
        name = name if len(name) <= 22 else f"{name[:20]}…"
        if action == step.action:
            canvas.box(4, y - ROW / 2 + 2, PANEL - 8, ROW - 4, LINE, radius=4)
        canvas.text(12, y, name, 12, INK, "lm")
        for x, shares, colour in ((170, step.prior, YELLOW), (255, step.agent, BLUE)):
            if shares is not None:
                canvas.box(x, y - 6, max(1.0, 70 * float(shares[action])), 12, colour)
    return canvas.picture()
