"""Lines of a run: what a disk that fills up in between leaves behind can be read."""

from pathlib import Path
from typing import Any

import pytest

from lprl_jax.experiments import journal
from lprl_jax.experiments.journal import Journal
from lprl_jax.results import reading


def test_an_evaluation_is_there_with_its_clock_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = {"success": [1.0], "return": [1.0], "queries": 0, "evaluations": 0}
    write, written = journal._write, []

    def fourth_is_refused(file: Any, line: dict[str, Any]) -> None:
        written.append(Path(file.name).name)
        if len(written) == 4:
            raise OSError(28, "No space left on device")
        write(file, line)

    monkeypatch.setattr(journal, "_write", fourth_is_refused)
    with Journal(tmp_path, [], 0, 2, False) as lines:
        lines.record({"step": 0, **record}, 1.0, 1.0, 0)
        with pytest.raises(OSError, match="No space left"):
            lines.record({"step": 30, **record}, 1.0, 1.0, 30)
    assert written == ["timing.jsonl", "metrics.jsonl"] * 2
    (tmp_path / "run.json").write_text('{"settings": [{}]}')
    (tmp_path / "config.yaml").write_text("env: FrozenLake-lprl")
    assert reading.read(tmp_path).steps.tolist() == [0]
