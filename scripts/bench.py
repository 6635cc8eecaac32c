"""What things cost beside their baselines: every part in a process of its own, one table, the goals judged.

Exit code 1 when a goal is missed.
"""

import argparse
import importlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from bench_table import DATA, Line, effort, render

PARTS = {
    "venue": ("bench_venue", "venue_lines", "CPU per book message and per trade beside ccxt alone"),
    "cycle": ("bench_cycle", "lines", "one full quote cycle, without and with a network"),
    "online": ("bench_online", "lines", "the quote cycle beside a thread that learns"),
    "orders": ("bench_venue", "order_lines", "order round trip beside bare aiohttp; the journal's write"),
    "kernel": ("bench_loop", "lines", "the fill loop beside hftbacktest's"),
    "learn": ("bench_learn", "lines", "learner updates per second beside a plain loop in torch"),
    "backtest": ("bench_backtest", "lines", "the backtest, its environment and sweep beside hftbacktest"),
    "memory": ("bench_daemon", "memory_lines", "the daemon's memory above its imports, and its slope"),
    "start": ("bench_daemon", "start_lines", "start to first quote"),
}


def arguments() -> argparse.Namespace:
    """The command line."""
    text = "\n".join(f"  {name:9} {what}" for name, (_, _, what) in PARTS.items())
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=f"parts:\n{text}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help="which to measure; all when none is named")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions: a look, not a verdict")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every number here")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of recordings, used where it exists")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    for part in options.parts:
        if part not in PARTS:
            parser.error(f"no part {part!r}; there are {', '.join(PARTS)}")
    return options


def measure(part: str, options: argparse.Namespace) -> list[Line]:
    """A part's lines, measured in a fresh process so that no part inherits another's heap."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        command = [
            sys.executable,
            __file__,
            part,
            "--alone",
            "--json",
            file.name,
            "--data",
            str(options.data),
        ]
        subprocess.run([*command, *(["--quick"] if options.quick else [])], check=True)
        return [Line(**raw) for raw in json.load(file)["fields"]]


def write(path: Path, lines: list[Line], options: argparse.Namespace) -> None:
    """Every number, its goal and verdict."""
    fields = [line.as_json() for line in lines]
    derived = ("ratio", "holds")
    content = {
        "format": "asmm-bench/1",
        "quick": options.quick,
        "lines": fields,
        "fields": [{key: value for key, value in raw.items() if key not in derived} for raw in fields],
    }
    path.write_text(json.dumps(content, indent=2, allow_nan=False, default=str))


def main() -> int:
    """Measures, prints, judges."""
    options = arguments()
    parts = options.parts or list(PARTS)
    if options.alone:
        module, name, _ = PARTS[parts[0]]
        write(options.json, getattr(importlib.import_module(module), name)(effort(options)), options)
        return 0
    lines: list[Line] = []
    failed = []
    for part in parts:
        print(f"measuring {part}: {PARTS[part][2]} ...", file=sys.stderr, flush=True)
        try:
            lines += measure(part, options)
        except subprocess.CalledProcessError as error:
            failed.append(f"{part} could not be measured (exit code {error.returncode})")
    print(render(lines))
    for text in failed:
        print(text)
    if options.json is not None:
        write(options.json, lines, options)
    return 1 if failed or any(line.holds is False for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
