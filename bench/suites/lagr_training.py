"""Training steps a second of LaGR-SEQ beside DQN's on eight cubes, and of asking a model.

Both learn with the same network, batch and update ratio, 32 runs with a pattern each. With recorded
answers what is timed is the guide: prompts' hashes, memory, schedule, evaluator. With the embedded
model answering, memories are empty at first in every repeat, so that it writes as often as a
learner has it write.

`generation`: tokens of answers that the embedded model gives a second. `asked_together` are
questions that are asked at once: in chunks, behind kept prefixes. `row_by_row` is the same a row at
a time. `naive` is a row at a time that keeps nothing from one question to the next: it reads its
whole prompt. All write the same answers, and remember none. `as_it_learns` are the answers that
LaGR-SEQ gets in training: memories begin empty, questions of before are answered from them, and all
else that training takes is in it.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from tools.timing import Contender, Measured, Ratio, compiled, race, ratio, rows

import lprl_jax
from lprl_jax import Data, dqn, lagr
from lprl_jax.algorithms.value_based.lagr_config import LaGRConfig
from lprl_jax.completers import LanguageCompleter, Recorded
from lprl_jax.lm import decoder, generation
from lprl_jax.lm.generation import Behind

RUNS, ENVS, ASKED = 32, 4, 256
OWN: dict[str, Any] = {"num_envs": ENVS, "rollout_length": 10, "batch_size": 64, "gamma": 0.97}
DQN, RECORDED, MODEL = "training/dqn_cubes", "training/lagr_seq/recorded", "training/lagr_seq/model"
TOGETHER, ROWS, NAIVE = (f"generation/{x}" for x in ("asked_together", "row_by_row", "naive"))
AS_IT_LEARNS = "generation/as_it_learns"


def run(quick: bool) -> Measured:
    """Rows and ratios."""
    env, _ = lprl_jax.make("CubeStacking-lprl", observation="index")
    params = env.sample_params(jax.random.key(0), RUNS)
    updates = 20 if quick else 100
    model = LanguageCompleter.from_pretrained("embedded", env, params)
    plain = dqn.DQNConfig(**OWN)
    contenders = {DQN: _training(dqn.make(plain, env), plain, params, (), updates)}
    for name, completer in ((RECORDED, Recorded.of(env)), (MODEL, model)):
        config = LaGRConfig(**OWN, schedule="seq", keep="episode")
        algorithm = lagr.make(config, env, None, completer)
        contenders[name] = _training(algorithm, config, params, completer.params, updates)
    seconds = race(contenders, repeats=10)
    ratios: dict[str, Ratio | None] = {
        "lagr_seq_recorded/dqn": ratio(contenders, seconds, RECORDED, DQN),
        "lagr_seq_model/dqn": ratio(contenders, seconds, MODEL, DQN),
    }
    generating = _generation(env, params, model)
    generating[AS_IT_LEARNS] = _answered(contenders[MODEL], model.grammar.num_tokens)
    own = race(generating, repeats=10)
    ratios["lagr/generation_vs_naive"] = ratio(generating, own, TOGETHER, NAIVE)
    ratios["lagr/answers_vs_naive"] = ratio(generating, own, AS_IT_LEARNS, NAIVE)
    ratios["lagr/answers_vs_row_by_row"] = ratio(generating, own, AS_IT_LEARNS, ROWS)
    return rows(contenders, seconds) + rows(generating, own), ratios


def _training(
    algorithm: Any, config: Any, params: Any, completer_params: Any, updates: int
) -> Contender:
    """`updates` updates of all runs, each time from the same state."""
    data = Data((), params, completer_params=completer_params)
    keys = jax.random.split(jax.random.key(0), RUNS)
    own = jnp.arange(RUNS, dtype=jnp.int32)[:, None]
    state = algorithm.init(keys, config.hparams(RUNS), data, own)
    return compiled(
        lambda state, data: algorithm.train(state, data, updates),
        state, data, amount=updates * config.steps_per_update * RUNS, unit="steps/s",
        note=f"R = {RUNS}, N = {ENVS}",
    )  # fmt: skip


def _answered(training: Contender, num_tokens: int) -> Contender:
    """The same training, its work being the tokens of the answers that were given."""
    state, _ = training.call()
    asked, run = int(state.prior_carry.queries), int(state.prior_carry.evaluations)
    note = f"{asked:,} questions, {run:,} of them written anew"
    return dataclasses.replace(training, amount=asked * num_tokens, unit="tokens/s", note=note)


def _generation(env: Any, params: Any, model: LanguageCompleter) -> dict[str, Contender]:
    """The same questions in chunks, a row at a time, and naively."""
    instance = jnp.repeat(jnp.arange(RUNS, dtype=jnp.int32), ASKED // RUNS)
    height = jnp.tile(jnp.arange(4, dtype=jnp.int32), ASKED // 4)
    states = jax.vmap(lambda i, h: env.state_at(i, h, params))(instance, height)
    keys = jnp.broadcast_to(jax.random.key(0), (ASKED,))
    every = jnp.ones(ASKED, bool)
    tokens = ASKED * model.grammar.num_tokens

    def together(own: Any, states: Any) -> jax.Array:
        answers, _ = model.complete(own, model.init(), keys, states, params, every)
        return answers.completion

    def alone(own: Any, states: Any) -> jax.Array:
        def one(state: Any) -> jax.Array:
            row = jax.tree.map(lambda x: x[None], state)
            answers, _ = model.complete(own, model.init(), keys[:1], row, params, every[:1])
            return answers.completion[0]

        return jax.lax.map(one, states)

    config, grammar = model.model.config, model.grammar
    own_tokens, own_valid = map(jnp.asarray, model.reader.render(params))
    nothing = Behind(*decoder.no_prefix(config), jnp.zeros(1, jnp.int32))

    def naive(own: Any, states: Any) -> jax.Array:
        def one(state: Any) -> jax.Array:
            row = jax.tree.map(lambda x: x[None], state)
            text, there, _ = model.reader.read_states(row, params, own.width)
            tokens = jnp.concatenate([own_tokens[row.instance], text], axis=1)
            valid = jnp.concatenate([own_valid[row.instance], there], axis=1)
            written = generation.sample(
                config, own.weights, nothing, tokens, valid, keys[:1, None],
                grammar.num_tokens, generation.greedy, grammar.ends,
            )  # fmt: skip
            return grammar.parse(written[0, 0])[0]

        return jax.lax.map(one, states)

    note = f"{ASKED} questions"
    contenders = {
        name: compiled(function, model.params, states, amount=tokens, unit="tokens/s", note=note)
        for name, function in ((TOGETHER, together), (ROWS, alone), (NAIVE, naive))
    }
    ours, *others = (np.asarray(x.call()) for x in contenders.values())
    assert all(np.array_equal(ours, theirs) for theirs in others), "the answers differ"
    return contenders
