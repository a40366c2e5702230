"""Algorithms that learn a policy by its gradient: `ppo`, with A2C, KL-PPO and GFlan-Prior.

`actor_critic` is the policy as a network, `language_policy` as a language model; `rollout`, `gae`,
`policy_losses` and `divergence` are the steps of an update.
"""
