"""One self-contained HTML page about runs: curves, tables, settings, versions, commands.

Nothing is loaded from elsewhere, so the file can be sent to a colleague as it is.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lprl_jax.experiments import run_directory
from lprl_jax.results import comparison, grids, plotting, reading
from lprl_jax.results.curves import LOST, WINDOW
from lprl_jax.results.reading import Result
from lprl_jax.results.statistics import MIN_RUNS

ENDINGS = (".html", ".htm")
"""Of files that hold the page."""
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem;
       color: #1a1a1a; background: #fff; }
h1 { font-size: 1.7rem; } h2 { font-size: 1.25rem; margin-top: 2.5rem; }
img { max-width: 100%; height: auto; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid #ddd;
         vertical-align: top; white-space: nowrap; }
th { border-bottom: 2px solid #888; white-space: normal; }
code, pre { font: .9rem/1.45 ui-monospace, monospace; }
pre { background: #f5f5f5; padding: .7rem; overflow-x: auto; }
p.note { color: #555; max-width: 46rem; }
"""

NOTE = (
    "IQM: interquartile mean over the runs. Intervals: 95 %; of an IQM by bootstrap over the runs, "
    "and none of fewer than {runs}. Steps are of one run. A threshold is reached at the first "
    "evaluation with which the mean of the last {window} is at least as high, if no later mean of "
    "{lost} is below it again; a median beyond the last step is given as “&gt;”, “–” "
    "is what cannot be told. Seconds count set-up (prior, compilation; once, also where a run was "
    "resumed) and training of all runs together, not evaluation. Area: under the success curve, "
    "over all steps of a run; which of two has more is told up to the last step that both have "
    "reached. Queries: prompts that all runs of the program asked about; evaluations: prompts that "
    "went through the model."
)
"""Under the figures."""


def render(paths: Sequence[Path], threshold: float = comparison.THRESHOLD) -> str:
    """The page.

    Args:
        paths: Run directories, and directories that hold some.
        threshold: Success rate to reach.

    Raises:
        InvalidInput: if there is no run, one that is damaged, runs that cannot be laid side by
            side, or a threshold that no share of their episodes comes near.
    """
    found = reading.read_all(paths)
    grids.require_share(found, threshold)
    directories = [run for path in paths for run in reading.runs_in(path)]
    configs = {d.absolute().name: run_directory.read_config(d) for d in directories}
    origins = {d.absolute().name: run_directory.read_provenance(d) for d in directories}
    title = f"{', '.join(configs)}: {next(iter(configs.values())).get('env')}"
    body = [
        f"<h1>{html.escape(title)}</h1>",
        "<h2>Learning curves</h2>",
        *_curves(found, threshold),
        "<h2>Figures</h2>",
        _figures(found, threshold),
        "<h2>Settings</h2>",
        _settings(configs),
        "<h2>Commands and versions</h2>",
        _origins(origins),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def _curves(found: Mapping[str, Result], threshold: float) -> list[str]:
    """Success against steps, and against the clock."""
    by_steps = {name: plotting.Curve(r.steps, r.success) for name, r in found.items()}
    by_clock = {
        name: plotting.Curve(r.setup_seconds + r.seconds, r.success) for name, r in found.items()
    }
    step = grids.step_of(found)
    against_steps = plotting.draw_learning_curves(
        by_steps, threshold=threshold, xlabel=f"{step} a run"
    )
    against_clock = plotting.draw_learning_curves(
        by_clock,
        threshold=threshold,
        xlabel="seconds: set-up and training of all runs",
        log_steps=False,
    )
    return [
        _image(plotting.as_svg(against_steps), f"Success rate against {step} a run."),
        _image(plotting.as_svg(against_clock), "Success rate against seconds."),
    ]


def _image(svg: str, description: str) -> str:
    data = base64.b64encode(svg.encode()).decode()
    return f'<p><img alt="{html.escape(description)}" src="data:image/svg+xml;base64,{data}"></p>'


def _figures(found: Mapping[str, Result], threshold: float) -> str:
    head, rows = comparison.cells(comparison.summarize(found, threshold), threshold)
    lines = [*grids.notes(found, threshold), NOTE.format(window=WINDOW, lost=LOST, runs=MIN_RUNS)]
    return "\n".join([_table(head, rows), *(f'<p class="note">{line}</p>' for line in lines)])


def _settings(configs: Mapping[str, Mapping[str, Any]]) -> str:
    """What differs between the runs first, then what they share."""
    flat = {name: _flat(config) for name, config in configs.items()}
    fields = list(dict.fromkeys(field for config in flat.values() for field in config))
    values = {f: [str(config.get(f, "–")) for config in flat.values()] for f in fields}
    differ = [f for f in fields if len(set(values[f])) > 1]
    shared = [[f, values[f][0]] for f in fields if f not in differ]
    parts = []
    if differ:
        parts.append(_table(["differs", *flat], [[f, *values[f]] for f in differ]))
        parts.append("<p></p>")
    parts.append(_table(["shared by all" if len(flat) > 1 else "field", "value"], shared))
    return "\n".join(parts)


def _flat(config: Mapping[str, Any]) -> dict[str, Any]:
    inner = {f"env_params.{k}": v for k, v in (config.get("env_params") or {}).items()}
    return {**{k: v for k, v in config.items() if k != "env_params"}, **inner}


def _origins(origins: Mapping[str, Mapping[str, Any]]) -> str:
    commands = "\n".join(
        html.escape(str(command))
        for command in dict.fromkeys(o["command"] for o in origins.values())
    )
    names = [n for n in next(iter(origins.values())) if n not in ("command", "settings", "data")]
    rows = [[name, *(str(o.get(name, "–")) for o in origins.values())] for name in names]
    return f"<pre>{commands}</pre>\n{_table(['', *origins], rows)}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(c)}</{tag}>" for c in cells) + "</tr>"

    body = "\n".join(line(row, "td") for row in rows)
    return (
        f'<div class="scroll"><table><thead>{line(head, "th")}</thead>\n'
        f"<tbody>{body}</tbody></table></div>"
    )
