"""TD3 on Pendulum-v1, here and in rejax, at equal settings: `lprl train pendulum_td3`.

10,000 environment steps a run and as many gradient steps of the critics but for the first 1,000,
half as many of the policy, by rejax's `TD3.train` as it is published, and by ours
(`tools/peer_training.py`).

Settings are those that rejax publishes for Pendulum: one environment, a gradient step a step, batch
100, a replay of 10,000, 64-64 networks, Adam at .001, γ .99, the policy and Polyak .95 at every
second step. Noises are in units of half the box in ours, of the action in theirs, so that ours are
half. Two settings ours does not have, so that theirs goes without: swish units (relu) and
normalised observations. A gradient step is then the same arithmetic in both, but for what the
policy climbs: in theirs the mean of both critics, in ours the first one's value, though both are
computed; theirs learns its policy from the last of the two batches, as ours does.

That both learn is shown by trainings of 20,000 steps. After the 10,000 that are published, and are
timed, theirs had not, without what was left out and drawing without replacement: the median of five
runs was -494. Where it drew with replacement, three of eight runs had not; of ours all eight had.

One thing theirs does more: a batch is drawn without replacement, which orders all 10,000 places
anew at each step. So it is measured a second time where theirs draws as ours does: these ratios
compare equal work, the others what a user gets. What else differs is small. Theirs keeps
observations, ours states, of which an observation is a part here. Ours clips gradients to a norm of
100, theirs each number to 100.
"""

from __future__ import annotations

from typing import Any

from tools.peer_training import BOTH_DRAWS, Contest, Training
from tools.peers import REJAX

STEPS, FILL = 10_000, 1_000
LEARNING_STEPS = 20_000
"""Of the trainings that show that both learn."""


def settings(steps: int) -> dict[str, Any]:
    """Ours, of a training of so many steps; of a shorter one the parts are as long."""
    return {
        "num_envs": 1,
        "updates_per_rollout": 1,
        "learning_starts": FILL * min(steps, STEPS) // STEPS
        + 2,  # theirs looks beyond it before it acts
        "policy_delay": 2,
        "buffer_size": 10_000,
        "batch_size": 100,
        "hidden_sizes": "[64, 64]",
        "max_grad_norm": 100.0,
        "learning_rate": 0.001,
        "gamma": 0.99,
        "tau": 0.05,
        "exploration_noise": 0.15,
        "target_noise": 0.1,
        "noise_clip": 0.25,
    }


CONTEST = Contest(
    peer=REJAX,
    program=("rejax_training.py", "td3"),
    config="pendulum_td3",
    settings=settings,
    policy="greedy",
    learnt=-300.0,  # a policy that does nothing useful has -1,200, the best one -140
    steps=LEARNING_STEPS,
    names=("training/rejax_td3", "training/td3_as_rejax", "training/td3_vs_rejax"),
    trainings=(
        Training(1, STEPS, 11, BOTH_DRAWS),
        Training(32, 2_000, 10, BOTH_DRAWS),
        Training(256, 300, 10, BOTH_DRAWS),
    ),
)
run = CONTEST.run
