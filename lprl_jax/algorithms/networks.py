"""Networks of the learners."""

import flax.linen as nn
import jax
import jax.numpy as jnp


class OneHotDense(nn.Module):
    """`nn.Dense` on one-hot vectors that are given by their indices: the same numbers, looked up.

    A third of a small network's arithmetic is in multiplying by zeros otherwise.
    """

    num_inputs: int
    """Length of the vectors."""
    features: int
    """Of the output."""
    use_bias: bool = True
    """As in `nn.Dense`."""
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()
    """As in `nn.Dense`."""

    @nn.compact
    def __call__(self, index: jax.Array) -> jax.Array:
        """`i32[...]` to `f32[..., features]`."""
        shape = (self.num_inputs, self.features)
        rows = self.param("kernel", self.kernel_init, shape)[index]
        if not self.use_bias:
            return rows
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        return rows + jnp.broadcast_to(bias, rows.shape)


class QNetwork(nn.Module):
    """An observation, a vector or the index of a state, to one value an action."""

    hidden_sizes: tuple[int, ...]
    """Widths of the hidden layers."""
    num_actions: int
    """A."""
    num_states: int
    """Indices run up to here; not used where observations are vectors."""
    optimism: float = 0.0
    """Added to every value and never learnt, so that what was not tried stays attractive.

    The output layer has no bias for the same reason: learning of one state would move them all.
    """

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """`f32[..., features]` or `i32[...]` to `f32[..., A]`."""
        sizes = [*self.hidden_sizes, self.num_actions]
        for i, size in enumerate(sizes):
            last = i == len(sizes) - 1
            name = f"Dense_{i}"
            if jnp.issubdtype(x.dtype, jnp.integer):
                x = OneHotDense(self.num_states, size, use_bias=not last, name=name)(x)
            else:
                x = nn.Dense(size, use_bias=not last, name=name)(x)
            x = x if last else nn.relu(x)
        return self.optimism + x


class ReluNetwork(nn.Module):
    """A vector to numbers, by relu layers with biases."""

    hidden_sizes: tuple[int, ...]
    """Widths of the hidden layers; none makes it linear."""
    num_outputs: int
    """Of the last layer."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """`f32[..., features]` to `f32[..., num_outputs]`."""
        for size in self.hidden_sizes:
            x = nn.relu(nn.Dense(size)(x))
        return nn.Dense(self.num_outputs)(x)


class TanhNetwork(nn.Module):
    """An observation, a vector or the index of a state, to numbers, by tanh layers.

    Weights are orthogonal at first, those of the last layer of a chosen size: what policy
    gradients do well with (Andrychowicz et al. 2021, What Matters in On-Policy Reinforcement
    Learning, arXiv 2006.05990).
    """

    hidden_sizes: tuple[int, ...]
    """Widths of the hidden layers."""
    num_outputs: int
    """Of the last layer."""
    num_states: int
    """Indices run up to here; not used where observations are vectors."""
    scale: float
    """Of the last layer's first weights."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """`f32[..., features]` or `i32[...]` to `f32[..., num_outputs]`."""
        sizes = [*self.hidden_sizes, self.num_outputs]
        for i, size in enumerate(sizes):
            last = i == len(sizes) - 1
            rows = nn.initializers.orthogonal(self.scale if last else 2**0.5)
            if jnp.issubdtype(x.dtype, jnp.integer):
                x = OneHotDense(self.num_states, size, kernel_init=rows, name=f"Dense_{i}")(x)
            else:
                x = nn.Dense(size, kernel_init=rows, name=f"Dense_{i}")(x)
            x = x if last else nn.tanh(x)
        return x
