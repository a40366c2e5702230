"""What a shell completes after `lprl completion`; bash itself is asked."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lprl_jax.cli import completion
from lprl_jax.cli.main import main
from lprl_jax.cli.parser import SHELLS


def completed(script: Path, folder: Path, *words: str) -> set[str]:
    """What bash offers for the last of the words."""
    typed = " ".join(f'"{word}"' for word in words)
    ask = (
        f'source "{script}"; COMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}; '
        'COMPREPLY=(); "$(complete -p lprl | sed "s/.*-F \\([^ ]*\\).*/\\1/")" 2>/dev/null; '
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    bash = shutil.which("bash")
    assert bash
    done = subprocess.run(
        [bash, "--norc", "-c", ask], capture_output=True, text=True, check=False, cwd=folder,
        env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    return set(done.stdout.split())


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("bash") / "lprl"
    file.write_text(completion.script("bash"))
    return file


def test_commands_are_completed(script: Path, tmp_path: Path) -> None:
    assert completed(script, tmp_path, "lprl", "re") == {"report"}
    assert {"train", "watch", "completion"} <= completed(script, tmp_path, "lprl", "")


def test_options_are_completed(script: Path, tmp_path: Path) -> None:
    assert completed(script, tmp_path, "lprl", "report", "--ep") == {"--episodes"}


def test_configs_and_files_are_completed(script: Path, tmp_path: Path) -> None:
    (tmp_path / "frozen_lake_of_mine.yaml").touch()
    found = completed(script, tmp_path, "lprl", "train", "frozen_lake_")
    assert {"frozen_lake_dqn_prior", "frozen_lake_of_mine.yaml"} <= found
    assert completed(script, tmp_path, "lprl", "watch", "frozen") == {"frozen_lake_of_mine.yaml"}


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_has_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    printed = capsys.readouterr().out
    assert "report" in printed
    assert shell == "tcsh" or "frozen_lake_dqn_prior" in printed
