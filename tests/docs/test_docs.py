"""The pages say what is so: environments with text, version and time limit; files and packages."""

import re
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


def test_the_architecture_names_files_that_are_there() -> None:
    text = (DOCS / "architecture.md").read_text()
    named = re.findall(r"`((?:lprl_jax|envs|tests|docs|bench|configs)/[\w./]*)`", text)
    paths = [name for name in named if "NAME" not in name]
    assert len(paths) > 40
    assert [name for name in paths if not (DOCS.parent / name).exists()] == []


def test_the_architecture_names_every_package() -> None:
    text = (DOCS / "architecture.md").read_text()
    packages = [
        folder.parent.name
        for root in ("lprl_jax", "envs/lprl_envs")
        for folder in (DOCS.parent / root).rglob("__init__.py")
    ]
    assert [name for name in packages if name not in text] == []
