"""The fast path: scenes of one model, drawn in progressive passes.

Styles are folded into the field and the decoder once (:mod:`stylesdf_core.engine.baked_field`,
:mod:`stylesdf_core.engine.baked_decoder`), rays evaluate only what can be seen
(:mod:`stylesdf_core.engine.ray_march`), and points run through in tiles that stay in cache
(:mod:`stylesdf_core.engine.tiles`). The plain modules in ``model.networks`` remain the definition
of what is right; tests hold this file to them.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from stylesdf_core.engine import cpu_kernels
from stylesdf_core.engine.baked_decoder import BakedDecoder, fast_dtype
from stylesdf_core.engine.baked_field import BakedField
from stylesdf_core.engine.compiled_march import CompiledRayMarch
from stylesdf_core.engine.distance_grid import COARSE, FINE, DistanceGrid
from stylesdf_core.engine.picture import Picture
from stylesdf_core.engine.ray_march import (
    TYPICAL_SAMPLES,
    VISIBLE,
    VISIBLE_IN_MOTION,
    RayMarch,
    relevant_band,
)
from stylesdf_core.engine.styles import StyleMapper
from stylesdf_core.engine.tiles import Tiles
from stylesdf_core.model.config import RenderOptions
from stylesdf_core.model.model import Model, select_device
from stylesdf_core.rendering.camera import FAR, NEAR, OrbitCamera
from stylesdf_core.rendering.rays import make_rays
from stylesdf_core.rendering.volume_rendering import sample_depths
from stylesdf_core.scene.scene import Scene, View

FloatArray = npt.NDArray[np.float32]
PointFunction = Callable[[FloatArray], FloatArray]

COARSE_SIZE = 32
#: Density at which half the light is lost within one of 24 samples: the surface of a density field.
_DENSITY_LEVEL = math.log(2.0) / ((FAR - NEAR) / 24)


@dataclass(frozen=True)
class Frame:
    """One progressive pass.

    Attributes:
        pass_index, pass_count: 0-based pass, and how many there are.
        resolution: edge of what was computed, pixels.
        seconds: computing time of this pass.
        note: what the user should know about it; usually empty.
    """

    picture: Picture
    pass_index: int
    pass_count: int
    resolution: int
    seconds: float
    note: str = ""

    @property
    def final(self) -> bool:
        """Whether no better pass follows."""
        return self.pass_index == self.pass_count - 1


@dataclass(frozen=True)
class _Volume:
    """A volume render of one camera; H = W."""

    rgb: Tensor  # (3, H, W)
    features: Tensor | None  # (width, H, W)
    background: Tensor  # (H, W)
    depth: Tensor  # (H, W)


class Engine:
    """Renders scenes of one model on one device.

    Not thread-safe: give every thread its own, they share the model's weights.

    Attributes:
        mapper: what a scene's z and styles are.

    Args:
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        exact: decode in float32 everywhere, instead of 16 bits where that is native, which costs
            up to half a grey step: pixels then differ from the plain path's by rounding, and by
            samples that weigh less than ``ray_march.VISIBLE``.
    """

    def __init__(self, model: Model, device: str = "auto", *, exact: bool = False) -> None:
        self.model = model
        self.device = select_device(device)
        self.config = model.generator.config
        generator = model.generator
        if self.device.type == "cuda":
            # Convolutions default to TF32, whose pixels differ from a CPU's by more than rounding.
            torch.backends.cudnn.allow_tf32 = False
        if self.device.type != "cpu":
            generator = copy.deepcopy(generator).to(self.device)
        self.generator = generator
        self.mapper = StyleMapper(model, generator, self.device)
        self._tiles = Tiles(self.device)
        self._baked: tuple[object, BakedField] | None = None
        self._grids: tuple[BakedField, dict[int, DistanceGrid]] | None = None
        self._decoder: BakedDecoder | None = None
        if generator.decoder is not None:
            dtype = torch.float32 if exact else fast_dtype(self.device)
            self._decoder = BakedDecoder(generator.decoder, dtype)

    # --- pictures -------------------------------------------------------------------------------

    def _field(self, scene: Scene) -> BakedField:
        key = (scene.identity, scene.morph, scene.truncation_psi)
        if self._baked is None or self._baked[0] != key:
            with torch.no_grad():
                field = BakedField(self.generator.field, self.mapper.styles(scene).w)
            self._baked = (key, field)
        return self._baked[1]

    def passes(
        self, scene: Scene, view: View, size: int | None = None, *, coarsest: int = COARSE_SIZE
    ) -> Iterator[Frame]:
        """Render coarse to fine; the last pass equals :meth:`render`.

        The first is made for motion: it leaves out what is hardly visible. An image takes three:
        the second decodes the first already, if that is as large as the volume render that images
        are decoded from (on the shipped model 65 dB from the last), else it is that render.

        Args:
            view: image, volume, depth or normals.
            size: edge of volume, depth and normals in pixels; None for the model's thumb size.
            coarsest: edge of the first pass, pixels, where the last is no smaller.
        """
        decodes = view == "image"
        target = self.config.thumb_size if decodes else size or self.config.thumb_size
        first = min(coarsest, target)
        count = 3 if decodes else 2
        start = time.perf_counter()

        def frame(index: int, edge: int, picture: Picture) -> Frame:
            nonlocal start
            seconds, start = time.perf_counter() - start, time.perf_counter()
            return Frame(picture, index, count, edge, seconds, self._note(view))

        whole = first == target
        moving = self._render_volume(
            scene, first, features=decodes and whole, visible=VISIBLE_IN_MOTION
        )
        yield frame(0, first, self._picture(scene, "volume" if decodes else view, moving))
        start = time.perf_counter()
        if decodes and whole:
            yield frame(1, self.config.output_size, self._decode(scene, moving))
            start = time.perf_counter()
        volume = self._render_volume(scene, target, features=decodes)
        if decodes and not whole:
            yield frame(1, target, self._picture(scene, "volume", volume))
            start = time.perf_counter()
        if decodes:
            yield frame(2, self.config.output_size, self._decode(scene, volume))
        else:
            yield frame(1, target, self._picture(scene, view, volume))

    def _note(self, view: View) -> str:
        if view == "image" and not self.config.has_decoder:
            return "This model has no decoder: the volume render is shown, enlarged."
        return self._tiles.note

    def render(self, scene: Scene, view: View, size: int | None = None) -> Picture:
        """The finished picture at once; arguments as in :meth:`passes`."""
        if view == "image":
            volume = self._render_volume(scene, self.config.thumb_size, features=True)
            return self._decode(scene, volume)
        volume = self._render_volume(scene, size or self.config.thumb_size, features=False)
        return self._picture(scene, view, volume)

    def features(self, scene: Scene) -> Tensor:
        """What the decoder makes its picture from: (width, thumb_size, thumb_size), float32."""
        features = self._render_volume(scene, self.config.thumb_size, features=True).features
        assert features is not None
        return features

    def render_views(self, scene: Scene, views: Sequence[View]) -> dict[View, Picture]:
        """Several views of one camera from a single volume render, at the model's own sizes."""
        volume = self._render_volume(scene, self.config.thumb_size, features="image" in views)
        return {
            view: self._decode(scene, volume)
            if view == "image"
            else self._picture(scene, view, volume)
            for view in views
        }

    @torch.no_grad()
    def _decode(self, scene: Scene, volume: _Volume) -> Picture:
        styles = self.mapper.styles(scene).decoder
        if styles is None or self._decoder is None:
            size = (256, 256)
            image = F.interpolate(volume.rgb[None], size=size, mode="bicubic").clamp(-1, 1)
        else:
            assert volume.features is not None
            self._decoder.bake(styles, self.generator.noise_maps(scene.options))
            image = self._decoder(volume.features[None])
        data = image[0].float().cpu().numpy()
        return Picture("image", data, np.zeros(data.shape[1:], np.float32))

    def _picture(self, scene: Scene, view: View, volume: _Volume) -> Picture:
        background = volume.background.cpu().numpy()
        if view == "volume":
            return Picture(view, volume.rgb.cpu().numpy(), background)
        if view == "depth":
            return Picture(view, volume.depth[None].cpu().numpy(), background)
        return Picture(view, self._surface_normals(scene, volume), background)

    def _surface_normals(self, scene: Scene, volume: _Volume) -> FloatArray:
        """World normals (3, H, W) at the expected depth of every pixel."""
        edge = volume.depth.shape[0]
        origins, directions, _ = self._rays(scene.camera, edge, scene.options)
        points = origins + directions * volume.depth.view(-1, 1)
        normals = self._tiles.map(self._outward(scene), points)
        return normals.T.reshape(3, edge, edge).cpu().numpy()

    def _rays(
        self, camera: OrbitCamera, edge: int, options: RenderOptions
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Origins, directions and view directions, each (edge², 3)."""
        matrix = torch.from_numpy(camera.cam2world().astype(np.float32))[None].to(self.device)
        rays = make_rays(matrix, camera.focal(edge), edge, static_viewdirs=options.static_viewdirs)
        return (
            rays.origins.reshape(-1, 3),
            rays.directions.reshape(-1, 3),
            rays.viewdirs.reshape(-1, 3),
        )

    @torch.no_grad()
    def _render_volume(
        self, scene: Scene, edge: int, *, features: bool, visible: float = VISIBLE
    ) -> _Volume:
        options = scene.options
        samples = options.samples or self.config.samples
        origins, directions, viewdirs = self._rays(scene.camera, edge, options)
        grid = self._distances(scene, edge)
        compiled = cpu_kernels.AVAILABLE and grid is not None
        march = (CompiledRayMarch if compiled else RayMarch)(
            self._field(scene),
            self.generator.sigma,
            self._beta,
            sample_depths(samples, origins),
            grid,
            options.force_background,
            visible,
        )
        count = len(origins)
        rgb, background, depth = (origins.new_empty(count, c) for c in (3, 1, 1))
        feature_map = origins.new_empty(count, self.config.width) if features else None

        def work(start: int, stop: int) -> None:
            rays = (x[start:stop] for x in (origins, directions, viewdirs))
            marched = march(*rays, features=features)
            rgb[start:stop] = marched.rgb
            background[start:stop, 0] = marched.background
            depth[start:stop, 0] = marched.depth
            if feature_map is not None and marched.features is not None:
                feature_map[start:stop] = marched.features

        evaluated = samples if grid is None else TYPICAL_SAMPLES
        self._tiles.run(work, count, points_each=evaluated)

        def square(values: Tensor) -> Tensor:
            """(R, C) -> (C, edge, edge)."""
            return values.view(edge, edge, -1).movedim(-1, 0)

        return _Volume(
            rgb=square(rgb),
            features=None if feature_map is None else square(feature_map),
            background=background.view(edge, edge),
            depth=depth.view(edge, edge),
        )

    def _distances(self, scene: Scene, edge: int) -> DistanceGrid | None:
        # On a GPU a grid's many small steps take longer than all samples do: on an H100 some 10 ms
        # for a new identity, where the plain path draws the whole picture in 4 to 7.
        if self.config.field == "density" or self.device.type != "cpu":
            return None
        field = self._field(scene)
        if self._grids is None or self._grids[0] is not field:
            self._grids = (field, {})
        grids = self._grids[1]
        resolution = COARSE if edge < self.config.thumb_size else FINE
        if resolution not in grids:
            grids[resolution] = DistanceGrid.sample(
                self.sdf(scene),
                relevant_band(self._beta, (FAR - NEAR) / self.config.samples),
                self.device,
                resolution=resolution,
                reuse=grids.get(COARSE),
            )
        return grids[resolution]

    @property
    def _beta(self) -> float:
        return max(float(self.generator.field.sigmoid_beta), 1e-6)

    # --- the surface, for meshing ---------------------------------------------------------------

    def sdf(self, scene: Scene) -> PointFunction:
        """The field's scalar as a function of world points, (N, 3) -> (N,), negative inside.

        A density field is offset so that level 0 is where half the light is lost in one sample.
        """
        field = self._field(scene)

        def evaluate(points: Tensor) -> Tensor:
            scalar = field.scalar(points)
            if self.config.field == "density":
                return _DENSITY_LEVEL - self.generator.sigma(scalar)
            return scalar

        return self._point_function(evaluate)

    def colors(self, scene: Scene) -> PointFunction:
        """Surface colour in [0, 1], (N, 3) world -> (N, 3), as seen from straight ahead."""
        field = self._field(scene)
        ahead = torch.tensor([[0.0, 0.0, -1.0]], device=self.device)
        return self._point_function(lambda points: field.color(points, ahead))

    def normals(self, scene: Scene) -> PointFunction:
        """Outward unit normals, (N, 3) world -> (N, 3), from the field's gradient."""
        return self._point_function(self._outward(scene))

    def _outward(self, scene: Scene) -> Callable[[Tensor], Tensor]:
        """Unit normals (N, 3): along the gradient of a distance, against that of a density."""
        field, sign = self._field(scene), 1.0 if self.config.field == "sdf" else -1.0
        return lambda points: F.normalize(sign * field.gradient(points), dim=-1, eps=1e-12)

    def _point_function(self, evaluate: Callable[[Tensor], Tensor]) -> PointFunction:
        def call(points: FloatArray) -> FloatArray:
            tensor = torch.from_numpy(np.ascontiguousarray(points, np.float32)).to(self.device)
            with torch.no_grad():
                result = self._tiles.map(evaluate, tensor)
            array: FloatArray = result.float().cpu().numpy()
            return array

        return call
