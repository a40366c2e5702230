"""jaxnasium trains on Frozen Lake: its own gymnax wrapper, its own PPO, nothing of ours between.

`make test-trainers` installs jaxnasium and runs this; the default selection leaves it out.
"""

import jax
import lprl_envs
import pytest

SEEDS = 3


@pytest.mark.trainers
@pytest.mark.filterwarnings("default")  # what other people's packages warn of is theirs
def test_ppo_crosses_the_lake():
    assert "FrozenLake-lprl" in lprl_envs.ENVIRONMENTS  # importing registers it, for `make` below
    import jaxnasium  # pyright: ignore[reportMissingImports]
    from jaxnasium.algorithms import PPO  # pyright: ignore[reportMissingImports]

    env = jaxnasium.make("gymnax:FrozenLake-lprl", map_name="4x4", is_slippery=False)
    ppo = PPO(total_timesteps=50_000, num_envs=32, num_steps=32, log_function=None)

    @jax.jit
    def success(key):
        key_init, key_train, key_play = jax.random.split(key, 3)
        untrained = ppo.init_agent(key_init, env).evaluate(key_play, env, 4)
        trained, _ = ppo.train(key_train, env)
        return untrained.mean(), trained.evaluate(key_play, env, 4).mean()

    with jax.numpy_rank_promotion("allow"):  # their shapes are theirs, too
        # One seed after another: mapped over seeds, jaxnasium's program hung on two CPU cores.
        results = [success(jax.random.key(seed)) for seed in range(SEEDS)]
    before, after = (sum(map(float, column)) / SEEDS for column in zip(*results, strict=True))
    # Measured on 8 seeds: 0 before and 1 after, each time. The policy and the ice are
    # deterministic, so a seed succeeds always or never.
    assert before <= 1 / SEEDS
    assert after >= 2 / SEEDS
