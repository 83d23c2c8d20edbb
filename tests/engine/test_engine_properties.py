"""Whatever an engine drew before, it draws what a fresh one and the plain path draw."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch

from stylesdf_core.engine.engine import Engine
from stylesdf_core.engine.levels import volume_level
from stylesdf_core.engine.march.tiles import Tiles
from stylesdf_core.engine.passes import RenderPass, passes
from stylesdf_core.engine.picture import Picture
from stylesdf_core.evaluation.bench.reference_path import ReferencePath
from stylesdf_core.evaluation.metrics.image_metrics import psnr
from stylesdf_core.model.config import DECODER_W_DIM, RenderOptions
from stylesdf_core.model.latents.latents import LatentDirection, seed_to_z
from stylesdf_core.model.model import Model, load_model
from stylesdf_core.rendering.camera import MAX_ELEVATION, MAX_PAN, OrbitCamera
from stylesdf_core.scene.offsets import encoded
from stylesdf_core.scene.scene import ENGINE_VIEWS, Identity, Mixing, Morph, Scene, View
from tests.models import tiny_model

DRAWN = ENGINE_VIEWS
DIRECTIONS = (
    LatentDirection("smile", "Smile", "face", 3),
    LatentDirection("beard", "Beard", "hair", 5),
)
_CONFIG = tiny_model().generator.config


def offsets(layers: int, width: int) -> tuple[str, ...]:
    """Texts of no offsets, and of two different ones."""
    wave = np.sin(np.arange(layers * width, dtype=np.float32))
    return ("", encoded(0.5 * wave), encoded(-0.3 * wave))


#: A few values for everything in a scene, so that a walk comes back to where it was.
CHOICES: dict[str, tuple[Any, ...]] = {
    "identity.seed": (0, 1, 2),
    "identity.z": (None, tuple(0.5 * math.sin(i) for i in range(256)), (0.1,) * 256),
    "identity.edits": ((), (("smile", 2.0),), (("beard", -1.0), ("smile", 0.5))),
    "identity.offsets.field": offsets(_CONFIG.film_layers, _CONFIG.z_dim),
    "identity.offsets.decoder": offsets(_CONFIG.n_latent, DECODER_W_DIM),
    "morph.seed": (None, 3, 4),
    "morph.amount": (0.5, 0.2, 1.0),
    "morph.space": ("w", "z"),
    "mixing.seed": (None, 5, 6),
    "mixing.crossover": (3, 0, 5),
    "mixing.strengths": ((), (0.0, 0.2, 0.5, 1.0, 1.0, 0.3)),
    "mixing.groups": ((), (("hair", 1.0),), (("face", 0.5), ("hair", 1.0))),
    "mixing.field_strengths": ((), (1.0, 0.5, 0.0), (0.0, 0.0, 1.0)),
    "truncation_psi": (0.7, 1.0, 0.0, -1.5),
    "camera.azimuth": (0.0, 0.9, -2.0),
    "camera.elevation": (0.0, 0.4),
    "camera.fov": (6.0, 3.0, 12.0),
    "camera.pan_x": (0.0, 0.02),
    "camera.pan_y": (0.0, -0.03),
    "options.samples": (None, 9, 40),
    "options.force_background": (True, False),
    "options.static_viewdirs": (True, False),
    "options.noise": ("fixed", "random", "surface", "none"),
    "options.noise_seed": (0, 7),
}
#: A scene in which every one of them plays a part.
EVERYTHING = Scene(
    morph=Morph(3, 0.5),
    mixing=Mixing(5),
    camera=OrbitCamera(azimuth=0.4),
    options=RenderOptions(noise="random"),
)


def leaves(value: Any, path: str = "") -> Iterator[str]:
    """Dotted names of all plain values in a nested dataclass."""
    for member in dataclasses.fields(value):
        inner, name = getattr(value, member.name), f"{path}{member.name}"
        if dataclasses.is_dataclass(inner):
            yield from leaves(inner, f"{name}.")
        else:
            yield name


def changed(value: Any, path: str, new: Any) -> Any:
    name, _, rest = path.partition(".")
    return replace(value, **{name: changed(getattr(value, name), rest, new) if rest else new})


@cache
def models() -> tuple[Model, ...]:
    """Two that take the same scenes."""
    sdf, density = tiny_model(), tiny_model(field="density", width=32)
    sdf.generator.field.sigmoid_beta.fill_(0.002)  # thin enough for rays that meet nothing
    for model in (sdf, density):
        assert model.generator.decoder is not None
        for layer in model.generator.decoder.convs:
            layer.noise_strength.fill_(0.2)  # type: ignore[operator, union-attr]
    return tuple(replace(model, named=DIRECTIONS) for model in (sdf, density))


@cache
def freshly_drawn(index: int, scene: Scene) -> dict[View, Picture]:
    """All views by a fresh engine; many changes begin at the same scene and come back to it."""
    return Engine(models()[index], "cpu").render_views(scene, DRAWN)


def assert_same_picture(one: Picture, other: Picture) -> None:
    assert one.view == other.view
    assert np.isfinite(one.data).all()
    np.testing.assert_array_equal(one.data, other.data)
    np.testing.assert_array_equal(one.background, other.background)


def assert_same_frame(one: RenderPass, other: RenderPass) -> None:
    assert (one.match is None) == (other.match is None)
    same = {"picture": other.picture, "seconds": 0.0, "match": None}
    assert replace(one, **same) == replace(other, **same)  # type: ignore[arg-type]
    assert_same_picture(one.picture, other.picture)


# --- nothing is stale -----------------------------------------------------------------------------


def test_the_walk_changes_everything_in_a_scene() -> None:
    # An engine has but one model, whose digest changes no picture.
    assert set(CHOICES) == set(leaves(Scene())) - {"model", "model_digest"}


@pytest.mark.parametrize("path", CHOICES)
def test_each_change_is_seen_and_undone(path: str) -> None:
    """One engine draws a scene, the scene with one change, and the first again."""
    told_apart = set()
    for index, model in enumerate(models()):
        engine = Engine(model, "cpu")
        seen: dict[Any, bytes] = {}
        for choice in (*CHOICES[path], CHOICES[path][0]):
            scene = changed(EVERYTHING, path, choice)
            drawn = engine.render_views(scene, DRAWN)
            for view, picture in freshly_drawn(index, scene).items():
                assert_same_picture(drawn[view], picture)
            seen[choice] = b"".join(picture.data.tobytes() for picture in drawn.values())
        told_apart.add(len(set(seen.values())))
    assert max(told_apart) == len(CHOICES[path])  # else this would prove nothing


@dataclass
class Promise:
    """Something that was asked for and is called for later: what it gives, and what it should."""

    own: Callable[[], Any]
    true: Callable[[], Any]
    same: Callable[[Any, Any], None]


class Walk:
    """Random requests to long-lived engines, each compared with a fresh engine's answer."""

    def __init__(self, seed: int) -> None:
        self.source = np.random.default_rng(seed)
        self.models = models()
        self.exact = (False, True)
        self.engines = [self.fresh(index) for index in range(2)]
        self.scene = Scene()
        self.pending: list[Promise] = []
        self.compared = 0

    def fresh(self, index: int) -> Engine:
        return Engine(self.models[index], "cpu", exact=self.exact[index])

    def pick(self, options: Any) -> Any:
        return options[int(self.source.integers(len(options)))]

    def step(self) -> None:
        for _ in range(self.pick((0, 1, 1, 2))):
            path = self.pick(tuple(CHOICES))
            self.scene = changed(self.scene, path, self.pick(CHOICES[path]))
        request = self.pick((self.render, self.several, self.function, self.passes, self.passes))
        request(self.pick((0, 1)))
        while self.pending and self.source.random() < 0.4:
            self.keep(self.pending.pop(int(self.source.integers(len(self.pending)))))

    def keep(self, promise: Promise) -> None:
        promise.same(promise.own(), promise.true())
        self.compared += 1

    def render(self, index: int) -> None:
        scene, view, size = self.scene, self.pick(DRAWN), self.pick((None, 7, 16, 24))
        self.keep(
            Promise(
                lambda: self.engines[index].render(scene, view, size),
                lambda: self.fresh(index).render(scene, view, size),
                assert_same_picture,
            )
        )

    def several(self, index: int) -> None:
        drawn = self.engines[index].render_views(self.scene, DRAWN)
        for view, picture in drawn.items():
            assert_same_picture(picture, self.fresh(index).render(self.scene, view))
            self.compared += 1

    def function(self, index: int) -> None:
        """A function of points, made now and called now or when the scene is another."""
        name, scene = self.pick(("sdf", "colors", "normals")), self.scene
        own = getattr(self.engines[index], name)(scene)
        points = self.source.uniform(-0.12, 0.12, (self.pick((1, 100, 5000)), 3))
        points = points.astype(np.float32)
        self.pending.append(
            Promise(
                lambda: own(points),
                lambda: getattr(self.fresh(index), name)(scene)(points),
                np.testing.assert_array_equal,
            )
        )

    def passes(self, index: int) -> None:
        """Progressive passes, of which some are taken now, some later and some never."""
        scene, view, size = self.scene, self.pick(DRAWN), self.pick((None, 16, 24))
        coarsest = self.pick((5, 12, 32))
        arguments = (scene, view, size)
        frames = passes(self.engines[index], *arguments, first=volume_level(coarsest))
        now = self.pick((0, 1, 2, 3))
        true = list(passes(self.fresh(index), *arguments, first=volume_level(coarsest)))
        for frame, expected in zip(islice(frames, now), true, strict=False):
            assert_same_frame(frame, expected)
            self.compared += 1
        for _ in true[now : now + self.pick((0, 1, 2))]:
            self.pending.append(
                Promise(
                    lambda: next(frames),
                    lambda: None,
                    lambda frame, _: assert_same_frame(frame, true[frame.pass_index]),
                )
            )
        if now >= len(true):
            assert_same_picture(true[-1].picture, self.fresh(index).render(*arguments))


