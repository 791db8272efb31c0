"""One process that calls as fast as it can, and prints calls per second and processors that the store used.

`python -m bench.load bare|lean|store THREADS SECONDS STORE` with the store's process id. It prints `ready`,
and begins when its standard input ends.
"""

import os
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from adapters.aws.api import StoreClient
from adapters.aws.errors import NoAnswer
from bench.calls import Call, bare_client, bare_update, repeated_request, store_handlers


def _calls(kind: str, threads: int) -> list[Call]:
    """Return what each thread calls: the bare SDK by one client, or heartbeats by a client for each."""
    if kind == "bare":
        client = bare_client()
        return [bare_update(client) for _ in range(threads)]
    if kind == "store":
        return [repeated_request(f"store-{os.getpid()}-{number}") for number in range(threads)]
    return [_heartbeat(number) for number in range(threads)]


def _heartbeat(number: int) -> Call:
    stream = store_handlers(StoreClient.LEAN, f"load-{os.getpid()}-{number}").one_stream()
    stream["start"]()
    return stream["heartbeat"]


def run(calls: list[Call], seconds: float, store: int) -> tuple[float, float]:
    """Return the calls per second, after a short warm-up, and the processors that the store used."""
    counts = [0] * len(calls)
    stop = threading.Event()

    def work(number: int) -> None:
        call = calls[number]
        while not stop.is_set():
            with suppress(RuntimeError, NoAnswer):  # of a store that is too busy; only answers count
                call()
                counts[number] += 1

    workers = [threading.Thread(target=work, args=(number,)) for number in range(len(calls))]
    for worker in workers:
        worker.start()
    time.sleep(seconds / 4)
    before, busy_before, began = sum(counts), _processor_seconds(store), time.perf_counter()
    time.sleep(seconds)
    took = time.perf_counter() - began
    done, busy = (sum(counts) - before) / took, (_processor_seconds(store) - busy_before) / took
    stop.set()
    for worker in workers:
        worker.join()
    return done, busy


def _processor_seconds(pid: int) -> float:
    """Return the processor time that a process and its threads have used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    result_to, sys.stdout = sys.stdout, open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - events go nowhere
    prepared = _calls(sys.argv[1], int(sys.argv[2]))
    print("ready", file=result_to, flush=True)
    sys.stdin.read()  # ends when all processes are ready
    print(*run(prepared, float(sys.argv[3]), int(sys.argv[4])), file=result_to)
