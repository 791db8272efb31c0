"""A runner of the handlers of the code that is first on the path, one call per line of standard input.

It relies only on what every release keeps: the handlers' names, their settings and API Gateway's events.
"""

import json
import os
import sys
import time
from functools import partial
from importlib import import_module
from types import SimpleNamespace


def main() -> None:
    """Answer each line, an event with its time, by a line with the handler's answer."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # where the service's log goes
    for line in sys.stdin:
        call = json.loads(line)
        time.time = partial(float, call["at"])
        handler = import_module(f"entrypoints.stream_{call['name']}").handler
        answer = handler(call["event"], SimpleNamespace(aws_request_id="recorded"))
        print(json.dumps(answer), file=answers)


if __name__ == "__main__":
    main()
