"""DQN on CartPole-v1, here and in rejax, at equal settings: `lprl train cartpole_dqn`.

100,000 environment steps a run, of ten environments, and half as many gradient steps, by rejax's
`DQN.train` as it is published, and by ours (`tools/peer_training.py`).

Settings are those that rejax publishes for CartPole: five gradient steps a step of the
environments, batch 100, a replay of 50,000, 64-64 networks, Adam at .001, γ .99, ε from 1 to .05
over half the training. Four of them ours does not have, so that theirs goes without: swish units
(relu), a duelling network, double Q-learning, and 5,000 steps before anything is learnt; theirs
learns from 110 steps on, for it draws 100 different ones, ours from the first ten: 49,945 gradient
steps and 50,000. A gradient step is then the same arithmetic in both, but for the targets: theirs
follow by Polyak .98 once in five gradient steps, ours at each of them by the fifth root, .99597:
ours updates targets five times as often. Ours clips gradients to a norm of 10, theirs each number
to 10. Their last layer has biases, ours has none.

One thing theirs does more: a batch is drawn without replacement, which orders all 50,000 places
anew at each gradient step. So it is measured a second time where theirs draws as ours does: these
ratios compare equal work, the others what a user gets. Theirs keeps observations, ours states, of
which an observation is a part here, with gymnax's numbers beside it: more memory is moved in ours.
"""

from __future__ import annotations

from typing import Any

from tools.peer_training import BOTH_DRAWS, Contest, Training
from tools.peers import REJAX

STEPS, POLYAK, EPOCHS = 100_000, 0.98, 5


def settings(steps: int) -> dict[str, Any]:
    """Ours, of a training of so many steps; of a shorter one the parts are as long."""
    return {
        "num_envs": 10,
        "rollout_length": 1,
        "updates_per_rollout": EPOCHS,
        "buffer_size": 50_000,
        "batch_size": 100,
        "hidden_sizes": "[64, 64]",
        "max_grad_norm": 10.0,
        "learning_rate": 0.001,
        "gamma": 0.99,
        "tau": 1 - POLYAK ** (1 / EPOCHS),
        "epsilon": 0.05,
        "epsilon_steps": 0.5 * steps,
    }


CONTEST = Contest(
    peer=REJAX,
    program=("rejax_training.py", "dqn"),
    config="cartpole_dqn",
    settings=settings,
    policy="greedy",
    learnt=400.0,  # the most is 500, actions at random have 22
    steps=STEPS,
    names=("training/rejax_dqn", "training/dqn_as_rejax", "training/dqn_vs_rejax"),
    trainings=(
        Training(1, STEPS, 11, BOTH_DRAWS),
        Training(32, 3_000, 10, BOTH_DRAWS),
        Training(256, 400, 10, BOTH_DRAWS),
    ),
)
run = CONTEST.run
