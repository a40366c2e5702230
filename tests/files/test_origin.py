"""Where a figure comes from: a commit, told apart from one that was changed since."""

import subprocess
from pathlib import Path

from lprl_jax.files import origin


def git(folder: Path, *arguments: str) -> str:
    own = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    return subprocess.check_output(["git", *own, *arguments], cwd=folder, text=True).strip()


def test_a_commit_and_whether_it_was_changed(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "--quiet", "-m", "a")
    head = git(tmp_path, "rev-parse", "HEAD")
    (tmp_path / "untracked").write_text("1")
    assert origin.commit(tmp_path) == head
    (tmp_path / "a").write_text("2")
    assert origin.commit(tmp_path) == head + "+"


def test_where_there_is_no_checkout_there_is_none(tmp_path: Path) -> None:
    assert origin.commit(tmp_path) == ""
    git(tmp_path, "init", "--quiet")
    assert origin.commit(tmp_path) == ""  # no commit yet
    git(tmp_path, "commit", "--quiet", "--allow-empty", "-m", "a")
    installed = tmp_path / "site-packages"
    installed.mkdir()
    assert origin.commit(installed) == ""
    assert origin.commit(tmp_path)
    assert origin.commit(tmp_path / "nowhere") == ""


def test_a_machine_has_a_name() -> None:
    assert origin.machine().startswith("CPU, ")
