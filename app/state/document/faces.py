"""The faces that the user has seen, and the favourites among them, kept in files between starts.

A face is one small PNG that carries its session, as exported pictures do. The folder ``visited``
holds the newest :data:`MOST_VISITED` faces; giving a face a star moves its file to the folder
``favourites``, which holds :data:`MOST_FAVOURITES`: more stars are refused. A thread of the
album's own reads, shrinks and writes pictures, so that the window never waits for the disk.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from stylesdf_core.engine.picture import eight_bit
from stylesdf_core.errors import InputError, OutputError, StyleSDFError
from stylesdf_core.files import atomic_output
from stylesdf_core.foreign import open_picture, reading
from stylesdf_core.scene.scene import Scene
from stylesdf_core.scene.session_files import png_info, read_scene

if TYPE_CHECKING:
    from app.workers.picture_worker import PicturePass

Pixels = npt.NDArray[np.uint8]

#: Edge of a thumbnail, pixels.
EDGE = 128
MOST_VISITED, MOST_FAVOURITES = 120, 400


@dataclass(frozen=True, eq=False)
class Face:
    """A face of the album.

    Attributes:
        name: of its file, without folder; names in order of the alphabet are in order of time.
        scene: the face as it was last seen, camera and all.
        pixels: (E, E, 3), at most EDGE pixels wide.
    """

    name: str
    scene: Scene
    pixels: Pixels
    is_favourite: bool = False


class FaceAlbum:
    """Visited faces and favourites; all methods are for the main thread.

    Attributes:
        faces: all faces, newest first.
        is_loading: whether the files of earlier sessions are still being read.
        version: changes whenever ``faces`` does.

    Args:
        folder: holds the two folders of faces; they are made with the first face.
        news: set when the thread has finished some work.
    """

    def __init__(self, folder: Path, news: threading.Event) -> None:
        self._folder, self._news = folder, news
        self._thread = ThreadPoolExecutor(1, "faces")
        self._work: deque[tuple[Future[object], Callable[[object], None]]] = deque()
        self.faces: tuple[Face, ...] = ()
        self.is_loading = True
        self._has_complained = False
        self.version = 0
        self._by_name: dict[str, Face] = {}
        self._by_scene: dict[Hashable, Face] = {}
        self._stand_ins: set[str] = set()  # names of faces without a finished image as thumbnail
        self._current = ""  # name of the face that is being edited
        self._noted: PicturePass | None = None
        self._last_name = ""
        self._do(partial(_read_all, folder), self._loaded)

    @property
    def current(self) -> Face | None:
        """The face that was visited last."""
        return self._by_name.get(self._current)

    def poll(self) -> None:
        """Take what the thread has finished; to be called once a frame.

        Raises:
            OutputError: a file could not be written; raised for the first such file only.
        """
        while self._work and self._work[0][0].done():
            future, take = self._work.popleft()
            try:
                result = future.result()
            except (StyleSDFError, OSError) as error:
                if not self._has_complained:
                    self._has_complained = True
                    text = f"The filmstrip will not be there at the next start: {error}"
                    raise OutputError(text) from error
            else:
                take(result)

    def note(self, picture: PicturePass | None, session: Callable[[], Scene]) -> None:
        """Visit the face of the session once its finished picture is on the screen."""
        if picture is None or picture is self._noted or picture.index < picture.passes - 1:
            return
        scene = session()
        if picture.request.scene == scene and not self.is_loading:
            self._noted = picture
            self.visit(scene, picture.pixels, is_map=picture.kind != "image")

    def visit(
        self,
        scene: Scene,
        pixels: npt.NDArray[np.floating] | Pixels,
        *,
        is_map: bool = False,
    ) -> None:
        """Note the face on the screen.

        Edits, ψ, weights and camera change the current face; another seed, z or model is another
        face. A favourite stays as it was when it got its star.

        Args:
            pixels: (H, W, 3), as floats in [0, 1] or bytes, of any size.
            is_map: another view than the image, such as depth; a thumbnail only until the face is
                seen as an image.
        """
        face = known = self.find(scene)
        if is_map and known is not None:
            pixels = known.pixels
        if known is None and (current := self.current) is not None:
            is_variation = _origin(current.scene) == _origin(scene) and not current.is_favourite
            face = current if is_variation else None
        self._current = self._new_name() if face is None else face.name
        is_same = face is not None and face.scene == scene
        is_wanted = self._current in self._stand_ins and not is_map
        if face is None or (is_wanted if is_same else not face.is_favourite):
            is_stand_in = is_map and (known is None or self._current in self._stand_ins)
            self._make(self._current, scene, pixels, is_stand_in=is_stand_in)
        else:
            self.version += 1

    def keep(
        self,
        scene: Scene,
        pixels: npt.NDArray[np.floating] | Pixels,
        *,
        is_stand_in: bool = False,
    ) -> None:
        """Make a scene a favourite that may never have been on the screen.

        Args:
            is_stand_in: the pixels are coarse or another view than the image; a thumbnail only
                until the face is kept or visited with its finished image.

        Raises:
            InputError: there are :data:`MOST_FAVOURITES` already.
        """
        known = self.find(scene)
        if known is None:
            self._check_room()
            self._make(self._new_name(), scene, pixels, is_favourite=True, is_stand_in=is_stand_in)
        elif not known.is_favourite:
            self.toggle_star(known)
        elif known.name in self._stand_ins and not is_stand_in:
            self._make(known.name, known.scene, pixels)

    def find(self, scene: Scene) -> Face | None:
        """The album's face of a scene; camera and options do not count."""
        return self._by_scene.get(_face_of(scene))

    def enter(self, face: Face) -> None:
        """Note that a face of the album is shown again."""
        self._current = face.name
        self.version += 1

    def toggle_star(self, face: Face) -> None:
        """Make a face a favourite, or a favourite the face that was visited last.

        Raises:
            InputError: there are :data:`MOST_FAVOURITES` already.
        """
        if face.is_favourite:  # in its old place, among newer faces, it might be forgotten at once
            changed = replace(face, is_favourite=False, name=self._new_name())
            if face.name in self._stand_ins:
                self._stand_ins.add(changed.name)
        else:
            self._check_room()
            changed = replace(face, is_favourite=True)
        if self._current == face.name:
            self._current = changed.name
        self._do(partial(_move, self._path(face), self._path(changed)), lambda _: None)
        self._set(tuple(changed if f.name == face.name else f for f in self.faces))

    def _check_room(self) -> None:
        if sum(face.is_favourite for face in self.faces) >= MOST_FAVOURITES:
            raise InputError(
                f"There are {MOST_FAVOURITES} favourites: take the star from one of them first."
            )

    def remove(self, face: Face) -> None:
        """Forget a face and delete its file."""
        self._set(tuple(f for f in self.faces if f.name != face.name))
        self._do(partial(self._path(face).unlink, missing_ok=True), lambda _: None)

    def clear(self) -> None:
        """Forget all faces without a star."""
        for face in self.faces:
            if not face.is_favourite:
                self.remove(face)

    def close(self) -> None:
        """Finish writing, and end the thread."""
        self._thread.shutdown(wait=True)

    def _do(self, work: Callable[[], object], take: Callable[[object], None]) -> None:
        with contextlib.suppress(RuntimeError):  # closed
            future: Future[object] = self._thread.submit(work)
            self._work.append((future, take))
            future.add_done_callback(lambda _: self._news.set())

    def _loaded(self, faces: object) -> None:
        assert isinstance(faces, tuple)
        self.is_loading = False
        names = {face.name for face in self.faces}
        self._set((*self.faces, *(face for face in faces if face.name not in names)))

    def _make(
        self,
        name: str,
        scene: Scene,
        pixels: npt.NDArray[np.floating] | Pixels,
        *,
        is_favourite: bool = False,
        is_stand_in: bool = False,
    ) -> None:
        """Make a face in the thread, or make it anew; a favourite remains one."""
        (self._stand_ins.add if is_stand_in else self._stand_ins.discard)(name)
        self._do(lambda: Face(name, scene, thumbnail(pixels), is_favourite), self._made)

    def _made(self, made: object) -> None:
        assert isinstance(made, Face)
        if (before := self._by_name.get(made.name)) is not None:
            made = replace(made, is_favourite=before.is_favourite)
        others = (face for face in self.faces if face.name != made.name)
        self._set((made, *others))
        self._do(partial(_write, self._path(made), made), lambda _: None)

    def _set(self, faces: tuple[Face, ...]) -> None:
        """Replace all faces, and forget the oldest of those without a star beyond the limit."""
        self.version += 1
        self.faces = tuple(sorted(faces, key=lambda face: face.name, reverse=True))
        for face in [f for f in self.faces if not f.is_favourite][MOST_VISITED:]:
            self.remove(face)
        self._by_name = {face.name: face for face in self.faces}
        self._by_scene = {_face_of(face.scene): face for face in reversed(self.faces)}

    def _path(self, face: Face) -> Path:
        return _path(self._folder, face.name, is_favourite=face.is_favourite)

    def _new_name(self) -> str:
        """A name after all others, also where two faces are made in one clock tick."""
        name = f"{time.time_ns() // 1_000_000:015d}"
        if name <= self._last_name:
            name = f"{int(self._last_name) + 1:015d}"
        self._last_name = name
        return name


