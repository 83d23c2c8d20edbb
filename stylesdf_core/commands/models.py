"""`stylesdf-studio models` and `info`: list, fetch, export models; describe this installation."""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
import platform
import re
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from stylesdf_core import __version__
from stylesdf_core.errors import CheckpointError, InputError
from stylesdf_core.files import check_destination
from stylesdf_core.model import model_zoo
from stylesdf_core.model.model_zoo import ModelEntry
from stylesdf_core.progress import Operation, Progress

_PACKAGES = ("torch", "numpy", "dearpygui", "moderngl", "pyrender", "trimesh")
# Draws as the mesh view does; its context may fail where a bare one opens.
_PROBE = """
import moderngl, numpy
from stylesdf_core.mesh.preview import MeshPreview
from stylesdf_core.mesh.surface import SurfaceMesh
from stylesdf_core.rendering.camera import OrbitCamera
corners = numpy.eye(3, dtype=numpy.float32) * 0.1
triangle = SurfaceMesh(corners, numpy.array([[0, 1, 2]], numpy.int32), corners * 10.0)
MeshPreview().submit(triangle, OrbitCamera(), 16).result()
import sys
backend = {"backend": "egl"} if sys.platform == "linux" else {}
context = moderngl.create_context(standalone=True, **backend)
print(context.info["GL_RENDERER"], context.info["GL_VERSION"], sep=", OpenGL ")
"""
_PROBE_SECONDS = 30
#: What a model's architecture says of the background, in words.
_BACKGROUNDS = {
    "none": "none: the last sample of a ray shows it",
    "sphere": "sphere: a field of its own behind the volume",
}


@dataclass(frozen=True)
class ModelTable:
    """All models with a name; as text, one model a line."""

    entries: tuple[ModelEntry, ...]

    def __str__(self) -> str:
        width = max((len(entry.name) for entry in self.entries), default=0)
        return "\n".join(
            f"{entry.name:{width}}  {entry.kind.value:9}  {entry.size / 1e6:6.1f} MB  "
            f"{'ready     ' if entry.is_ready else 'to fetch  '}  {entry.description}"
            for entry in self.entries
        )


@dataclass(frozen=True)
class ModelsList:
    """List the models that have a name: shipped with the program, or published and to fetch."""

    def run(self) -> Operation[ModelTable]:
        """Look into the program's folder and the cache."""
        yield from ()
        return ModelTable(tuple(map(_described, model_zoo.list_models())))


def _described(entry: ModelEntry) -> ModelEntry:
    """The entry, whose description says so where the model has a background field."""
    from stylesdf_core.model.checkpoints.checkpoints import read_architecture

    if entry.path.suffix != ".safetensors":  # the only format that holds such models
        return entry
    with suppress(CheckpointError):  # a damaged file is named when it is loaded
        if read_architecture(entry.path).has_background:
            return replace(entry, description=f"{entry.description}, with a background field")
    return entry


@dataclass(frozen=True)
class ModelsFetch:
    """Download published weights into the user's cache; an interrupted download continues."""

    name: Annotated[str, tyro.conf.Positional]
    """ffhq1024, afhq512, ffhq-renderer, afhq-renderer or sphere-init."""

    def run(self) -> Operation[Path]:
        """Yield bytes received; the result is the file.

        Raises:
            ModelNotFoundError: no published model has that name.
            DownloadError: the file did not arrive whole.
        """
        return (yield from model_zoo.fetch(self.name))


@dataclass(frozen=True)
class ExportedModel:
    """A model in another file format; as text, the file and what is to be known about it."""

    path: Path
    note: str = ""

    def __str__(self) -> str:
        return f"{self.path}\n{self.note}" if self.note else str(self.path)


@dataclass(frozen=True)
class ModelsExport:
    """Write a model to another file format."""

    model: Annotated[str, tyro.conf.Positional]
    """A name of `models list`, a weights file, or a run folder (its newest averaged weights)."""

    out: Path
    """FILE.safetensors for this program, or FILE.pt in the layout of the published code."""

    half: bool = False
    """Store 16-bit floats (.safetensors only): half the size, the same picture to rounding."""

    field: Literal["sdf", "density"] = "sdf"
    """Meaning of the field's scalar in a published .pt, which does not state it: a signed distance,
    or the density of a model trained without the SDF losses."""

    def run(self) -> Operation[ExportedModel]:
        """Read, convert, write; the result is the file.

        Raises:
            InputError: the suffix is neither .safetensors nor .pt, or ``half`` is set for a .pt.
            ModelNotFoundError: no model has that name.
            CheckpointError: the model's weights file is damaged.
            OutputError: ``out`` cannot be written.
        """
        check_destination(self.out, (".safetensors", ".pt"))
        suffix = self.out.suffix.lower()
        if self.half and suffix == ".pt":
            raise InputError("The published layout holds 32-bit floats; leave out --half.")
        import torch

        from stylesdf_core.model.checkpoints.checkpoints import (
            load_checkpoint,
            save_published,
            save_safetensors,
        )

        yield Progress(0, 2, "reading")
        loaded = load_checkpoint(model_zoo.resolve(self.model).path, field=self.field)
        yield Progress(1, 2, f"writing {self.out.name}")
        if suffix == ".pt":
            save_published(loaded.generator, self.out)
            config = loaded.generator.config
            if config.width != config.z_dim:
                return ExportedModel(
                    self.out,
                    "The published code can load this only once its FiLM layer no longer takes the "
                    f"field's width ({config.width}) for the size of w ({config.z_dim}).",
                )
        else:
            dtype = torch.float16 if self.half else torch.float32
            save_safetensors(
                loaded.generator, self.out, dtype=dtype, metadata=loaded.metadata, means=True
            )
        return ExportedModel(self.out)


