"""StyleSDF as a library: generate, orbit, mesh and export heads from a signed distance field.

Every operation of the command line and the window is a request with a ``run()``::

    from pathlib import Path
    from stylesdf_core import ExportMesh, Identity, OrbitCamera, RenderImage, Scene, drain

    scene = Scene(identity=Identity(seed=742), camera=OrbitCamera(azimuth=0.4))
    drain(RenderImage(out=Path("face.png"), scene=scene).run())
    drain(ExportMesh(out=Path("head.glb"), scene=scene, resolution=256).run())

``run()`` is a generator of :class:`Progress`; iterate it to show a bar, or :func:`drain` it.
Arrays instead of files come from the engine::

    engine = Engine(load_model("heads"))
    depth = engine.render(scene, "depth").data  # (1, H, W) float32, world units
    distance = engine.sdf(scene)  # callable: (N, 3) points in world units -> (N,)

World units: the head lies within 0.12 of the origin, the camera on the unit sphere, +y is up;
angles are radians but for ``fov``, half the opening angle in degrees. What goes wrong on purpose
is a :class:`StyleSDFError` whose text can be shown to a user.

The names below are the public ones. They are imported when first used, so ``import
stylesdf_core`` does not wait for torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stylesdf_core.commands.bench import Bench
    from stylesdf_core.commands.dataset import DatasetCheck, DatasetPack
    from stylesdf_core.commands.evaluate import Evaluate
    from stylesdf_core.commands.heads import MakeHeads
    from stylesdf_core.commands.measure import Measure
    from stylesdf_core.commands.meshes import ExportMesh
    from stylesdf_core.commands.models import Info, ModelsExport, ModelsFetch, ModelsList
    from stylesdf_core.commands.pictures import Demo, RenderImage, RenderTurntable
    from stylesdf_core.commands.recipe import RecipeHeads
    from stylesdf_core.commands.train_fit import TrainFit
    from stylesdf_core.commands.train_stages import (
        TrainDecoder,
        TrainJoint,
        TrainRenderer,
        TrainSphereInit,
    )
    from stylesdf_core.engine.engine import Engine
    from stylesdf_core.errors import InputError, StyleSDFError
    from stylesdf_core.mesh.surface import extract_surface
    from stylesdf_core.model.config import GeneratorConfig, RenderOptions
    from stylesdf_core.model.latents import lerp, seed_to_z, slerp
    from stylesdf_core.model.model import load_model
    from stylesdf_core.model.model_zoo import list_models
    from stylesdf_core.model.networks.generator import Generator
    from stylesdf_core.progress import Progress, drain
    from stylesdf_core.rendering.camera import OrbitCamera
    from stylesdf_core.scene.scene import Identity, Mixing, Scene
    from stylesdf_core.scene.session_files import read_scene

__version__ = "0.1.0"

__all__ = [
    "Bench",
    "DatasetCheck",
    "DatasetPack",
    "Demo",
    "Engine",
    "Evaluate",
    "ExportMesh",
    "Generator",
    "GeneratorConfig",
    "Identity",
    "Info",
    "InputError",
    "MakeHeads",
    "Measure",
    "Mixing",
    "ModelsExport",
    "ModelsFetch",
    "ModelsList",
    "OrbitCamera",
    "Progress",
    "RecipeHeads",
    "RenderImage",
    "RenderOptions",
    "RenderTurntable",
    "Scene",
    "StyleSDFError",
    "TrainDecoder",
    "TrainFit",
    "TrainJoint",
    "TrainRenderer",
    "TrainSphereInit",
    "drain",
    "extract_surface",
    "lerp",
    "list_models",
    "load_model",
    "read_scene",
    "seed_to_z",
    "slerp",
]

_HOMES = {
    "rendering.camera": ("OrbitCamera",),
    "commands.bench": ("Bench",),
    "commands.dataset": ("DatasetCheck", "DatasetPack"),
    "commands.evaluate": ("Evaluate",),
    "commands.heads": ("MakeHeads",),
    "commands.measure": ("Measure",),
    "commands.meshes": ("ExportMesh",),
    "commands.models": ("Info", "ModelsExport", "ModelsFetch", "ModelsList"),
    "commands.pictures": ("Demo", "RenderImage", "RenderTurntable"),
    "commands.recipe": ("RecipeHeads",),
    "commands.train_fit": ("TrainFit",),
    "commands.train_stages": ("TrainDecoder", "TrainJoint", "TrainRenderer", "TrainSphereInit"),
    "model.config": ("GeneratorConfig", "RenderOptions"),
    "engine.engine": ("Engine",),
    "errors": ("InputError", "StyleSDFError"),
    "model.latents": ("lerp", "seed_to_z", "slerp"),
    "mesh.surface": ("extract_surface",),
    "scene.session_files": ("read_scene",),
    "model.model": ("load_model",),
    "model.model_zoo": ("list_models",),
    "model.networks.generator": ("Generator",),
    "progress": ("Progress", "drain"),
    "scene.scene": ("Identity", "Mixing", "Scene"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
