"""Cold starts: processes that end after their first answer, in turn with what others would deploy instead.

That is a script with the bare SDK, and a handler of Powertools for AWS Lambda. All run out of the unpacked
zip, and may write no bytecode beside it, as in Lambda.
"""

import json
import os
import subprocess
import sys
import time
import zipfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from bench import powertools
from bench.calls import ENVIRONMENT, TABLE, WITH_TOKENS
from bench.results import Progress, Row, Samples, median_row
from dev.packaging.package import ZIPS

GOAL = 0.75
"""A cold start, as a share of the bare SDK's."""
POWERTOOLS_GOAL = 0.45
"""The same, as a share of a handler's of Powertools."""
TOKEN_GOAL = 1.05
"""The goal for a cold start with playback tokens, as a ratio to one without."""
MEGABYTES = 10
CALLS_FOR_MEMORY = 200

_OURS = """
from entrypoints import bootstrap, stream_start
mark("import")
bootstrap.service()
mark("client")
event = {"body": '{"userId": "cold", "streamId": "tv"}'}
answer = stream_start.handler(event, None)
assert answer["statusCode"] == 200, answer
mark("call")
for _ in range(repeats):
    stream_start.handler(event, None)
"""

_BARE = f"""
import boto3
mark("import")
client = boto3.client("dynamodb")
mark("client")
request = dict(
    TableName="{TABLE}", Key={{"userId": {{"S": "cold-bare"}}}}, UpdateExpression="ADD streamCount :one",
    ExpressionAttributeValues={{":one": {{"N": "1"}}}}, ReturnValues="ALL_NEW",
)
client.update_item(**request)
mark("call")
for _ in range(repeats):
    client.update_item(**request)
"""

_PROGRAM = """
import sys, time
marks, cpu = {{}}, {{}}
def mark(name): marks[name], cpu[name] = time.time(), time.process_time()
sys.path[:0] = {path!r}
repeats = {repeats}
mark("python")
{body}
import json
marks["cpu"] = cpu["client"] - cpu["python"]
marks["modules"] = len(sys.modules)
with open("/proc/self/status") as status:  # the peak since exec, in KB; getrusage counts the parent's too
    marks["rss"] = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
print(json.dumps(marks), file=sys.stderr)
"""
LAYERS = ("python", "import", "client", "call")


def _run(
    path: Sequence[Path], body: str, repeats: int = 0, variables: Mapping[str, str] = MappingProxyType({})
) -> dict[str, float]:
    """Run one process; return the milliseconds of its layers, its memory in megabytes, its modules.

    `ready` is import and client on the clock, and `cpu` the same in processor time.
    """
    store = {"STORE_CLIENT": "lean", "AWS_ENDPOINT_URL_DYNAMODB": os.environ["AWS_ENDPOINT_URL_DYNAMODB"]}
    program = _PROGRAM.format(path=[str(folder) for folder in path], body=body, repeats=repeats)
    before = time.time()
    # -I -S -B: only the standard library of this machine's Python, and no bytecode is written.
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", program],
        check=True,
        capture_output=True,
        env={**ENVIRONMENT, **store, **variables},
    )
    marks = json.loads(run.stderr.splitlines()[-1])
    moments = [before, *(marks[layer] for layer in LAYERS)]
    spans = {layer: (moments[place + 1] - moments[place]) * 1000 for place, layer in enumerate(LAYERS)}
    return {
        **spans,
        "total": sum(spans.values()),
        "ready": spans["import"] + spans["client"],
        "cpu": marks["cpu"] * 1000,
        "rss": marks["rss"] / 1024,
        "modules": marks["modules"],
    }


def measure(folder: Path, rounds: int, progress: Progress) -> tuple[list[Row], Samples]:
    """Measure with the zip of `make package-local`, unpacked in this folder; also return the layers."""
    zipped = ZIPS["local"]
    with zipfile.ZipFile(zipped) as archive:
        archive.extractall(folder)
        unpacked = sum(entry.file_size for entry in archive.infolist())
    libraries = folder / "of-powertools"
    powertools.install(libraries)
    ours: Samples = defaultdict(list)
    bare: Samples = defaultdict(list)
    tokens: Samples = defaultdict(list)
    instead: Samples = defaultdict(list)
    kinds: tuple[tuple[Samples, Sequence[Path], str, Mapping[str, str]], ...] = (
        (bare, [folder], _BARE, {}),
        (ours, [folder], _OURS, {}),
        (tokens, [folder], _OURS, WITH_TOKENS),
        (instead, [folder, libraries], powertools.HANDLER, powertools.VARIABLES),
    )
    for number in range(rounds):
        progress(f"cold starts, round {number + 1} of {rounds}")
        for samples, path, body, variables in kinds:
            for name, value in _run(path, body, variables=variables).items():
                samples[name].append(value)
    memory = [_run([folder], body, CALLS_FOR_MEMORY)["rss"] for body in (_OURS, _BARE)]
    rows = [
        median_row("cold.bare.total", "ms", bare["total"]),
        median_row("cold.total", "ms", ours["total"], baseline=bare["total"], goal=GOAL),
        median_row("cold.token.total", "ms", tokens["total"], baseline=ours["total"], goal=TOKEN_GOAL),
        median_row("cold.powertools.handler.total", "ms", instead["total"]),
        median_row("cold.powertools", "ms", ours["total"], baseline=instead["total"], goal=POWERTOOLS_GOAL),
        median_row("cold.bare.ready", "ms", bare["ready"]),
        median_row("cold.ready", "ms", ours["ready"], baseline=bare["ready"]),
        median_row("cold.bare.cpu", "ms", bare["cpu"]),
        median_row("cold.cpu", "ms", ours["cpu"], baseline=bare["cpu"], goal=GOAL),
        median_row("cold.powertools.handler.cpu", "ms", instead["cpu"]),
        median_row("cold.powertools.cpu", "ms", ours["cpu"], baseline=instead["cpu"], goal=POWERTOOLS_GOAL),
        Row("cold.bare.modules", bare["modules"][0], "modules"),
        Row(
            "cold.modules",
            ours["modules"][0],
            "modules",
            ratio=round(ours["modules"][0] / bare["modules"][0], 3),
        ),
        Row("memory.bare.rss", round(memory[1], 1), "MB"),
        Row("memory.rss", round(memory[0], 1), "MB", ratio=round(memory[0] / memory[1], 3)),
        Row("zip.bytes", zipped.stat().st_size, "bytes", goal=MEGABYTES * 1_000_000),
        Row("zip.unpacked", unpacked, "bytes"),
    ]
    handlers = {"ours": ours, "bare": bare, "powertools": instead}
    layers = {f"{name}.{layer}": samples[layer] for name, samples in handlers.items() for layer in LAYERS}
    return rows, layers
