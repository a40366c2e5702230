"""States a second scored by a language model: shared prefix and packed answers against naive.

The work: 256 states, each with 4 answers of 2 tokens behind a prompt of 96 + 16 tokens, embedded
model. Naive: every state x answer a sequence of its own through the same decoder, the output head
at the answers' positions only. Random tokens: speed does not depend on them.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from timing import Contender, Row, compiled, race, ratio, rows

from lprl_jax.lm import checkpoint, decoder, embedded, scoring

PREFIX, SUFFIX, BATCH, INSTANCES = 96, 16, 256, 50
ANSWERS = ((7, 3), (8, 3), (9, 3), (10, 3))


def run(quick: bool) -> tuple[list[Row], dict[str, float | None]]:
    """Rows and ratios."""
    model = checkpoint.load(embedded.path_of("embedded"))
    c, weights, trie = model.config, model.params, scoring.Trie.build(ANSWERS)
    rng = np.random.default_rng(0)
    prompts = jnp.asarray(rng.integers(0, c.vocab_size, (INSTANCES, PREFIX)), jnp.int32)
    suffix = jnp.asarray(rng.integers(0, c.vocab_size, (BATCH, SUFFIX)), jnp.int32)
    instance = jnp.asarray(rng.integers(0, INSTANCES, BATCH), jnp.int32)
    valid = jnp.ones((INSTANCES, PREFIX), bool)
    here = jnp.ones((BATCH, SUFFIX), bool)
    cache = jax.jit(decoder.encode_prefix, static_argnums=0)(c, weights, prompts, valid)
    first = jax.tree.map(lambda x: x[:, :1], cache)

    def shared(weights, prefix, suffix):
        out = scoring.score(c, weights, prefix, valid[:1], suffix[None], here[None], trie)
        return out[0]

    def per_instance(weights, cache, instance, suffix):
        own = jax.tree.map(lambda x: x[:, instance], cache)
        out = scoring.score(c, weights, own, valid[instance], suffix[:, None], here[:, None], trie)
        return out[:, 0]

    def naive(weights, prompt, suffix):
        answers = jnp.asarray(ANSWERS)
        count, length = answers.shape
        prompt = jnp.broadcast_to(prompt, (BATCH, PREFIX))
        text = jnp.concatenate([prompt, suffix], axis=1)
        text = jnp.repeat(text, count, axis=0)
        tokens = jnp.concatenate([text, jnp.tile(answers, (BATCH, 1))], axis=1)
        positions = jnp.broadcast_to(jnp.arange(tokens.shape[1]), (1, *tokens.shape))
        causal = jnp.tril(jnp.ones((tokens.shape[1],) * 2, bool))
        mask = jnp.broadcast_to(causal, (1, tokens.shape[0], *causal.shape))
        hidden, _ = decoder.Decoder(c).apply(
            {"params": weights}, tokens[None], positions, mask, *decoder.no_prefix(c)
        )
        read = hidden[0, :, -length - 1 : -1]
        log_probs = jax.nn.log_softmax(read @ decoder.head(weights).T, axis=-1)
        chosen = jnp.take_along_axis(log_probs, tokens[:, -length:, None], axis=-1)
        return jnp.sum(chosen, axis=(1, 2)).reshape(BATCH, count)

    def contender(function, *arguments) -> Contender:
        return compiled(function, *arguments, amount=BATCH, unit="states/s")

    contenders = {
        "language_prior/shared_prefix": contender(shared, weights, first, suffix),
        "language_prior/instance_prefix_50": contender(
            per_instance, weights, cache, instance, suffix
        ),
        "language_prior/naive": contender(naive, weights, prompts[0], suffix),
    }
    naive_scores = contenders["language_prior/naive"].call()
    difference = jnp.max(jnp.abs(naive_scores - contenders["language_prior/shared_prefix"].call()))
    assert difference < 1e-4, f"shared prefix and naive scores differ by {difference}"
    own = per_instance(weights, cache, jnp.zeros_like(instance), suffix)
    difference = jnp.max(jnp.abs(naive_scores - own))
    assert difference < 1e-4, f"instance prefix and naive scores differ by {difference}"
    seconds = race(contenders, repeats=10 if quick else 20)
    ratios: dict[str, float | None] = {
        "language_prior/shared_vs_naive": ratio(
            contenders, seconds, "language_prior/shared_prefix", "language_prior/naive"
        ),
        "language_prior/instance_prefix_vs_naive": ratio(
            contenders, seconds, "language_prior/instance_prefix_50", "language_prior/naive"
        ),
    }
    return rows(contenders, seconds), ratios
