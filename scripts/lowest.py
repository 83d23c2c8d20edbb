"""Print constraints that make pip install the lowest versions that pyproject.toml allows.

The dependencies of the program and of its optional parts stand at their lower bounds. torch and
the tools of the tests stand at the versions of constraints.txt: an old torch is gigabytes more
to try, and nobody installs our tools but we. Needs Python 3.11 and no package.
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKED = {"torch"}


def lowest() -> list[str]:
    """One ``name==version`` for each package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    tools = optional.pop("test")
    ranged = [*project["dependencies"], *(line for extra in optional.values() for line in extra)]
    bounds = dict(re.findall(r"^([\w.-]+)>=([\w.]+)", "\n".join(ranged), re.MULTILINE))
    locked = LOCKED | {re.split(r"[<=>]", line)[0] for line in tools}
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [
        *(pin for pin in pins if pin.partition("==")[0] in locked),
        *(f"{name}=={bound}" for name, bound in bounds.items() if name not in locked),
    ]


if __name__ == "__main__":
    sys.stdout.write("\n".join(lowest()) + "\n")
