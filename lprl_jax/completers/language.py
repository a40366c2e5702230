"""LanguageCompleter: a language model writes the whole pattern, inside the graph.

What it reads is rendered as tokens in the graph; what the states of an instance share is run
through the model once and kept as keys and values. What it writes is read back by the grammar of
`env.completion`; an answer that is no such text is not readable. The prompt holds what the state
shows, and nothing else of the pattern.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from lprl_envs import InvalidInput, TextEnv, TextEnvParams, values
from lprl_envs.short_repr import short_repr

from lprl_jax import memory as device_memory
from lprl_jax.completers.base import Answers, require_completable
from lprl_jax.completers.memory import prompt_hash, question_keys
from lprl_jax.lm import generation, named, parsing, taught, token_table
from lprl_jax.lm.checkpoint import LanguageModel, load, require_fits
from lprl_jax.lm.generation import Behind
from lprl_jax.lm.parsing import Grammar
from lprl_jax.priors.base import Counters, evaluate_where_needed, require_world
from lprl_jax.priors.fingerprint import Fingerprint
from lprl_jax.priors.options import Prompt, fingerprint_of
from lprl_jax.priors.reading import Prefix, Reader, Width

CHUNK = 4
"""States that are asked about at a time."""
FEW = 2
"""So many are asked about one at a time, which takes as long as a chunk of these: most steps of a
training ask one or two, once most answers are remembered."""


class LanguageCompleterParams(NamedTuple):
    """Arguments of the compiled functions; M instances in the bank."""

    weights: Any
    """Of the model."""
    prefix: Prefix
    """Keys and values of each instance's text."""
    prefix_valid: jax.Array
    """bool[M, P]"""
    width: Width
    """Of the bank's states."""
    fingerprint: Fingerprint
    """What they are of."""


@dataclasses.dataclass(frozen=True, eq=False)
class LanguageCompleter:
    """A frozen language model as a completer; make one with `from_pretrained`."""

    __repr__ = short_repr

    model: LanguageModel
    """Writes the patterns."""
    reader: Reader
    """What it reads: the environment's `completion_prompt`."""
    grammar: Grammar
    """Reads its answers back."""
    temperature: float
    """Of the tokens' probabilities; 0 takes the likeliest."""
    chunk: int
    """States that are asked about at a time."""
    params: LanguageCompleterParams
    """Weights, and the prefixes of a bank."""

    @staticmethod
    def from_pretrained(
        name: str | Path,
        env: TextEnv[Any, Any],
        env_params: TextEnvParams | None = None,
        *,
        temperature: float = 0.0,
        chunk: int = CHUNK,
        dtype: Any = jnp.float32,
    ) -> LanguageCompleter:
        """A completer from a model's name or directory.

        Args:
            name: As `LanguagePrior.from_pretrained` takes it.
            env: The environment, with a pattern to complete.
            env_params: Its bank of instances; default, the environment's own.
            temperature: Of the tokens' probabilities, 0 or above; 0 takes the likeliest token.
                Above, an answer is drawn by the asking run's key and the question.
            chunk: States that are asked about at a time.
            dtype: Of the weights and of the matrix products.

        Raises:
            InvalidInput: if there is no such model or no pattern, its tokenizer cannot render the
                prompt or read a pattern back piece by piece, its context is too short, or an
                argument is out of range.
        """
        check_options(temperature, chunk)
        require_world(env, env_params)
        require_completable(env)
        model = load(named.path_of(str(name)), dtype)
        model = model._replace(name=str(name)) if name in named.NAMES else model
        return LanguageCompleter.of_model(
            model, env, env_params, temperature=temperature, chunk=chunk
        )

    @staticmethod
    def of_model(
        model: LanguageModel,
        env: TextEnv[Any, Any],
        env_params: TextEnvParams | None = None,
        *,
        temperature: float = 0.0,
        chunk: int = CHUNK,
    ) -> LanguageCompleter:
        """As `from_pretrained`, of a model at hand."""
        check_options(temperature, chunk)
        require_world(env, env_params)
        task = require_completable(env)
        prompt = Prompt("completion", task.completion_prompt)
        first = task.completion.slots[0].values  # what may follow the prompt
        table = token_table.compile(prompt.template, first, model.tokenizer)
        taught.warn_if_strange(model.name, model.taught, table, f"patterns of {env.name}")
        reader = Reader(env, model.config, prompt, table)
        grammar = parsing.compile(task.completion, model.tokenizer)
        # A model may have rows of weights for more tokens than its tokenizer knows: of no value.
        more = max(0, model.config.vocab_size - len(grammar.symbol))
        grammar = dataclasses.replace(grammar, symbol=np.pad(grammar.symbol, (0, more)))
        bank = env.default_params if env_params is None else env_params
        params = encode_bank(model, reader, grammar, bank, chunk)
        return LanguageCompleter(model, reader, grammar, float(temperature), chunk, params)

    def with_bank(self, env_params: TextEnvParams) -> LanguageCompleter:
        """The same completer for another bank of instances."""
        require_world(self.env, env_params)
        model = self.model._replace(params=self.params.weights)
        params = encode_bank(model, self.reader, self.grammar, env_params, self.chunk)
        return dataclasses.replace(self, params=params)

    @property
    def name(self) -> str:
        """The model's, and the temperature, if it is not 0."""
        warm = f" (temperature {self.temperature:g})" if self.temperature else ""
        return f"{self.model.name}{warm}"

    @property
    def env(self) -> TextEnv[Any, Any]:
        """Has the patterns."""
        return self.reader.env

    def init(self) -> Counters:
        """Nothing asked yet."""
        return Counters.zero()

    def complete(
        self,
        params: LanguageCompleterParams,
        carry: Counters,
        keys: chex.PRNGKey,
        env_state: Any,
        env_params: Any,
        needed: jax.Array,
    ) -> tuple[Answers, Counters]:
        """See `Completer.complete`."""
        task = require_completable(self.env)
        asked = jax.vmap(task.question, in_axes=(0, None))(env_state, env_params)

        def evaluate(rows: tuple[Any, chex.PRNGKey]) -> jax.Array:
            completion, readable = self._write(params, *rows, env_params)
            return jnp.concatenate([completion, readable[:, None]], axis=1).astype(jnp.float32)

        # f32 holds the numbers of a slot's values exactly.
        width = task.completion.num_slots + 1
        rows = evaluate_where_needed(evaluate, (asked, keys), needed, self.chunk, width, FEW)
        completion, readable = rows[:, :-1].astype(jnp.int32), rows[:, -1] > 0
        return Answers(completion, readable), carry.after_running(needed)

    def _write(
        self, params: LanguageCompleterParams, states: Any, keys: chex.PRNGKey, env_params: Any
    ) -> tuple[jax.Array, jax.Array]:
        """Patterns `i32[B, S]` of B questions, and whether they could be read, `bool[B]`."""
        if self.temperature:
            keys = question_keys(keys, prompt_hash(self.env, states, env_params))
            choose = generation.sampled(self.temperature)
        else:
            choose = generation.greedy
        tokens, valid, fits = self.reader.read_states(states, env_params, params.width)
        own = params.prefix_valid[:, params.prefix.shared.keys.shape[1] :]
        written = generation.sample(
            self.model.config,
            params.weights,
            Behind(params.prefix.own, own, states.instance, params.prefix.shared),
            tokens,
            valid,
            keys[:, None],
            self.grammar.num_tokens,
            choose,
            self.grammar.ends,
        )
        completion, whole = jax.vmap(self.grammar.parse)(written[:, 0])
        return completion, whole & fits


