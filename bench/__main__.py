"""`make bench`: measure everything, print the table, write build/bench.json."""

import argparse
import os
import platform
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from bench import cold, restored, throughput, warm
from bench.calls import ENVIRONMENT, TABLE, bare_client
from bench.results import RESULTS, Details, save, table
from dev import ROOT
from dev.emulators.dynamodb_local import start_dynamodb_local
from dev.emulators.table import ensure_table
from dev.tools.cache import CannotFetch

WIDTH = 60


def machine() -> str:
    """Return a description of this machine, and the date."""
    today = datetime.now(UTC).date()
    version = platform.python_version()
    return f"{today}, {os.cpu_count()} cores ({platform.machine()}), Python {version}, DynamoDB Local"


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--short", action="store_true", help="fewer rounds, for a quick look")
    short = parser.parse_args().short
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(ENVIRONMENT)
    screen = sys.stdout

    def progress(text: str) -> None:
        print(f"\r{text:<{WIDTH}}", end="", file=sys.stderr, flush=True)

    try:
        store = start_dynamodb_local()
    except CannotFetch as reason:
        sys.exit(f"make bench: {reason}")
    with store, Path(os.devnull).open("w") as nowhere, tempfile.TemporaryDirectory() as folder:
        os.environ["AWS_ENDPOINT_URL_DYNAMODB"] = store.endpoint_url
        ensure_table(bare_client(), TABLE)
        sys.stdout = nowhere  # takes the handlers' events; writing them is part of the measurement
        rows, latencies = warm.on_store(10 if short else 60, progress)
        rows += warm.on_stub(10 if short else 100, progress)
        cold_rows, layers = cold.measure(Path(folder), 3 if short else 20, progress)
        rows += cold_rows + restored.measure(Path(folder), 3 if short else 20, progress)
        rows += throughput.measure(store.process.pid, 1 if short else 5, 1.0 if short else 2.0, progress)
        sys.stdout = screen
    progress("")
    print(f"\r{table(rows)}")
    save(rows, Details(machine(), latencies, layers))
    print(f"\nwritten to {RESULTS.relative_to(ROOT)}")


main()
