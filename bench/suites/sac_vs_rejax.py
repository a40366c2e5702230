"""SAC on Pendulum-v1, here and in rejax, at equal settings: `lprl train pendulum_sac`.

10,000 environment steps a run and as many gradient steps but for the first 256, by rejax's
`SAC.train` as it is published, and by ours (`tools/peer_training.py`).

Settings are those that rejax publishes for Pendulum: one environment, a gradient step a step, batch
256, a replay of 10,000, 64-64 networks, Adam at .01, γ .99, Polyak .98. Two of them ours does not
have, so that theirs goes without: swish units (relu) and normalised observations. A gradient step
is then the same arithmetic in both: a forward of the policy and of both target critics at the next
states; forwards and backwards of both critics; of the policy, through both critics; three of Adam.

One thing theirs does more: a batch is drawn without replacement, which orders all 10,000 places
anew at each step. So it is measured a second time where theirs draws as ours does: these ratios
compare equal work, the others what a user gets. What else differs is small. Theirs keeps
observations, ours states, of which an observation is a part here. Ours draws its first actions
uniformly, theirs by its policy. Ours would clip gradients by their norm, theirs each number by
itself; neither has a bound here.

The floor is the networks' matrix products: `MACS` multiplications an example, batch 256, 36 MFLOP a
gradient step of a run. The note on a row of ours says which share that is of what the device does
in the same process on large square matrices. Of the rest much is that 64-wide matrices are slower,
those of weights' gradients most.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

from tools.peer_training import BOTH_DRAWS, Contest, Training
from tools.peers import REJAX

BATCH, POLICY, CRITIC = 256, (3 * 64, 64 * 64, 64 * 2), (4 * 64, 64 * 64, 64)
"""Examples a gradient step, and the weights of a network's layers."""
MACS = (
    (1 + 2) * sum(POLICY) + sum(POLICY[1:])  # forward at s'; at s, and backward
    + 2 * (1 + 2) * sum(CRITIC) + 2 * sum(CRITIC[1:])  # targets; critics, and backward
    + 2 * 2 * sum(CRITIC)  # what the policy climbs, and backward to the action
)  # fmt: skip
"""Multiplications of a gradient step, an example. Backward is one for a layer's weights and one for
its inputs, but for the first layer's inputs, which are given."""
STEPS, FILL = 10_000, 256


def settings(steps: int) -> dict[str, Any]:
    """Ours, of a training of so many steps; of a shorter one the parts are as long."""
    return {
        "num_envs": 1,
        "updates_per_rollout": 1,
        "learning_starts": FILL * min(steps, STEPS) // STEPS
        + 1,  # theirs begins beyond, ours at it
        "buffer_size": 10_000,
        "batch_size": BATCH,
        "hidden_sizes": "[64, 64]",
        "learning_rate": 0.01,
        "gamma": 0.99,
        "tau": 0.02,
        "temperature": 1.0,
        "target_entropy": -1.0,
    }


def share_of_floor(about: Mapping[str, Any], seconds: list[float]) -> str:
    """Of the rate of large matrices, what the networks' products alone reach."""
    runs = about["steps"] / about["steps_a_run"]
    flops = 2.0 * MACS * BATCH * max(about["gradient_steps"]) * runs
    share = flops / statistics.median(seconds) / about["matmul_flops"]
    return f"; {share:.0%} of the floor's speed"


CONTEST = Contest(
    peer=REJAX,
    program=("rejax_training.py", "sac"),
    config="pendulum_sac",
    settings=settings,
    policy="sample",
    learnt=-300.0,  # a policy that does nothing useful has -1,200, the best one -140
    steps=STEPS,
    names=("training/rejax_sac", "training/sac", "training/sac_vs_rejax"),
    trainings=(
        Training(1, STEPS, 11, BOTH_DRAWS),
        Training(32, 2_000, 10, BOTH_DRAWS),
        Training(256, 400, 10, BOTH_DRAWS),
    ),
    remark=share_of_floor,
)
run = CONTEST.run
