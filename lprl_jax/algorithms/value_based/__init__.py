"""Algorithms that learn action values: `dqn` by acting, `cql` from data alone; `bc` clones data.

`sac` and `td3`, in a box of continuous actions, and `discrete_sac` learn values by acting too, and
a policy that climbs them.

`q_learning` is what DQN and CQL share, `control` what a prior does to both, `from_data` what
learners from data share, `from_replay` what those with a policy share, `replay` the memory of all
that act. `twin_losses` and `twin_critics` are about two critics, `squashed` is SAC's policy.
"""
