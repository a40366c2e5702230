"""PPO on CartPole-v1, here and in rejax, at equal settings: `lprl train cartpole_ppo`.

100,000 environment steps a run, 200 roll-outs, by rejax's `PPO.train` as it is published, and by
ours (`tools/peer_training.py`).

Settings are those that rejax publishes for CartPole: five environments, roll-outs of 100 steps,
five epochs of five minibatches, two 64-64 tanh networks, Adam at .00075 with its own ε, γ .99,
λ .95, clipping by .2 of policy and values, entropy .01. A gradient step is then the same arithmetic
in both, but that theirs has an Adam for each network and ours one for both, and ours clips
gradients to a norm of .5, of both networks together, theirs each number to .5. Weights are
orthogonal at first in ours, after LeCun in theirs. In ours time limits bootstrap, from values of
the states where episodes were cut, which theirs does not compute.
"""

from __future__ import annotations

from typing import Any

from tools.peer_training import Contest, Training
from tools.peers import REJAX

STEPS = 100_000


def settings(steps: int) -> dict[str, Any]:
    """Ours; the same for a training of any length."""
    del steps
    return {
        "num_envs": 5,
        "rollout_length": 100,
        "num_epochs": 5,
        "num_minibatches": 5,
        "hidden_sizes": "[64, 64]",
        "learning_rate": 0.00075,
        "anneal_steps": ".inf",
        "gamma": 0.99,
        "gae_lambda": 0.95,
        "clip_epsilon": 0.2,
        "value_clip": 0.2,
        "value_coef": 0.5,
        "entropy_coef": 0.01,
        "max_grad_norm": 0.5,
        "adam_epsilon": 1e-8,
    }


CONTEST = Contest(
    peer=REJAX,
    program=("rejax_training.py", "ppo"),
    config="cartpole_ppo",
    settings=settings,
    policy="sample",
    learnt=300.0,  # the most is 500, actions at random have 22
    steps=STEPS,
    names=("training/rejax_ppo", "training/ppo_as_rejax", "training/ppo_vs_rejax"),
    trainings=(
        Training(1, STEPS, 21),
        Training(32, STEPS, 10),
        Training(256, STEPS // 5, 10),
    ),
)
run = CONTEST.run
