"""Algorithms that learn action values: `dqn` by acting, `cql` from data alone; `bc` clones data.

`q_learning` is what DQN and CQL share, `control` what a prior does to both, `from_data` what
learners from data share, `replay` the memory of those that act.
"""
