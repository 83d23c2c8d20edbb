"""The file and the request of each export button."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.state.exports import (
    EXPORTS,
    batch_request,
    default_stem,
    export_folder,
    export_kind,
    export_request,
    film_request,
    sheet_request,
)
from app.state.settings import BatchSettings, ExportSettings, Settings, ViewSettings
from stylesdf_core.commands.command_line import command_line
from stylesdf_core.commands.scenes.batch import BatchKinds
from stylesdf_core.commands.scenes.films import RenderTurntable
from stylesdf_core.commands.scenes.meshes import ExportMesh
from stylesdf_core.commands.scenes.options.assets import AssetSettings
from stylesdf_core.commands.scenes.options.rendering import MeshSettings
from stylesdf_core.commands.scenes.pictures import RenderImage
from stylesdf_core.scene.paths import sway
from stylesdf_core.scene.scene import Identity, Scene, View

SCENE = Scene(identity=Identity(742))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        export=ExportSettings(folder=str(tmp_path), frames=10, fps=12, size=64),
        mesh=MeshSettings(resolution=48, level=0.01, largest_component=False),
        device="cpu",
    )


@pytest.mark.parametrize("kind", EXPORTS, ids=lambda kind: kind.name)
def test_every_button_has_a_request_and_a_command(kind: object, settings: Settings) -> None:
    assert kind in EXPORTS
    request = export_request(SCENE, kind, settings)  # type: ignore[arg-type]
    assert request.out.parent == export_folder(settings)
    assert request.out.name.startswith("heads-000742")
    assert str(request.out) in command_line(request)


def test_a_relative_folder_lies_at_home_wherever_the_studio_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    settings = Settings(export=ExportSettings(folder="faces"), batch=BatchSettings(folder="many"))
    assert export_folder(settings) == tmp_path / "faces"
    assert batch_request(SCENE, settings).out == tmp_path / "many"


def test_requests_carry_the_panels_settings(settings: Settings) -> None:
    mesh = export_request(SCENE, export_kind("GLB"), settings)
    assert isinstance(mesh, ExportMesh)
    assert (mesh.resolution, mesh.level, mesh.largest_component) == (48, 0.01, False)
    normals = replace(settings, view=ViewSettings(view="normals"))
    turntable = export_request(SCENE, export_kind("GIF"), normals)
    assert isinstance(turntable, RenderTurntable)
    assert (turntable.frames, turntable.fps, turntable.size, turntable.view) == (
        10,
        12,
        64,
        "normals",
    )
    own_size = replace(settings, export=replace(settings.export, size=0))
    for name, is_grey in (("Depth 16-bit", True), ("Depth colours", False)):
        picture = export_request(SCENE, export_kind(name), own_size)
        assert isinstance(picture, RenderImage)
        assert (picture.view, picture.sixteen_bit) == ("depth", is_grey)


def test_the_size_applies_to_every_picture(settings: Settings) -> None:
    sized = replace(settings, export=replace(settings.export, picture_size=512))
    for kind in EXPORTS:
        request = export_request(SCENE, kind, sized)
        if isinstance(request, RenderImage):
            assert request.size == 512, kind
    own = export_request(SCENE, export_kind("PNG"), settings)
    assert isinstance(own, RenderImage)
    assert own.size is None


@pytest.mark.parametrize(("view", "left"), [("volume", "volume"), ("mesh", "image")])
def test_a_split_view_is_exported_split(settings: Settings, view: View, left: View) -> None:
    split = replace(settings, view=ViewSettings(view=view, split=True))
    for name in ("PNG", "GIF"):
        request = export_request(SCENE, export_kind(name), split)
        assert isinstance(request, RenderImage | RenderTurntable)
        assert (request.view, request.split) == (left, True)
    depth = export_request(SCENE, export_kind("Depth colours"), split)
    assert isinstance(depth, RenderImage)
    assert not depth.split


def test_a_file_name_that_exists_is_never_used(settings: Settings, tmp_path: Path) -> None:
    kind = export_kind("PNG")
    first = export_request(SCENE, kind, settings).out
    assert first == tmp_path / "heads-000742.png"
    first.write_bytes(b"")
    second = export_request(SCENE, kind, settings).out
    assert second.name == "heads-000742-2.png"
    third = export_request(SCENE, kind, settings, taken=[second]).out
    assert third.name == "heads-000742-3.png"
    named = export_request(SCENE, kind, settings, stem="portrait").out
    assert named == tmp_path / "portrait.png"


def test_default_stems_tell_exports_apart() -> None:
    stems = {default_stem(SCENE, kind) + kind.suffix for kind in EXPORTS}
    assert len(stems) == len(EXPORTS)


def test_a_mesh_takes_the_panel_s_asset_settings_and_names_whose_files_are_all_free(
    settings: Settings, tmp_path: Path
) -> None:
    asset = AssetSettings(triangles=(5000, 1000), texture=1024)
    settings = replace(settings, asset=asset)
    (tmp_path / "heads-000742-lod1.mtl").touch()
    (tmp_path / "heads-000742-2-basecolor.png").touch()
    request = export_request(SCENE, export_kind("OBJ"), settings)
    assert isinstance(request, ExportMesh)
    assert request.asset == asset
    assert request.out == tmp_path / "heads-000742-3.obj"
    printed = export_request(SCENE, export_kind("STL"), settings)
    assert isinstance(printed, ExportMesh)
    assert (printed.asset.texture, printed.asset.triangles) == (None, (5000, 1000))


def test_two_queued_meshes_never_share_the_file_of_a_texture(
    settings: Settings, tmp_path: Path
) -> None:
    settings = replace(settings, asset=AssetSettings(triangles=(5000,), texture=1024))
    first = export_request(SCENE, export_kind("OBJ"), settings).out
    taken = [first, tmp_path / "heads-000742.png"]
    assert export_request(SCENE, export_kind("PLY"), settings, taken=taken).out.name == (
        "heads-000742-2.ply"
    )
    assert export_request(SCENE, export_kind("STL"), settings, taken=taken).out.name == (
        "heads-000742.stl"
    )


def test_files_of_a_face_from_a_photograph_do_not_name_a_seed(settings: Settings) -> None:
    photographed = replace(SCENE, identity=Identity(z=(0.5,) * 4))
    names = [
        export_request(photographed, export_kind("PNG"), settings).out.name,
        film_request(sway(photographed, 1.0), ".gif", settings).out.name,
        sheet_request(photographed, settings).out.name,
    ]
    assert names == [
        "heads-custom.png",
        "heads-custom-animation.gif",
        "heads-custom-seeds-sheet.png",
    ]


def test_a_batch_takes_the_dialog_s_settings_and_those_of_the_panels(
    settings: Settings, tmp_path: Path
) -> None:
    kinds = BatchKinds(png=True, glb=True)
    chosen = BatchSettings(seeds="0-3", name="{seed:03d}", kinds=kinds)
    export, view = replace(settings.export, picture_size=128), ViewSettings(background="none")
    request = batch_request(SCENE, replace(settings, batch=chosen, export=export, view=view))
    assert request.out == tmp_path / "batch"
    assert (request.seeds, request.name, request.kinds, request.faces) == (
        "0-3",
        "{seed:03d}",
        kinds,
        4,
    )
    assert (request.size, request.background, request.mesh) == (128, "none", settings.mesh)
    assert request.scene == SCENE
    elsewhere = replace(chosen, folder=str(tmp_path / "other"))
    again = batch_request(SCENE, replace(settings, batch=elsewhere), again=True)
    assert (again.out, again.again) == (tmp_path / "other", True)
    assert "--seeds 0-3" in command_line(request)


def test_a_film_takes_the_keyframes_and_the_panel_s_settings(
    settings: Settings, tmp_path: Path
) -> None:
    animation = sway(SCENE, 2.0)
    split = replace(settings, view=ViewSettings(view="mesh", split=True))
    request = film_request(animation, ".webp", split)
    assert request.out == tmp_path / "heads-000742-animation.webp"
    assert (request.animation, request.fps, request.size) == (animation, 12, 64)
    assert (request.view, request.split) == ("image", True)
    assert film_request(animation, "", settings).out.suffix == ""
