"""docs/environments.md says what is so: every environment, its text, version and time limit."""

from pathlib import Path

import jax
import lprl_envs
import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "environments.md").read_text()


@pytest.mark.parametrize("env_id", lprl_envs.ENVIRONMENTS)
def test_an_environment_has_its_section(env_id):
    env = lprl_envs.ENVIRONMENTS[env_id]()
    params = env.default_params
    _, state = env.reset(jax.random.key(0), params)
    section = PAGE.partition(f"\n## {env_id}\n")[2].partition("\n## ")[0]
    assert f"```\n{env.describe(state, params)}\n```" in section
    assert all(f"`{family}`" in section or family in section for family in env.families)
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{env_id}`"))
    assert row.split("|")[-2].strip() == str(env.version)
    pictures = [word for word in section.split("(") if word.startswith("pictures/")]
    assert pictures
    assert all((DOCS / picture.partition(")")[0]).is_file() for picture in pictures)
