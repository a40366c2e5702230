"""DQN on CartPole-v1, here and in purejaxrl, at equal settings: `lprl train cartpole_dqn`.

Half a million environment steps a run, of ten environments, and a gradient step for every ten, by
their `make_train` as it stands in a clone of theirs, and by ours; with one run, with 32 and with
256, theirs by `jax.vmap(train)` as they propose (`tools/peer_training.py`). Of ours the many are
also divided over the devices, a device a core, as `lprl train` does; theirs has no such thing.

Settings are those of their `main`: batch 128, a replay of 10,000, a 120-84 network, Adam at .00025,
γ .99, ε from 1 to .05 over half the training. Both draw batches with replacement. A gradient step
is the same arithmetic in both, but for the targets: theirs are a copy of the network, made anew
every 50 gradient steps, ours follow by .04 at each of them. That is as far behind, 24 gradient
steps in the mean, but ours updates its targets 50 times as often. Ours learns from the first ten
steps on, theirs waits for 10,000: 50,000 gradient steps and 49,000. Neither bounds gradients. Their
last layer has biases, ours has none. Their replay keeps an observation a step and takes the next
one from the step after, be it of the next episode, and does not bootstrap where a time limit cut an
episode; ours keeps the states before and after, of which an observation is a part, with gymnax's
numbers beside it: more memory is moved in ours.
"""

from __future__ import annotations

from typing import Any

from tools.peer_training import AS_PUBLISHED, BOTH_SPREADS, Contest, Training
from tools.peers import PUREJAXRL

STEPS = 500_000


def settings(steps: int) -> dict[str, Any]:
    """Ours, of a training of so many steps; of a shorter one the parts are as long."""
    return {
        "num_envs": 10,
        "rollout_length": 1,
        "updates_per_rollout": 1,
        "buffer_size": 10_000,
        "batch_size": 128,
        "hidden_sizes": "[120, 84]",
        "max_grad_norm": ".inf",
        "learning_rate": 0.00025,
        "gamma": 0.99,
        "tau": 0.04,
        "epsilon": 0.05,
        "epsilon_steps": 0.5 * steps,
    }


CONTEST = Contest(
    peer=PUREJAXRL,
    program=("purejaxrl_dqn.py",),
    config="cartpole_dqn",
    settings=settings,
    policy="greedy",
    learnt=300.0,  # the most is 500, actions at random have 22
    steps=STEPS,
    names=("training/purejaxrl_dqn", "training/dqn_as_purejaxrl", "training/dqn_vs_purejaxrl"),
    trainings=(
        Training(1, STEPS, 11),
        Training(32, 20_000, 10, AS_PUBLISHED, BOTH_SPREADS),
        Training(256, 4_000, 10, AS_PUBLISHED, BOTH_SPREADS),
    ),
)
run = CONTEST.run
