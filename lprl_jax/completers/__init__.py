"""Whoever completes a pattern at once: language models, recorded answers, controls."""

from lprl_jax.completers.base import Answers, Completer, require_completable

__all__ = ["Answers", "Completer", "require_completable"]