@dataclass(frozen=True)
class SystemInfo:
    """This installation and machine; as text, one fact a line.

    Attributes:
        versions: versions of the program, Python, the system and the main packages.
        devices: names that ``--device`` accepts on this machine.
        threads: number of threads that torch computes with.
        compiled: how it stands with compiled loops for the CPU.
        opengl: renderer and version where the mesh view can be drawn, else why it cannot.
        display: whether a window can be opened.
        cache: folder of fetched weights.
        models: names of models that are ready.
        about: facts about one model, by their names; empty where none was asked for.
    """

    versions: dict[str, str]
    devices: tuple[str, ...]
    threads: int
    compiled: str
    opengl: str
    display: bool
    cache: Path
    models: tuple[str, ...]
    about: dict[str, str]

    def __str__(self) -> str:
        facts = {
            **self.versions,
            "devices": ", ".join(self.devices),
            "threads": str(self.threads),
            "compiled": self.compiled,
            "offscreen": self.opengl,
            "display": "yes" if self.display else "none: headless commands only",
            "cache": str(self.cache),
            "models": ", ".join(self.models) or "none",
            **self.about,
        }
        return "\n".join(f"{name:12} {value}" for name, value in facts.items())


@dataclass(frozen=True)
class Info:
    """Describe this installation and machine: versions, devices, OpenGL, models."""

    model: str | None = None
    """Also describe this model: a name of `models list`, a weights file or a run folder."""

    def run(self) -> Operation[SystemInfo]:
        """Collect the facts.

        Raises:
            ModelNotFoundError, CheckpointError: see :attr:`model`.
        """
        about = {} if self.model is None else _about(self.model)
        yield Progress(0, 2, "looking for devices")
        import torch

        from stylesdf_core.engine.compiled import compiled_loops

        there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
        yield Progress(1, 2, "trying OpenGL")
        opengl = _probe_opengl()
        yield Progress(2, 2)
        return SystemInfo(
            versions={
                "stylesdf": __version__,
                "python": platform.python_version(),
                "system": platform.platform(),
                **{name: _version(name) for name in _PACKAGES},
            },
            devices=("cpu", *(name for name, available in there.items() if available)),
            threads=torch.get_num_threads(),
            compiled=compiled_loops.state(),
            opengl=opengl,
            display=has_display(),
            cache=model_zoo.cache_folder(),
            models=tuple(entry.name for entry in model_zoo.list_models() if entry.is_ready),
            about=about,
        )


def _about(reference: str) -> dict[str, str]:
    """Architecture of a model and the cameras of its training, from its file's header."""
    from stylesdf_core.model.checkpoints.checkpoints import read_architecture

    path, poses = model_zoo.resolve(reference).path, model_zoo.trained_poses(reference)
    config, seen = read_architecture(path), "not stated: FFHQ's are assumed"
    if poses is not None:
        frame = "camera" if poses.static_viewdirs else "world"
        seen = f"{poses}; half field of view {poses.fov:g}°; {frame} view directions"
    return {
        "model": str(path),
        "field": f"{config.field}, {config.depth} layers of {config.width}, "
        f"{config.samples} samples a ray",
        "background": _BACKGROUNDS[config.background],
        "pictures": f"volume render {config.thumb_size}², image {config.output_size}²",
        "poses": seen,
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def has_display() -> bool:
    """Whether a window can be opened here; on Linux, by connecting to the X server.

    Dear PyGui uses X11 on Linux; a Wayland session offers X11 through Xwayland, which sets DISPLAY.
    A DISPLAY without an X server would crash the process.
    """
    if sys.platform != "linux":
        return True
    if not os.environ.get("DISPLAY"):
        return False
    try:
        x11 = ctypes.CDLL("libX11.so.6")
    except OSError:
        return False
    x11.XOpenDisplay.restype = ctypes.c_void_p
    display = x11.XOpenDisplay(None)
    if not display:
        return False
    x11.XCloseDisplay(ctypes.c_void_p(display))
    return True


def _probe_opengl() -> str:
    """Open OpenGL in a separate process, since a broken driver may crash it."""
    try:
        probe = subprocess.run(
            [sys.executable, "-c", _PROBE],
            capture_output=True,
            text=True,
            timeout=_PROBE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"none: the driver did not answer within {_PROBE_SECONDS} s"
    if probe.returncode == 0:
        return probe.stdout.strip()
    last = (probe.stderr.strip().splitlines() or [f"exit status {probe.returncode}"])[-1]
    reason = re.sub(r"^[\w.]+: ", "", last)  # without the exception's name
    return f"none: {reason}"
