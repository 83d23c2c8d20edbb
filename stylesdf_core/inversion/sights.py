"""The pictures that a tuning compares with, as samples of the surface and colours."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from stylesdf_core.engine.engine import Engine
from stylesdf_core.engine.field.baked_field import BakedField
from stylesdf_core.inversion.march import SHARP, SeenSamples, seen_samples
from stylesdf_core.inversion.picture import PhotoView
from stylesdf_core.model.latents.latents import seed_to_z
from stylesdf_core.model.networks.film_siren import layer_styles
from stylesdf_core.rendering.camera import MAX_ELEVATION, OrbitCamera
from stylesdf_core.scene.offsets import StyleOffsets
from stylesdf_core.scene.scene import Identity, Scene

#: Turns of the head, radians: azimuth and elevation.
_TURNS = ((-0.9, 0.0), (-0.6, 0.1), (-0.3, -0.1), (0.0, 0.2), (0.3, 0.1), (0.6, -0.1), (0.9, 0.0))
#: Other faces; the nearest one's way from the pivot to a random face, as a share; the share from
#: which on a face has no offsets of its own; the seed of the first.
_OTHERS, _NEAREST, _OWN_OFFSETS, _SEED = 12, 0.3, 0.6, 7000
#: How far a point may lie behind the surface that the photograph sees, world units.
_BEHIND = 0.004
#: Cosines of the angle between surface and line of sight from which the photograph begins to
#: count, and from which on it counts in full.
_GRAZING, _FACING = 0.15, 0.5
#: Width by which the outline of what the photograph shows is shrunk, and its edge blurred, pixels
#: of pictures of the edge.
_SHRUNK, _EDGE = 5, 256


@dataclass(frozen=True)
class Sight:
    """A picture to compare with; S is the image's edge.

    Attributes:
        samples: of the rays through the feature map's pixels.
        gamma, beta: (width,), the modulation of the field's view layer.
        styles: (1, n_latent, 512), the decoder's.
        target: (4, S, S), colours and how much each pixel counts.
        lacks: (thumb, thumb), by how much the untuned picture differs, squared; 0 of other faces.
    """

    samples: SeenSamples
    gamma: Tensor
    beta: Tensor
    styles: Tensor
    target: Tensor
    lacks: Tensor


@dataclass(frozen=True)
class _Sheet:
    """What a photograph shows of the surface.

    Attributes:
        maps: (5, E, E): colours, how surely they are the surface's, and the surface's depth.
    """

    scene: Scene
    maps: Tensor
    slope: float

    def on(self, points: Tensor, edge: int) -> tuple[Tensor, Tensor]:
        """Colours (3, edge, edge) and their certainty (1, edge, edge) at points (edge², 3)."""
        matrix = torch.from_numpy(self.scene.camera.cam2world()).to(points)
        x, y, z = ((points - matrix[:, 3]) @ matrix[:, :3]).T
        place = torch.stack([x, -y], dim=-1) / (-self.slope * z)[:, None]
        grid = place.view(1, edge, edge, 2)
        maps = F.grid_sample(self.maps[None], grid, align_corners=False)[0]
        is_seen = (-z).view(edge, edge) < maps[4] + _BEHIND
        return maps[:3], F.avg_pool2d((maps[3] * is_seen)[None], _SHRUNK, 1, _SHRUNK // 2)


class Sights:
    """Finds pictures; :meth:`find` fills the lists.

    Args:
        scenes: the person as each of the photographs shows them.
    """

    def __init__(self, engine: Engine, scenes: Sequence[Scene], views: Sequence[PhotoView]) -> None:
        self._engine, self._scenes, self._views = engine, scenes, views
        self._size = engine.config.output_size
        self.photos: list[Sight] = []
        self.turned: list[Sight] = []
        self.others: list[Sight] = []

    @torch.no_grad()
    def find(self) -> Iterator[float]:
        """Find all; yields the share that is found."""
        found, total = 0, len(self._scenes) * (1 + len(_TURNS)) + _OTHERS
        for scene, view in zip(self._scenes, self._views, strict=True):
            sheet = self._sheet(scene, view)
            self.photos.append(self._photo(scene, view, sheet))
            for turn in _TURNS:
                yield (found := found + 1) / total
                self.turned.append(self._carried(_turned(scene, turn), sheet))
            yield (found := found + 1) / total
        random = torch.Generator().manual_seed(0)
        for number in range(_OTHERS):
            self.others.append(self._sight(self._other(number, random), None))
            yield (found := found + 1) / total

    def _photo(self, scene: Scene, view: PhotoView, sheet: _Sheet) -> Sight:
        picture = view.picture(self._size)
        image = self._image(scene)
        inside = F.interpolate(sheet.maps[None, 3:4].sign(), size=(self._size,) * 2)[0]
        counts = torch.where(inside > 0.0, picture[3:], torch.ones_like(inside))
        colors = torch.where(inside > 0.0, picture[:3], image)
        return self._sight(scene, torch.cat([colors, counts]))

    def _carried(self, scene: Scene, sheet: _Sheet) -> Sight:
        edge = min(self._size, _EDGE)
        volume = self._engine.render_volume(scene, edge, features=False)
        points = self._engine.rays(scene, edge).points(volume.depth)
        colors, share = sheet.on(points, edge)
        share = share * (volume.background < 0.5)
        larger = F.interpolate(torch.cat([colors, share])[None], size=(self._size,) * 2)[0]
        image = torch.lerp(self._image(scene), larger[:3], larger[3:])
        return self._sight(scene, torch.cat([image, torch.ones_like(image[:1])]))

    def _sheet(self, scene: Scene, view: PhotoView) -> _Sheet:
        engine, edge = self._engine, min(self._size, _EDGE)
        volume = engine.render_volume(scene, edge, features=False)
        covered = (volume.background < 0.5).float()[None, None]
        inside = -F.max_pool2d(-covered, _SHRUNK, 1, _SHRUNK // 2)[0]
        normals = torch.from_numpy(engine.picture(scene, "normals", volume).data).to(engine.device)
        toward = torch.from_numpy(scene.camera.cam2world()[:, 2]).to(normals)
        facing = torch.tensordot(toward, normals, 1)
        picture = view.picture(edge)
        sure = ((facing - _GRAZING) / (_FACING - _GRAZING)).clamp(1e-3, 1.0) * inside
        sure = sure * picture[3:].clamp_max(1.0)  # clothes are hardly learned
        maps = torch.cat([picture[:3], sure, volume.depth[None]])
        return _Sheet(scene, maps, math.tan(math.radians(scene.camera.fov)))

    def _image(self, scene: Scene) -> Tensor:
        """The model's image (3, S, S)."""
        image = torch.from_numpy(self._engine.render(scene, "image").data)
        return image.to(self._engine.device)

    def _other(self, number: int, random: torch.Generator) -> Scene:
        """Another face, the farther from the pivot the larger the number."""
        pivot, poses = self._scenes[0], self._engine.model.poses
        share = _NEAREST + (1.0 - _NEAREST) * number / (_OTHERS - 1)
        own = torch.from_numpy(self._engine.mapper.z(pivot.identity))
        face = torch.from_numpy(seed_to_z(_SEED + number, len(own)))
        offsets = pivot.identity.offsets if share < _OWN_OFFSETS else StyleOffsets()
        azimuth, elevation = torch.randn(2, generator=random).clamp(-2.0, 2.0).tolist()
        return replace(
            pivot,
            identity=Identity(z=tuple(torch.lerp(own, face, share).tolist()), offsets=offsets),
            camera=OrbitCamera(
                azimuth * poses.azimuth_std, elevation * poses.elevation_std, poses.fov
            ),
        )

    def _sight(self, scene: Scene, target: Tensor | None) -> Sight:
        engine, generator = self._engine, self._engine.generator
        styles = engine.mapper.styles(scene)
        field = BakedField(generator.field, styles.w)
        rays = engine.rays(scene, engine.config.thumb_size)
        samples = seen_samples(
            field,
            generator.sigma,
            (rays.origins, rays.directions, rays.viewdirs),
            engine.config.samples,
            SHARP * float(generator.field.sigmoid_beta),
        )
        gamma, beta = generator.field.view_layer.modulation(layer_styles(styles.w, 1)[-1])
        assert styles.decoder is not None
        image = self._image(scene)
        if target is None:
            target = torch.cat([image, torch.ones_like(image[:1])])
        off = (target[3:] * (target[:3] - image).square()).mean(dim=0)
        lacks = F.interpolate(off[None, None], size=(rays.edge,) * 2, mode="area")[0, 0]
        return Sight(samples, gamma[0], beta[0], styles.decoder, target, lacks)


def _turned(scene: Scene, turn: tuple[float, float]) -> Scene:
    camera = scene.camera
    elevation = max(-MAX_ELEVATION, min(MAX_ELEVATION, camera.elevation + turn[1]))
    turned = replace(camera, azimuth=camera.azimuth + turn[0], elevation=elevation)
    return replace(scene, camera=turned)
