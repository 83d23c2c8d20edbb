"""`evaluate`: a model's pictures and shapes in figures, with true pictures or without.

With true pictures: how far are the generated pictures from the true ones as a set, and do heads
turn by the angles of their cameras (:mod:`~.measures.comparing`)? Does the model tell head from
background (:mod:`~.measures.foreground`)? Are its surfaces like true ones
(:mod:`~.measures.shapes`)? Without: do two views show one shape
(:mod:`~.measures.depth_consistency`), does the identity stay (:mod:`~.measures.judged_views`), and
how much does a picture change while orbiting, beyond the motion itself (:mod:`~.measures.orbits`)?
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from stylesdf_core.data.images import open_images
from stylesdf_core.engine.engine import Engine
from stylesdf_core.evaluation.measures.comparing import FIT, SetComparison
from stylesdf_core.evaluation.measures.depth_consistency import DepthConsistency
from stylesdf_core.evaluation.measures.foreground import FIT as FIT_JUDGE
from stylesdf_core.evaluation.measures.foreground import Foreground
from stylesdf_core.evaluation.measures.judged_views import (
    JudgedViews,
    identity_figures,
    pose_figures,
)
from stylesdf_core.evaluation.measures.orbits import OrbitFlicker
from stylesdf_core.evaluation.measures.protocol import (
    JUDGED,
    WITH_PICTURES,
    ImageProtocol,
    Workplace,
)
from stylesdf_core.evaluation.measures.rows import Task, run_tasks
from stylesdf_core.evaluation.measures.shapes import ShapeComparison
from stylesdf_core.evaluation.reports.report import Figure, QualityReport
from stylesdf_core.progress import Operation, part

#: Durations, in the time that reading a true picture takes.
_ONE_VIEW, _TWO_VIEWS, _FIVE_VIEWS, _ORBIT = 4.0, 4.0, 25.0, 60.0


def evaluate(
    engine: Engine, folder: Path | None, protocol: ImageProtocol, work: Workplace
) -> Operation[QualityReport | None]:
    """Measure a model; the result is None where several processes measure.

    They fill the rows, of which one process then makes the report by the same call.

    Args:
        folder: true pictures; None without metrics that need some.

    Raises:
        InputError: there are no images, or too few; dlib is missing.
        OutputError: the rows cannot be written.
    """
    metrics, start = protocol.metrics, protocol.seed_start
    depth, faces = DepthConsistency(engine, start, protocol.poses), JudgedViews(engine, start)
    noise, rays = protocol.noise, protocol.rays
    orbits = OrbitFlicker(engine, start, noise, rays)

    def task(kind: str, message: str, count: int, weight: float, measure: Any) -> Task:
        return Task(work.model_rows(kind, engine, protocol), message, count, weight, measure)

    heads = protocol.identities
    compared = task("depth", "comparing depth maps", heads, _TWO_VIEWS, depth.measure)
    judged = task("faces", "judging faces", heads, _FIVE_VIEWS, faces.measure)
    orbited = task(f"orbits-{noise}-{rays}", "orbiting", protocol.orbits, _ORBIT, orbits.measure)
    tasks = [compared] if "depth-consistency" in metrics else []
    tasks += [judged] if metrics & JUDGED else []
    tasks += [orbited] if "flicker" in metrics else []
    finishing: list[tuple[float, Callable[[], Operation[list[Figure]]]]] = []
    sets: SetComparison | None = None
    shapes: ShapeComparison | None = None
    if folder is not None and "foreground" in metrics:
        cut = Foreground(engine, folder, start, protocol.poses, protocol.pose_seed)
        told = task("foreground", "telling heads from backgrounds", heads, _ONE_VIEW, cut.measure)
        tasks.append(told)
        seen = ("small", "opacity")
        finishing += [
            (FIT_JUDGE, lambda: cut.figures(*(told.rows.column(n)[:heads] for n in seen)))
        ]
    if folder is not None and "shapes" in metrics:
        shapes = ShapeComparison(engine, folder, protocol, work)
        tasks.append(shapes.task)
        finishing.append((shapes.duration, shapes.finish))
    with ExitStack() as stack:
        if folder is not None and metrics & WITH_PICTURES:
            source = stack.enter_context(closing(open_images(folder, engine.config.output_size)))
            sets = SetComparison(engine, folder, source, protocol, work)
            tasks = [*sets.tasks, *tasks]
            finishing.append((FIT if sets.poses_known else 0.0, sets.finish))
        after = sum(duration for duration, _ in finishing)
        total = yield from run_tasks(tasks, work.part, after)
    if work.part.size > 1:
        return None
    figures: list[Figure] = []
    done = total - after
    for duration, finish in finishing:
        figures += yield from part(finish(), done, done + duration, total)
        done += duration
    if "depth-consistency" in metrics:
        figures += depth.figures(compared.rows.column("bins")[:heads])
    if "identity" in metrics:
        figures += identity_figures(judged.rows.column("embedding")[:heads])
    if "pose" in metrics:
        errors = (judged.rows.column(name)[:heads] for name in ("angle_error", "landmark_error"))
        figures += pose_figures(*errors)
    scores = {} if shapes is None else {"shapes": shapes.scores}
    if "flicker" in metrics:
        figures += orbits.figures(orbited)
        scores["orbits"] = orbits.scores(orbited)
    report = QualityReport(
        engine.model.name,
        _protocol_text(protocol, sets, shapes),
        tuple(figures),
        scores,
        tuple(sets.warnings()) if sets is not None else (),
    )
    for each in tasks:
        if sets is None or each is not sets.tasks[0]:  # a data set's rows are kept
            each.forget()
    return report


def _protocol_text(
    protocol: ImageProtocol, sets: SetComparison | None, shapes: ShapeComparison | None
) -> str:
    texts = [comparison.text() for comparison in (sets, shapes) if comparison is not None]
    if protocol.metrics & (JUDGED | {"foreground", "depth-consistency"}):
        first = protocol.seed_start
        texts.append(f"Views of the heads of seeds {first} to {first + protocol.identities - 1}.")
    if "flicker" in protocol.metrics and sets is None:
        texts.append(f"Orbits of {protocol.orbits} heads from seed {protocol.seed_start} on.")
    return " ".join(texts)
