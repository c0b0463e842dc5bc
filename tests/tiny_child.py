"""A process for `workers.child` that does what its orders say: `python -m tests.tiny_child FD`.

What they say: `serve` (ready, and answers), `fail` (ends with status 3), `hang` (ready, and silent from then
on), `load` (never ready). A supervisor's orders have it in the settings, by the name of the process.
"""

import json
import os
import socket
import sys
import time
from typing import Any

FAIL_STATUS = 3


def main() -> None:
    with socket.socket(fileno=int(sys.argv[1])) as control, control.makefile("rw", encoding="utf-8") as lines:
        orders = json.loads(lines.readline())
        do = orders.get("do") or orders["settings"].get(orders["name"], "serve")
        if do == "fail":
            sys.exit(FAIL_STATUS)
        if do == "load":
            time.sleep(600)
        tell(lines, kind="ready")
        if do == "hang":
            time.sleep(600)
        for line in lines:
            handle(lines, json.loads(line))


def handle(lines: Any, line: Any) -> None:
    if line["kind"] == "counts":
        samples = [["asked_total", {}, 2.0, None]]
        families = [{"name": "asked", "type": "counter", "help": "", "samples": samples}]
        value = {"families": families, "totals": {"requests": 1, "active": 1}}
        tell(lines, kind="answer", number=line["number"], value=value)
    elif line["kind"] == "die":
        os.abort()
    elif line["kind"] == "drain":
        sys.exit(0)


def tell(lines: Any, **line: Any) -> None:
    lines.write(json.dumps(line) + "\n")
    lines.flush()


if __name__ == "__main__":
    main()
