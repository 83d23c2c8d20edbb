"""Engine: scenes of one model as pictures, fast, and their surface.

From a Scene to a picture: camera → rays → volume render → (for an image) decoder → Picture. The
engine folds a scene's styles into the weights of field and decoder once (:mod:`.field.baked_field`,
:mod:`.decoder.baked_decoder`), evaluates only samples that can be seen (:mod:`.march.ray_march`),
and cuts the rays into tiles that stay in a core's cache (:mod:`.march.tiles`). The plain modules in
``model.networks`` define which pixels are right; tests compare the engine with them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from stylesdf_core.engine.compiled import compiled_loops
from stylesdf_core.engine.compiled.device_graphs import (
    device_graphs,
    device_note,
    exact_convolutions,
)
from stylesdf_core.engine.decoder.baked_decoder import BakedDecoder
from stylesdf_core.engine.decoder.decoder_noise import DecoderNoise, SurfaceFinder
from stylesdf_core.engine.direct import SURFACE, DirectRender, backdrop, beside_head
from stylesdf_core.engine.field.baked_background import BakedBackground
from stylesdf_core.engine.field.baked_field import BakedField
from stylesdf_core.engine.field.folded_fields import FoldedFields
from stylesdf_core.engine.levels import drawn_view
from stylesdf_core.engine.march.camera_march import CameraMarch
from stylesdf_core.engine.march.distance_grid import COARSE, FINE, DistanceGrid, ShapeGrids
from stylesdf_core.engine.march.marches import march_class
from stylesdf_core.engine.march.ray_march import (
    TYPICAL_SAMPLES,
    VISIBLE,
    VISIBLE_IN_FILES,
    RayMarch,
    relevant_band,
    with_end,
)
from stylesdf_core.engine.march.surface_trace import SurfaceTrace
from stylesdf_core.engine.march.tiles import PointFunction, Tiles
from stylesdf_core.engine.march.volume import SMOOTH, CameraRays, Volume
from stylesdf_core.engine.picture import SOLID, Picture
from stylesdf_core.engine.styles import StyleMapper
from stylesdf_core.model.model import Model, select_device
from stylesdf_core.progress import Operation, drain
from stylesdf_core.rendering.camera import FAR, NEAR, OrbitCamera
from stylesdf_core.rendering.surface_noise import ShownSurface
from stylesdf_core.rendering.trained_volume import BORDER_EDGE, BorderBackground, sees_trained
from stylesdf_core.rendering.volume_rendering import SURFACE_SIGMA, sample_depths
from stylesdf_core.scene.scene import Scene, View
from stylesdf_core.system.arithmetic import fast_dtype

T = TypeVar("T")


class Engine:
    """Renders scenes of one model on one device.

    Not thread-safe: give every thread an engine of its own; engines share the model's weights.

    Attributes:
        mapper, graphs: maps scenes to latents; a GPU's graphs for the screen, None elsewhere.

    Args:
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        exact: for files and figures: pictures within 1e-3 of the plain modules' in [−1, 1], the
            same at any number of threads. Otherwise, for the screen, samples are left out that
            weigh less than ``ray_march.VISIBLE``, and the decoder computes in 16 bits where the
            processor is faster in them: the shipped models' pixels are at most 3 grey levels off.
    """

    def __init__(self, model: Model, device: str = "auto", *, exact: bool = False) -> None:
        self.model = model
        self.device = select_device(device)
        self.config = model.generator.config
        generator = model.generator
        if self.device.type == "cuda" and not exact:  # exact work sets the products while it lasts
            exact_convolutions()
        if self.device.type != "cpu":
            generator = copy.deepcopy(generator).to(self.device)
        self.generator = generator
        if exact and self.device.type == "cpu":
            compiled_loops.wait()
        self._exact, self._visible = exact, VISIBLE_IN_FILES if exact else VISIBLE
        self._tiles = Tiles(self.device, exact=exact)
        self.graphs = device_graphs(self.device, exact=exact)
        self.mapper = StyleMapper(model, generator, self.device, self.graphs)
        # Read once: a look at a weight's value waits for a GPU.
        self._beta = max(float(generator.field.sigmoid_beta.detach()), 1e-6)
        self._level = generator.surface_scalar
        self._evaluates_all = self.device.type != "cpu"
        self._fields = FoldedFields(generator, self.graphs)
        band = relevant_band(self._beta, (FAR - NEAR) / self.config.samples)
        self._grids = ShapeGrids(band, self.device)
        # Only a background field leaves all opacity to the surface, sparse samples or not.
        self._solid = 1.0 if self.config.has_background else SOLID
        self._decoder: BakedDecoder | None = None
        self._noise: DecoderNoise | None = None
        if generator.decoder is not None:
            dtype, tiles = torch.float32 if exact else fast_dtype(self.device), self._tiles
            self._decoder = BakedDecoder(generator.decoder, dtype, tiles, self.graphs, exact=exact)
            self._noise = DecoderNoise(generator)

    # --- pictures -------------------------------------------------------------------------------

    def reproducibly(self, work: Callable[[], T]) -> T:
        """The result of ``work``; of an exact engine the same at any number of threads."""
        return self._tiles.on_one_core(work) if self._exact else work()

    def _field(self, scene: Scene) -> BakedField:
        return self._folded(scene)[0]

    def _behind(self, scene: Scene) -> BakedBackground | None:
        return self._folded(scene)[1]

    def _folded(self, scene: Scene) -> tuple[BakedField, BakedBackground | None]:
        styles = self.reproducibly(lambda: self.mapper.styles(scene))
        return self.reproducibly(lambda: self._fields.of(styles.of_field, styles.w))

    def note(self, view: View) -> str:
        """A remark on a view's pictures for the user; usually empty."""
        if view == "image" and not self.config.has_image:
            return "This model has no decoder: the volume render is shown, enlarged."
        return self._tiles.note or device_note(self.device, self.graphs)

    def render(
        self, scene: Scene, view: View, size: int | None = None, *, rays: int = 1
    ) -> Picture:
        """The finished picture at once; other arguments as in :func:`~.passes.passes`.

        Args:
            rays: of an image, along each side of a pixel of the volume render: the mean features
                of several rays belong to the pixel's whole area, and flicker less in films.
        """
        if drawn_view(self.config, view) == "direct":
            return self.direct(scene, size or self.direct_size)
        if view == "image" and rays > 1:
            thumb = self.config.thumb_size
            volume = self.render_volume(scene, rays * thumb, features=True)
            return self.picture(scene, view, volume.reduced(thumb))
        if view == "image" or size is None:
            return self.render_views(scene, (view,))[view]
        return self.picture(scene, view, self.render_volume(scene, size, features=False))

    def render_views(self, scene: Scene, views: Sequence[View]) -> dict[View, Picture]:
        """Several views of one camera at the model's own sizes, all but ``direct`` from a single
        volume render.
        """
        drawn = [drawn_view(self.config, view) for view in views]
        volume = self.render_volume(scene, self.config.thumb_size, features="image" in drawn)
        return {
            view: self.direct(scene, self.direct_size)
            if own == "direct"
            else self.picture(scene, view, volume)
            for view, own in zip(views, drawn, strict=True)
        }

    def picture(self, scene: Scene, view: View, volume: Volume) -> Picture:
        """A view of a volume render, decoded for ``image``."""
        return self.reproducibly(lambda: self._make_picture(scene, view, volume))

    def _make_picture(self, scene: Scene, view: View, volume: Volume) -> Picture:
        if view == "image":
            if (image := self._decode(scene, volume)) is not None:
                return Picture.decoded(image, self._solid)
            return self._make_picture(scene, "volume", volume.enlarged(256)).seen_as(view)
        if view == "volume":
            behind = None if volume.behind is None else volume.behind.cpu().numpy()
            data, background = volume.rgb.cpu().numpy(), volume.background.cpu().numpy()
            return Picture(view, data, background, behind, self._solid)
        if view == "depth":
            data = volume.depth[None].cpu().numpy()
        elif view == "normals":
            edge = volume.depth.shape[0]
            points = self.rays(scene, edge).points(volume.depth)
            normals = self._tiles.map(self._outward(scene), points)
            data = normals.T.reshape(3, edge, edge).cpu().numpy()
        else:
            raise ValueError(f"the engine draws no view {view!r}")
        return Picture(view, data, volume.background.cpu().numpy(), solid=self._solid)

    @torch.no_grad()
    def _decode(self, scene: Scene, volume: Volume) -> Tensor | None:
        """The image (3, S, S) of a volume render; None without decoder."""
        decoder = self.baked_decoder(scene, volume)
        if decoder is None:
            return None
        assert volume.features is not None
        return decoder(volume.features[None])[0]

    @torch.no_grad()
    def baked_decoder(self, scene: Scene, volume: Volume) -> BakedDecoder | None:
        """The decoder with a scene's styles, and noise for a volume render; None without one."""
        styles = self.reproducibly(lambda: self.mapper.styles(scene)).decoder
        if styles is None or self._decoder is None or self._noise is None:
            return None

        def surface() -> ShownSurface:
            level = self._level if self.config.field == "sdf" else None
            find = SurfaceFinder(self._field(scene), level, self._tiles)
            rays = self.rays(scene, volume.depth.shape[0])
            return find(volume, rays, scene.camera, self.model.poses.fov)

        self._decoder.bake(styles, self._noise.maps(scene.options, surface))
        return self._decoder

    def rays(self, scene: Scene, edge: int) -> CameraRays:
        """The rays of a picture of ``edge``² pixels."""
        fov, static = self.model.poses.fov, scene.options.static_viewdirs
        of = partial(CameraRays.of, scene.camera, edge, fov, self.device, static=static)
        return self.reproducibly(of)

    def _border(self, scene: Scene) -> BorderBackground:
        """The background around the trained view from the camera's direction."""
        camera = OrbitCamera(scene.camera.azimuth, scene.camera.elevation, self.model.poses.fov)
        view = self.render_volume(replace(scene, camera=camera), BORDER_EDGE, features=True)
        assert view.features is not None
        maps = (view.rgb, view.features, view.background[None])
        return BorderBackground.around(*(x[None] for x in maps))

    def render_volume(
        self, scene: Scene, edge: int, *, features: bool, visible: float | None = None
    ) -> Volume:
        """A volume render of ``edge``² pixels, without samples that weigh less than ``visible``."""
        threshold = self._visible if visible is None else visible
        return self.reproducibly(lambda: self._march(scene, edge, features, threshold))

    @torch.no_grad()
    def _march(
        self, scene: Scene, edge: int, features: bool, visible: float, pixels: Tensor | None = None
    ) -> Volume:
        camera, fov, graphs = scene.camera, self.model.poses.fov, self.graphs
        is_plain = pixels is None and self._behind(scene) is None and sees_trained(camera, fov)
        if graphs is not None and is_plain:
            kind = CameraMarch.of(scene.options, self.config, fov, edge, features=features)
            field, sigma = self._field(scene), self.generator.sigma
            draw = partial(kind, graphs, camera, field, sigma, self._beta)
            if (volume := self._tiles.at_once(draw, kind.points)) is not None:
                return volume
        rays = self.rays(scene, edge)
        march, points_each = self._ray_march(scene, rays, edge, visible)
        return rays.march(march, self._tiles, points_each, features=features, pixels=pixels)

    @property
    def direct_size(self) -> int:
        """Usual edge of the view ``direct``, pixels: the decoded image's, or 256."""
        return self.config.output_size if self.config.has_image else 256

    def direct(self, scene: Scene, size: int) -> Picture:
        """The surface's own colours in ``size``² pixels, see :mod:`.direct`.

        A density field has no surface: its volume render is shown.
        """
        return drain(self.direct_steps(scene, size))

    @torch.no_grad()
    def direct_steps(self, scene: Scene, size: int) -> Operation[Picture]:
        """:meth:`direct` with its progress."""
        if self.config.field == "density":
            volume = self.render_volume(scene, size, features=False)
            return self.picture(scene, "volume", volume).seen_as("direct")
        rays = self.rays(scene, size)
        surface = yield from self.direct_render(scene, rays, size).steps(rays)
        covered = surface.covered.view(size, size)
        behind = self.background(scene, size)
        if behind is None:
            edge = self.config.thumb_size
            beside = beside_head(covered, edge)
            march = partial(self._march, scene, edge, False, self._visible, beside)
            volume = self.reproducibly(march)
            behind = backdrop(volume, size)
        rgb = torch.lerp(behind, surface.rgb.T.view(3, size, size), covered)
        data, background = rgb.cpu().numpy(), (1.0 - covered).cpu().numpy()
        return Picture("direct", data, background, behind.cpu().numpy(), self._solid)

    @torch.no_grad()
    def background(self, scene: Scene, size: int) -> Tensor | None:
        """The background field's colours alone, (3, size, size) in [−1, 1]; None without one."""
        behind, rays = self._behind(scene), self.rays(scene, min(size, SMOOTH))
        if behind is None:
            return None
        return self.reproducibly(lambda: rays.background(behind, self._tiles, size))

    def direct_render(self, scene: Scene, rays: CameraRays, size: int) -> DirectRender:
        """What renders rays through the pixels of a picture of ``size``² directly."""
        samples = scene.options.samples or self.config.samples
        far = FAR - (FAR - NEAR) / samples
        trace = SurfaceTrace(self._grid(scene, SURFACE), rays.volume, NEAR, far)
        pixel = 1.0 / scene.camera.focal(size)
        return DirectRender(self._field(scene), self._level, trace, pixel, self._tiles)

    def ray_coverage(self, scene: Scene, rays: CameraRays, edge: int) -> Tensor:
        """How much of each ray's light the head gives, (N,) from 0 to 1; rays through the pixels of
        a picture of ``edge``².
        """
        march, points_each = self._ray_march(scene, rays, edge, self._visible)
        return rays.coverage(march, self._tiles, points_each)

    def _ray_march(
        self, scene: Scene, rays: CameraRays, edge: int, visible: float
    ) -> tuple[RayMarch, int]:
        """A march through a scene's field, and its evaluations a ray."""
        samples = scene.options.samples or self.config.samples
        grid, behind = None, self._behind(scene)
        # On a GPU the grid's many small steps take longer than evaluating all samples.
        if self.config.field == "sdf" and not self._evaluates_all:
            grid = self._grid(scene, COARSE if edge < self.config.thumb_size else FINE)
        t_vals = sample_depths(samples, rays.origins)
        bordered = rays.volume is not None and behind is None
        march = march_class(grid, evaluates_all=self._evaluates_all)(
            self._field(scene),
            self.generator.sigma,
            self._beta,
            t_vals if behind is None else with_end(t_vals),
            grid,
            scene.options.force_background or behind is not None,
            visible,
            rays.volume,
            self._border(scene) if bordered else None,
            behind,
        )
        return march, samples if grid is None else TYPICAL_SAMPLES

    def _grid(self, scene: Scene, resolution: int) -> DistanceGrid:
        shape = self.reproducibly(lambda: self.mapper.styles(scene)).of_shape
        if resolution == SURFACE:
            return self._grids.of(shape, resolution, self.sdf(scene), exact=True)
        scalar = self._tiles.on_arrays(self._field(scene).scalar)
        return self._grids.of(shape, resolution, scalar, exact=False)

    # --- the surface, for meshing ---------------------------------------------------------------

    def sdf(self, scene: Scene) -> PointFunction:
        """Signed distances from the model's surface, (N, 3) world -> (N,), negative inside.

        Of a density field, differences of densities: 0 where half the light is lost in one sample.
        """
        field = self._field(scene)

        def evaluate(points: Tensor) -> Tensor:
            scalar = field.scalar(points)
            if self.config.field == "density":
                return SURFACE_SIGMA - self.generator.sigma(scalar)
            return scalar - self._level

        return self._tiles.on_arrays(evaluate)

    def colors(self, scene: Scene) -> PointFunction:
        """Surface colour in [0, 1], (N, 3) world -> (N, 3), as seen from straight ahead."""
        field = self._field(scene)
        ahead = torch.tensor([[0.0, 0.0, -1.0]], device=self.device)
        return self._tiles.on_arrays(lambda points: field.color(points, ahead))

    def normals(self, scene: Scene) -> PointFunction:
        """Outward unit normals, (N, 3) world -> (N, 3), from the field's gradient."""
        return self._tiles.on_arrays(self._outward(scene))

    def _outward(self, scene: Scene) -> Callable[[Tensor], Tensor]:
        """Unit normals (N, 3): along the gradient of a distance, against that of a density."""
        field, sign = self._field(scene), 1.0 if self.config.field == "sdf" else -1.0
        return lambda points: F.normalize(sign * field.gradient(points), dim=-1, eps=1e-12)