def check_options(temperature: float, chunk: int) -> None:
    """Raises InvalidInput if one is of another type, or out of range."""
    if values.finite("temperature", temperature) < 0:
        raise InvalidInput(f"temperature is {temperature:g}; it must be 0 or above")
    if values.whole("chunk", chunk) < 1:
        raise InvalidInput(f"chunk is {chunk}; at least 1 state is asked about at a time")


def encode_bank(
    model: LanguageModel, reader: Reader, grammar: Grammar, env_params: TextEnvParams, chunk: int
) -> LanguageCompleterParams:
    """Run every instance's text through the model.

    Raises:
        InvalidInput: if a token is not in the model's vocabulary, a prompt with its answer may be
            longer than what it reads, or they take more memory than there is.
    """
    tokens, valid = reader.render(env_params)
    width, c = reader.measure(env_params), model.config
    # The last token is not run.
    columns = tokens.shape[1] + width.columns + grammar.num_tokens - 1
    used = reader.table.prefix.tokens, reader.table.suffix.tokens, np.flatnonzero(grammar.symbol)
    what = "a prompt with a whole pattern"
    require_fits(model.name, c.vocab_size, c.max_position_embeddings, columns, *used, what=what)
    heads = c.num_hidden_layers * c.num_key_value_heads * c.head_dim
    # Of each question's prefix, text and answer; the first two stand joined beside the text's own.
    kept = 8 * (tokens.shape[1] + 2 * width.columns + grammar.num_tokens) * heads + 4 * c.vocab_size
    device_memory.require(
        "the answers", [device_memory.Part(("chunk",), kept * chunk)], {"chunk": chunk}
    )
    prefix = reader.keep(model.params, tokens, valid)
    made_for = fingerprint_of(model, reader.env, env_params, reader.prompt)
    return LanguageCompleterParams(model.params, prefix, valid, width, made_for)