@pytest.mark.parametrize("seed", range(3))
def test_long_lived_engines_draw_what_fresh_ones_draw(seed: int) -> None:
    walk = Walk(seed)
    for _ in range(40):
        walk.step()
    while walk.pending:
        walk.keep(walk.pending.pop())
    assert walk.compared > 50


# --- determinism ----------------------------------------------------------------------------------


@pytest.mark.parametrize("exact", [False, True])
def test_same_scene_same_bytes(exact: bool) -> None:
    scene = replace(EVERYTHING, camera=OrbitCamera(0.4, 0.1))
    for model in models():
        engine = Engine(model, "cpu", exact=exact)
        for view in DRAWN:
            assert_same_picture(engine.render(scene, view), engine.render(scene, view))


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_same_bytes_on_any_number_of_threads(threads: int) -> None:
    for index, model in enumerate(models()):
        expected = freshly_drawn(index, EVERYTHING)
        engine = Engine(model, "cpu")
        engine._tiles = Tiles(torch.device("cpu"), threads)
        for view, picture in engine.render_views(EVERYTHING, DRAWN).items():
            assert_same_picture(picture, expected[view])


@pytest.mark.parametrize("coarsest", [8, 32])
@pytest.mark.parametrize("view", DRAWN)
def test_last_pass_is_what_a_fresh_engine_renders(view: View, coarsest: int) -> None:
    """Also where the first pass has left a coarser distance grid behind."""
    for index, model in enumerate(models()):
        *_, last = passes(Engine(model, "cpu"), EVERYTHING, view, first=volume_level(coarsest))
        assert_same_picture(last.picture, freshly_drawn(index, EVERYTHING)[view])


