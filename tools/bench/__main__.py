"""python -m tools.bench: measures, and prints tables for docs/performance.md.

python -m tools.bench                        everything, some minutes
python -m tools.bench --rounds 5 --no-scale  quickly
"""

from __future__ import annotations

import argparse
import os
import platform
import ssl
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median

from local import api_calls
from local.artifact import Artifact, Interpreter
from local.certificates import make_certificates
from local.endpoints import Endpoints
from local.runtime import SAM_PYTHON
from tools.bench import scale, speed
from tools.bench.contenders import build


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.bench", description="Measure, and print tables for docs/performance.md."
    )
    parser.add_argument("--rounds", type=int, default=20, help="cold starts of each contender (default: %(default)s)")
    parser.add_argument("--warm", type=int, default=50, help="warm events after each (default: %(default)s)")
    parser.add_argument("--domains", type=int, default=100, help="of the scale benchmark (default: %(default)s)")
    parser.add_argument("--no-scale", action="store_true", help="leave the scale benchmark out")
    parser.add_argument("--python", type=Path, default=SAM_PYTHON, help="runs the functions; has awslambdaric")
    options = parser.parse_args()
    interpreter = Interpreter.at(options.python)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        _progress("building")
        contenders = build(folder, interpreter, SAM_PYTHON.with_name("sam"))
        project = contenders[0]
        with Endpoints(make_certificates(folder)) as endpoints:
            _progress(
                f"{options.rounds} cold starts of each of {len(contenders)}, {options.warm} warm events after each"
            )
            times = speed.measure(
                contenders, endpoints, options.python, rounds=options.rounds, warm_events=options.warm
            )
            counted = api_calls.count(project, endpoints, options.python)
            storms: list[scale.Storm] = []
            if not options.no_scale:
                _progress(f"{options.domains} domains at once, made, changed and deleted")
                storms += scale.measure(project, endpoints, interpreter.path, sizes=[options.domains])
        print(f"Measured with `make bench` on {_machine(interpreter)}.\n")
        print("\n".join(_table(_speed_rows(contenders, times, folder))))
        print("\n".join(["", *_table(_calls_rows(counted))]))
        if storms:
            print("\n".join(["", *_table(_scale_rows(storms))]))


def _machine(interpreter: Interpreter) -> str:
    processor = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            processor = line.partition(":")[2].strip()
            break
    return (
        f"{os.cpu_count()} cores ({processor}), Python {interpreter.version}, {ssl.OPENSSL_VERSION}, "
        f"boto3 {version('boto3')}, crhelper {version('crhelper')}, Powertools {version('aws-lambda-powertools')}"
    )


def _speed_rows(contenders: Sequence[Artifact], times: dict[str, speed.Times], folder: Path) -> Iterator[Sequence[str]]:
    yield "", "cold, ms", "to bare", "warm, ms", "to bare", "memory, MiB", "zipped, MB"
    bare = times[contenders[1].name]
    for contender in contenders:
        its = times[contender.name]
        cold, warm = median(its.cold), median(its.warm)
        size = contender.archive(folder).stat().st_size / 1e6
        yield (
            contender.name,
            f"{cold:.0f}",
            f"{cold / median(bare.cold):.2f}",
            f"{warm:.1f}",
            f"{warm / median(bare.warm):.2f}",
            f"{median(its.memory):.0f}",
            f"{size:.1f}",
        )


def _calls_rows(counted: Sequence[api_calls.Calls]) -> Iterator[Sequence[str]]:
    yield "event", "API calls", "at most", "which"
    for it in counted:
        yield it.event, str(len(it.made)), str(it.budget), ", ".join(it.made)


def _scale_rows(storms: Sequence[scale.Storm]) -> Iterator[Sequence[str]]:
    yield "events at once", "number", "done", "FAILED", "throttled calls", "time, s", "by the quotas, s", "ratio"
    for it in storms:
        yield (
            it.events,
            str(it.domains),
            str(it.done),
            str(it.failed),
            str(it.throttled),
            f"{it.seconds:.1f}",
            f"{it.quota_seconds:.1f}",
            f"{it.seconds / it.quota_seconds:.2f}" if it.quota_seconds else "",
        )


def _table(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The rows as a table in Markdown; the first one is its head."""
    head, *body = rows
    yield f"| {' | '.join(head)} |"
    yield f"| --- |{' ---: |' * (len(head) - 1)}"
    for row in body:
        yield f"| {' | '.join(row)} |"


def _progress(text: str) -> None:
    print(text, "...", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
