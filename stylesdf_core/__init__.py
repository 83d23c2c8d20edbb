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
    distance = engine.sdf(scene)  # callable: (N, 3) points in world units -> (N,), 0 at the surface

World units: the head lies within 0.12 of the origin, the camera on the unit sphere, +y is up;
angles are radians, except ``fov``, which is half the opening angle in degrees. Every error raised
on purpose is a :class:`StyleSDFError`, whose text can be shown to a user.

CONTRIBUTING.md in the repository shows the rooms of this package, and where to add what.
``__init__.pyi`` lists the public names and their files. A name is imported when it is first used,
so ``import stylesdf_core`` does not wait for torch.
"""

from __future__ import annotations

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
