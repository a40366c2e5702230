"""How right anybody can be about held-out pendulums who was taught by the others.

    python docs/experiments/pendulum_split.py

There are 27 pendulums, and 144 texts of each; a split keeps seven of them for evaluation. What is
asked is which decided verdicts of theirs somebody gets right, good and bad counting for half each:

* `embedded-judge`, on what it was taught and on what it was not;
* networks that learn the same verdicts of the same 20, from the words as symbols, from the words in
  their order (short, medium, long is -1, 0, 1), or from the two numbers that make the law,
  3 g / 2 l and 3 / m l^2, which no text tells; each also where it would have been best to stop, as
  somebody would who saw the answers;
* who sees the state and not the pendulum, and says what is right most often there among the 20;
* who knows of each text what is right there most often: no reader of it can be righter.

The networks also learn from other splits, drawn at random. Writes
`docs/results/pendulum_split.json`.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import prose
import written
from judged_habit import task_of
from lprl_envs.pendulum.env import Pendulum
from lprl_envs.pendulum.physics import QUANTITIES

from lprl_jax.judges.base import BAD, GOOD
from lprl_jax.lm import named, token_table
from lprl_jax.pretraining import measuring_verdicts
from lprl_jax.pretraining.verdicts import WAYS
from lprl_jax.priors.judging import make_scorer
from lprl_jax.results.comparison import markdown

OUT = written.ROOT / "docs/results/pendulum_split.json"
MODEL = "embedded-judge"
PHYSICS = list(itertools.product(*QUANTITIES.drawn.values()))
"""All there are."""
WORDS = (3, 3, 3, 16, 9)
"""How many words each slot has; the last two are the state's."""
DRAWS = 100
"""Of `measuring_verdicts.STATES` states a pendulum and way."""
SPLITS = 30
HELD_OUT = 7
STEPS, EVERY = 1_000, 25
"""Of a network, full batch; and after how many it is tried."""
LEARNING_RATE = 3e-3
WIDTH = 64
READ = {
    "words": "a network, of the words as symbols",
    "order": "a network, of the words in their order",
    "law": "a network, of the law's two numbers",
}
"""What the networks read."""