# --- extremes, on trained weights -----------------------------------------------------------------


@dataclass(frozen=True)
class Heads:
    default: Engine
    exact: Engine
    reference: ReferencePath


@pytest.fixture(scope="module")
def heads() -> Heads:
    model = load_model("heads")
    return Heads(
        Engine(model, "cpu"), Engine(model, "cpu", exact=True), ReferencePath(model, "cpu")
    )


def edited(value: float) -> Identity:
    names = [direction.name for direction in load_model("heads").directions]
    return Identity(8, edits=tuple((name, value) for name in names))


EXTREMES: dict[str, Callable[[], Scene]] = {
    "plain": lambda: Scene(identity=Identity(1)),
    "behind": lambda: Scene(camera=OrbitCamera(azimuth=math.pi)),
    "above": lambda: Scene(camera=OrbitCamera(elevation=MAX_ELEVATION)),
    "below": lambda: Scene(camera=OrbitCamera(elevation=-MAX_ELEVATION)),
    "near": lambda: Scene(camera=OrbitCamera(fov=1.0)),
    "far": lambda: Scene(camera=OrbitCamera(azimuth=0.8, fov=20.0)),
    "panned": lambda: Scene(camera=OrbitCamera(pan_x=MAX_PAN, pan_y=-MAX_PAN)),
    "panned back": lambda: Scene(camera=OrbitCamera(2.0, -0.5, 20.0, -MAX_PAN, MAX_PAN)),
    "three times z": lambda: Scene(
        identity=Identity(z=tuple(float(3.0 * x) for x in seed_to_z(4))), truncation_psi=1.0
    ),
    "psi 2": lambda: Scene(identity=Identity(5), truncation_psi=2.0),
    "psi -2": lambda: Scene(identity=Identity(5), truncation_psi=-2.0),
    "edits 3.5": lambda: Scene(identity=edited(3.5)),
    "edits -3.5": lambda: Scene(identity=edited(-3.5)),
    "few samples": lambda: Scene(options=RenderOptions(samples=4, force_background=False)),
}


def shown(data: np.ndarray) -> np.ndarray:
    """[−1, 1] as the [0, 1] of a screen."""
    return np.clip(0.5 * data + 0.5, 0.0, 1.0)


@pytest.mark.parametrize("name", EXTREMES)
def test_extremes_equal_the_plain_path(name: str, heads: Heads) -> None:
    scene = EXTREMES[name]()
    if name != "plain" and scene.options.samples is None:  # a third of its own: the path is slow
        scene = replace(scene, options=replace(scene.options, samples=16))
    volume = heads.reference.volume(scene)
    image = shown(heads.reference.decoded(scene, volume.features))
    drawn = heads.exact.render_views(scene, DRAWN)
    for picture in drawn.values():
        assert np.isfinite(picture.data).all()
        assert np.isfinite(picture.background).all()
    assert psnr(shown(drawn["volume"].data), shown(volume.rgb[0].numpy())) >= 45.0
    np.testing.assert_allclose(drawn["volume"].background, volume.mask[0, 0], atol=2e-3)
    if scene.options.force_background:  # else what is no background may be nothing at all
        solid = volume.mask[0, 0].numpy() < 0.5
        depth = volume.depth[0, 0].numpy()
        np.testing.assert_allclose(drawn["depth"].data[0][solid], depth[solid], atol=5e-4)
    assert psnr(shown(drawn["image"].data), image) >= 60.0
    assert psnr(shown(heads.default.render(scene, "image").data), image) >= 40.0
