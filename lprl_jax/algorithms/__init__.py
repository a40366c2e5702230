"""Learning and planning algorithms: each a config, a state, and pure functions over R runs.

    value_based/    dqn, cql, bc: values of actions, online or from data alone;
                    sac, discrete_sac, td3: and a policy that climbs them
    policy_based/   ppo (A2C, KL-PPO, GFlan-Prior): a policy, by its gradient
    tabular/        linvit, value_iteration: tables over all states
    search/         slinvit: a tree, in the known law
    prior_only      acts as the prior does

A wing knows nothing of the others. What they share lies here: `base` (what an algorithm is),
`ties` (that what it is given belongs together), `arguments`, `asking` (of a prior), `interaction`
(with environments), `losses`, `policies`, `networks`, `descent`, `schedules` (when to ask a
completer); `registry` names them all.
`lprl_jax.dqn`, `.cql`, `.ppo`, ... are the modules to use, each with `make(config, env, prior)`. It
may import priors and below.
"""
