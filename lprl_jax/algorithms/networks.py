"""Networks of the learners."""

import flax.linen as nn
import jax


class QNetwork(nn.Module):
    """An observation vector to one value an action."""

    hidden_sizes: tuple[int, ...]
    """Widths of the hidden layers."""
    num_actions: int
    """A."""
    optimism: float = 0.0
    """Added to every value and never learnt, so that what was not tried stays attractive.

    The output layer has no bias for the same reason: learning of one state would move them all.
    """

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """`f32[..., features]` to `f32[..., A]`."""
        for size in self.hidden_sizes:
            x = nn.relu(nn.Dense(size)(x))
        return self.optimism + nn.Dense(self.num_actions, use_bias=False)(x)
