"""Every fault of `tests/faults`, fifty rounds of each: what was offered, refused and lost, and for how long.

python -m bench.faults [--rounds 50] [--only PART_OF_A_TEST_NAME] [--out bench/results/faults.json]

Half an hour. With `--only` the other faults keep what the file says of them. `passed` is the test's own word.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--out", type=Path, default=Path("bench/results/faults.json"))
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    told = {"FAULT_ROUNDS": str(given.rounds), "FAULT_JSON": str(given.out.absolute())}
    command = [sys.executable, "-m", "pytest", "tests/faults", "-p", "no:cacheprovider", "-k", given.only]
    raise SystemExit(subprocess.run(command, env=os.environ | told).returncode)


if __name__ == "__main__":
    main()