def _origin(scene: Scene) -> tuple[object, ...]:
    """What makes two scenes variations of one face."""
    return scene.model, scene.identity.seed, scene.identity.z, scene.morph.seed, scene.mixing.seed


def _face_of(scene: Scene) -> Hashable:
    """The part of a scene that is equal for all views of a face; asked for in every frame."""
    return scene.model, scene.of_styles


def _path(folder: Path, name: str, *, is_favourite: bool) -> Path:
    return folder / ("favourites" if is_favourite else "visited") / f"{name}.png"


def _write(path: Path, face: Face) -> None:
    with atomic_output(path) as temporary:
        Image.fromarray(face.pixels).save(temporary, pnginfo=png_info(face.scene.to_json()))


def _move(old: Path, new: Path) -> None:
    new.parent.mkdir(parents=True, exist_ok=True)
    os.replace(old, new)


def thumbnail(pixels: npt.NDArray[np.floating] | Pixels, edge: int = EDGE) -> Pixels:
    """(H, W, 3), floats in [0, 1] or bytes, as bytes with at most ``edge`` pixels a side."""
    if pixels.dtype != np.uint8:
        pixels = eight_bit(pixels)
    image = Image.fromarray(pixels)
    image.thumbnail((edge, edge), Image.Resampling.LANCZOS)
    return np.asarray(image, np.uint8)


def _read_all(folder: Path) -> tuple[Face, ...]:
    """All faces whose files can be read."""
    faces = []
    for starred in (False, True):
        for path in _path(folder, "", is_favourite=starred).parent.glob("*.png"):
            with contextlib.suppress(InputError):
                scene = read_scene(path)
                with reading(path, "a picture"), open_picture(path) as image:
                    pixels = thumbnail(np.asarray(image.convert("RGB"), np.uint8))
                faces.append(Face(path.stem, scene, pixels, starred))
    return tuple(faces)
