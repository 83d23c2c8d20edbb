"""`stylesdf-studio info`: this installation and machine, and one model's facts."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from stylesdf_core import __version__
from stylesdf_core.model import model_zoo
from stylesdf_core.progress import Operation, Progress
from stylesdf_core.system.opengl import has_display

_PACKAGES = ("torch", "numpy", "dearpygui", "moderngl", "pyrender", "trimesh")
# Draws as the mesh view does; its context may fail where a bare one opens.
_PROBE = """
import numpy
from stylesdf_core.mesh.preview import MeshPreview
from stylesdf_core.mesh.surface import SurfaceMesh
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.system.opengl import standalone_context
corners = numpy.eye(3, dtype=numpy.float32) * 0.1
triangle = SurfaceMesh(corners, numpy.array([[0, 1, 2]], numpy.int32), corners * 10.0)
MeshPreview().submit(triangle, OrbitCamera(), 16).result()
info = standalone_context("Drawing").info
print(info["GL_RENDERER"], info["GL_VERSION"], sep=", OpenGL ")
"""
_PROBE_SECONDS = 30
#: What a model's architecture says of the background, in words.
_BACKGROUNDS = {
    "none": "none: the last sample of a ray shows it",
    "sphere": "sphere: a field of its own behind the volume",
}
#: How a model's training pictures frame a face, in words.
_FRAMES = {
    None: "framing not stated: FFHQ's is assumed",
    "ffhq": "framed as in FFHQ",
    "heads": "framed as the synthetic heads",
}


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
        "faces": _FRAMES[model_zoo.trained_frame_preset(reference)],
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


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
