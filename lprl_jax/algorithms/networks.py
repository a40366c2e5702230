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
    """What every value is, about, before anything is learnt: the output layer's initial bias."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """`f32[..., features]` to `f32[..., A]`."""
        for size in self.hidden_sizes:
            x = nn.relu(nn.Dense(size)(x))
        return nn.Dense(self.num_actions, bias_init=nn.initializers.constant(self.optimism))(x)
