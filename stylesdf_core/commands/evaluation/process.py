"""``python -m stylesdf_core.commands.evaluation.process REQUEST``: measure as one of several.

REQUEST is the request's fields as JSON. The process measures every N-th picture and head, and
process 0 brings the rows into order.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

from stylesdf_core.commands.evaluation.evaluate import Evaluate
from stylesdf_core.errors import InputError, StyleSDFError
from stylesdf_core.foreign import printable
from stylesdf_core.system import console
from stylesdf_core.system.memory import keep_memory
from stylesdf_core.training.runs.processes import FAILURE, MISTAKE


def main(arguments: list[str]) -> int:
    """Exit status: 0 done, 2 a mistake, 1 a failure."""
    from stylesdf_core.evaluation.measures.rows import Part
    from stylesdf_core.training.world import joined_world

    fields = json.loads(arguments[0])
    paths = {name: Path(fields[name]) for name in ("data", "inception") if fields[name]}
    request = Evaluate(**{**fields, **paths})
    try:
        with joined_world(request.device) as world:
            here = dataclasses.replace(request, device=world.device.type)
            for progress in here.measure(Part(world.rank, world.size, world.wait)):
                if world.is_main:
                    sys.stdout.write(json.dumps(dataclasses.asdict(progress)) + "\n")
                    sys.stdout.flush()
    except StyleSDFError as error:
        is_mistake = isinstance(error, InputError)
        sys.stdout.write(f"{MISTAKE if is_mistake else FAILURE}{printable(str(error))}\n")
        return 2 if is_mistake else 1
    return 0


if __name__ == "__main__":
    console.prepare_streams()
    keep_memory()
    sys.exit(main(sys.argv[1:]))