class Network(nn.Module):
    """Two hidden layers, and for each torque a logit of good against bad."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """`f32[..., n]` to `f32[..., 5]`."""
        for _ in range(2):
            x = nn.tanh(nn.Dense(WIDTH)(x))
        return nn.Dense(5)(x)


def main() -> None:
    """Measure all rows."""
    seen = counts()
    taught, held = split_of_package()
    model = model_says()
    blind = most_often(np.broadcast_to(seen[:, taught].sum(1, keepdims=True), seen.shape))
    found: dict[str, Any] = {
        "pendulums": len(PHYSICS),
        "taught": len(taught),
        "splits": SPLITS,
        "model": {"taught": right(model, seen, taught), "held out": right(model, seen, held)},
        "blind": {"taught": right(blind, seen, taught), "held out": right(blind, seen, held)},
        "most by the text": right(most_often(seen), seen, held),
    }
    others = [np.random.default_rng(i).permutation(len(PHYSICS)) for i in range(SPLITS)]
    splits = np.array([[*taught, *held], *others])
    for name in READ:
        curves = learn(inputs(name), seen, splits)  # [splits, tries, ways]
        found[name] = {
            "end": curves[0, -1].tolist(),
            "best": curves[0].max(0).tolist(),
            "elsewhere": curves[1:, -1].min(-1).tolist(),
        }
        print(name, found[name], flush=True)
    written.write(OUT, found, (MODEL,))


def counts() -> np.ndarray:
    """`f64[ways, 27, 144, 5, 2]`: how often a torque is good and bad where a text is read."""
    task, env = task_of("Pendulum"), Pendulum()
    rows = [dict(zip(QUANTITIES.drawn, physics, strict=True)) for physics in PHYSICS]
    bank = env.params_of(rows * DRAWS)
    slots, verdicts, _ = measuring_verdicts.drawing(task)(jax.random.key(0), bank, bank)
    shape = (len(WAYS), measuring_verdicts.STATES)
    found = np.zeros((len(WAYS), len(PHYSICS) * 144, 5, 2))
    text = np.ravel_multi_index(tuple(np.moveaxis(np.asarray(slots), -1, 0)), WORDS)
    text = text.reshape(-1, *shape)
    verdicts = np.asarray(verdicts).reshape(*text.shape, 5)
    for way in range(len(WAYS)):
        said = np.stack([verdicts[:, way] == x for x in (GOOD, BAD)], -1)
        np.add.at(found[way], text[:, way], said)
    return found.reshape(len(WAYS), len(PHYSICS), 144, 5, 2)


def split_of_package() -> tuple[np.ndarray, np.ndarray]:
    """Which of `PHYSICS` are taught, and which are held out."""
    env = Pendulum()
    bank = env.params_of([dict(zip(QUANTITIES.drawn, x, strict=True)) for x in PHYSICS]).bank
    is_held = np.asarray(jax.vmap(env.held_out)(bank))
    return np.flatnonzero(~is_held), np.flatnonzero(is_held)


def every_text() -> np.ndarray:
    """`i64[27, 144, 5]`: the words of all texts."""
    index = np.indices(WORDS).reshape(len(WORDS), -1).T
    return index.reshape(len(PHYSICS), -1, len(WORDS))


def model_says() -> np.ndarray:
    """`bool[27, 144, 5]`: whether the model holds good for likelier than bad."""
    model, task = named.load(MODEL), task_of("Pendulum")
    table = token_table.compile(task.env.template, task.answers, model.tokenizer)
    scores = make_scorer(model.config, table)(model.params, jnp.asarray(every_text(), jnp.int32))
    scores = np.asarray(scores).reshape(*scores.shape[:-1], -1, 3)
    return scores[..., 0] > scores[..., 2]


def most_often(seen: np.ndarray) -> np.ndarray:
    """`bool[27, 144, 5]`: what is right most often, good and bad counting for half each."""
    weighed = seen / seen.sum((1, 2, 3), keepdims=True)
    good, bad = np.moveaxis(weighed.sum(0), -1, 0)
    return good > bad


def right(says_good: np.ndarray, seen: np.ndarray, among: np.ndarray) -> list[float]:
    """Of some pendulums, the share of right verdicts in each of `WAYS`."""
    own, says = seen[:, among], np.stack([says_good, ~says_good], -1)[among]
    return ((own * says[None]).sum((1, 2, 3)) / own.sum((1, 2, 3))).mean(-1).tolist()


def inputs(name: str) -> np.ndarray:
    """`f32[27, 144, n]`: what a network reads."""
    words = every_text()
    if name == "words":
        parts = [np.eye(n)[words[..., i]] for i, n in enumerate(WORDS)]
        return np.concatenate(parts, -1).astype(np.float32)
    angle, turning = 2 * np.pi * words[..., 3] / WORDS[3], (words[..., 4] - 4) / 4
    state = [np.cos(angle), np.sin(angle), np.cos(2 * angle), np.sin(2 * angle), turning]
    own = [words[..., i] - 1 for i in range(3)]
    if name == "law":
        length, mass, gravity = np.moveaxis(np.array(PHYSICS)[:, None], -1, 0)
        law = [np.log(3 * gravity / (2 * length)), np.log(3 / (mass * length**2))]
        own = [np.broadcast_to(x - x.mean(), words.shape[:2]) for x in law]
    return np.stack([*state, *own], -1).astype(np.float32)


def learn(x: np.ndarray, seen: np.ndarray, splits: np.ndarray) -> np.ndarray:
    """`f64[splits, tries, ways]`: right on the last seven of each split, by networks that learn the
    verdicts on the others; every `EVERY` steps.
    """
    network, optimizer = Network(), optax.adam(LEARNING_RATE)
    weights = jnp.asarray((seen / seen.sum((1, 2, 3), keepdims=True)).sum(0), jnp.float32)
    texts = jnp.asarray(x)

    def one(split: jax.Array) -> jax.Array:
        own = split[:-HELD_OUT]

        def loss(params: Any) -> jax.Array:
            logits = network.apply(params, texts[own])
            assert isinstance(logits, jax.Array)
            good, bad = jnp.moveaxis(weights[own], -1, 0)
            return jnp.sum(good * nn.softplus(-logits) + bad * nn.softplus(logits)) / jnp.sum(
                weights[own]
            )

        def step(carry: Any, _: None) -> tuple[Any, None]:
            params, state = carry
            updates, state = optimizer.update(jax.grad(loss)(params), state, params)
            return (optax.apply_updates(params, updates), state), None

        def some(carry: Any, _: None) -> tuple[Any, jax.Array]:
            carry, _ = jax.lax.scan(step, carry, None, EVERY)
            says = network.apply(carry[0], texts)
            assert isinstance(says, jax.Array)
            return carry, says > 0

        params = network.init(jax.random.key(0), texts[0])
        _, says = jax.lax.scan(some, (params, optimizer.init(params)), None, STEPS // EVERY)
        return says

    says = np.asarray(jax.lax.map(jax.jit(one), jnp.asarray(splits)))
    return np.array(
        [
            [right(x, seen, split[-HELD_OUT:]) for x in of_split]
            for of_split, split in zip(says, splits, strict=True)
        ]
    )


def tables(figures: Mapping[str, Any]) -> dict[str, str]:
    """Right verdicts by who says them and by how states were drawn."""
    rows = [
        ["the model, pendulums it was taught", *map(prose.share, figures["model"]["taught"])],
        ["the model, held out", *map(prose.share, figures["model"]["held out"])],
    ]
    for among, title in (("taught", "those that were taught"), ("held out", "held out")):
        rows.append([f"blind to the pendulum, {title}", *map(prose.share, figures["blind"][among])])
    for name, title in READ.items():
        rows.append([f"{title}, held out", *map(prose.share, figures[name]["end"])])
        rows.append(["where it was best to stop", *map(prose.share, figures[name]["best"])])
    rows.append(["right most often by the text", *map(prose.share, figures["most by the text"])])
    return {"pendulum_split": markdown(["who", *WAYS], rows)}


def numbers(figures: Mapping[str, Any]) -> prose.Numbers:
    """What sentences quote: of each row the least of its ways; of the networks on other splits the
    median of that, `NAME.elsewhere`, its `.range`, and in how many it is lower than here, `.lower`.
    """
    rows = {
        "taught": figures["model"]["taught"],
        "model": figures["model"]["held out"],
        "blind": figures["blind"]["taught"],
        "text": figures["most by the text"],
        **{name: figures[name]["end"] for name in READ},
        **{f"{name}.best": figures[name]["best"] for name in READ},
    }
    found = {name: prose.share(min(row)) for name, row in rows.items()}
    for name in READ:
        others, own = figures[name]["elsewhere"], min(figures[name]["end"])
        found[f"{name}.elsewhere"] = prose.share(float(np.median(others)))
        found[f"{name}.lower"] = f"{sum(x < own for x in others)}"
        found[f"{name}.range"] = f"{prose.share(min(others))} to {prose.share(max(others))}"
    counted = ("pendulums", "taught", "splits")
    return {**found, **{f"num.{name}": f"{figures[name]}" for name in counted}}


if __name__ == "__main__":
    main()
