"""Other libraries' environments as ours, and ours as theirs.

`gymnax_env` runs gymnax's own environments under our contract. `gymnasium_adapter` makes Gymnasium
environments of ours; importing it registers their ids there, so that it is not imported here.
"""

from lprl_envs.bridges.gymnax_env import GymnaxEnv

__all__ = ["GymnaxEnv"]
