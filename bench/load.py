"""A process that calls as fast as it can, and prints calls per second.

`python -m bench.load bare|lean THREADS SECONDS`
"""

import os
import sys
import threading
import time

from adapters.aws.api import StoreClient
from bench.calls import Call, bare_client, bare_update, store_handlers


def _calls(kind: str, threads: int) -> list[Call]:
    """Return each thread's calls: the bare SDK over one shared client, or heartbeats over a client each."""
    if kind == "bare":
        client = bare_client()
        return [bare_update(client) for _ in range(threads)]
    return [_heartbeat(number) for number in range(threads)]


def _heartbeat(number: int) -> Call:
    stream = store_handlers(StoreClient.LEAN, f"load-{os.getpid()}-{number}").one_stream()
    stream["start"]()
    return stream["heartbeat"]


def run(kind: str, threads: int, seconds: float) -> float:
    """Return the calls per second after a short warm-up."""
    calls = _calls(kind, threads)
    counts = [0] * threads
    stop = threading.Event()

    def work(number: int) -> None:
        call = calls[number]
        while not stop.is_set():
            call()
            counts[number] += 1

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    time.sleep(seconds / 4)
    before, began = sum(counts), time.perf_counter()
    time.sleep(seconds)
    done = (sum(counts) - before) / (time.perf_counter() - began)
    stop.set()
    for worker in workers:
        worker.join()
    return done


if __name__ == "__main__":
    result_to, sys.stdout = sys.stdout, open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - events go nowhere
    print(run(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])), file=result_to)
