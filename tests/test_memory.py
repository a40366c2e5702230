"""How much memory is free, and the line that says it is too little."""

from __future__ import annotations

from pathlib import Path

import pytest
from lprl_envs import InvalidInput

from lprl_jax import memory
from lprl_jax.memory import Part


def test_the_host_has_some_memory_and_not_without_end() -> None:
    free = memory.free_bytes()
    assert free is None or 1 << 20 < free < 1 << 50


def test_more_than_there_is_is_refused_with_names_and_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda: 3_000_000_000)
    found = {"num_runs": 7, "buffer_size": 9, "num_envs": 1}
    parts = [Part(("num_runs", "buffer_size"), 40_000_000_000), Part(("num_envs",), 1_000)]
    with pytest.raises(InvalidInput) as error:
        memory.require("the runs", parts, found)
    assert str(error.value) == (
        "num_runs is 7, buffer_size is 9: the runs take 40.0 GB of memory or more, and 3.0 GB are "
        "free; make one of these smaller"
    )
    memory.require("the runs", [Part(("num_runs",), 3_000_000_000)], found)
    monkeypatch.setattr(memory, "free_bytes", lambda: None)
    memory.require("the runs", parts, found)


@pytest.mark.parametrize(
    ("num_bytes", "words"),
    [
        (0, "0.0 kB"),
        (950, "0.9 kB"),
        (40.2e9, "40.2 GB"),
        (3e12, "3.0 TB"),
        (5e15, "5,000.0 TB"),
    ],
)
def test_bytes_in_words(num_bytes: float, words: str) -> None:
    assert memory.in_words(int(num_bytes)) == words


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("0::/outer/inner", ("memory.max", "memory.current", "inactive_file")),
        (
            "4:cpu,memory:/outer/inner",
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ),
    ],
)
def test_the_narrowest_control_group_counts(
    line: str, names: tuple[str, str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit, used, cached = names
    root = tmp_path if line.startswith("0::") else tmp_path / "memory"
    groups = {root / "outer": ("9000", "1000"), root / "outer" / "inner": ("max", "500")}
    for group, (most, now) in groups.items():
        group.mkdir(parents=True)
        (group / limit).write_text(most + "\n")
        (group / used).write_text(now + "\n")
        (group / "memory.stat").write_text(f"file 3\n{cached} 200\n")
    table = tmp_path / "cgroup"
    table.write_text(f"{line}\n1:pids:/elsewhere\nnonsense\n")
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path)
    monkeypatch.setattr(memory, "_GROUPS_OF_THIS", table)
    assert memory.free_bytes() == 9000 - 1000 + 200


def test_without_control_groups_the_system_says_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 100 kB\nMemAvailable: 7 kB\n")
    monkeypatch.setattr(memory, "_MEMINFO", meminfo)
    monkeypatch.setattr(memory, "_GROUPS_OF_THIS", tmp_path / "none")
    assert memory.free_bytes() == 7 * 1024
