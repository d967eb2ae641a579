"""How long the command line takes to answer, beside Python alone and an import of TensorFlow.

python tools/bench/startup.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

ROUNDS = 5
MAIN = "from kerasseg.cli import main; main()"
COMMANDS = {
    "python, nothing": ["pass"],
    "kerasseg --help": [MAIN, "--help"],
    "kerasseg schema": [MAIN, "schema"],
    "kerasseg convert --help": [MAIN, "convert", "--help"],
    "kerasseg check, a mistake": [MAIN, "check", "sartorius_linknet", "train.epohs=1"],
    "import tensorflow": ["import tensorflow"],
}


def seconds(command: list[str]) -> float:
    """Time one process from its start to its end."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", *command], capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Time each command in interleaved rounds, and print medians and ratios."""
    rounds = [{name: seconds(command) for name, command in COMMANDS.items()} for _ in range(ROUNDS)]
    medians = {name: statistics.median(each[name] for each in rounds) for name in COMMANDS}
    print(f"{'median of ' + str(ROUNDS):28}{'seconds':>9}{'ratio':>9}")
    for name, median in medians.items():
        print(f"{name:28}{median:9.3f}{median / medians['python, nothing']:9.1f}")


if __name__ == "__main__":
    main()
