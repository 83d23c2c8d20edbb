"""A visitor's controls: views, identity, directions, camera, mesh, exports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from app.state.document import edits
from app.state.exports import EXPORTS
from app.state.workbench import Workbench
from stylesdf_core.commands.scenes.options.backgrounds import OWN
from stylesdf_core.model.config import MAX_SEED
from stylesdf_core.model.latents.latents import LatentDirection
from stylesdf_core.scene.scene import VIEWS, Scene

if TYPE_CHECKING:
    import viser

SESSION = "Session"
_FIRST_FORMATS = ("PNG", "GLB", SESSION)
_MESH_SIZES = ("64", "128", "192", "256")

#: Calls a function on the main thread, soon.
Post = Callable[[Callable[[], object]], None]


class Page:
    """The widgets of one browser; they hold no truth: :meth:`sync` writes the state into them.

    Args:
        post: takes what a widget does, since viser calls widgets in a thread of its own.
        download: starts the download of a kind of export, or of the session.
    """

    def __init__(
        self,
        client: viser.ClientHandle,
        workbench: Workbench,
        post: Post,
        download: Callable[[str], None],
    ) -> None:
        self._gui, self._workbench, self._post = client.gui, workbench, post
        self._directions: tuple[LatentDirection, ...] = ()
        self._sliders: dict[str, viser.GuiSliderHandle[float]] = {}
        self._folders: list[viser.GuiFolderHandle] = []
        self._synced: tuple[object, ...] = ()
        gui, document = client.gui, workbench.document
        view = workbench.settings.view.view
        self._view = gui.add_dropdown("view", VIEWS, initial_value=view, hint="What is shown")
        self._on_value(self._view, lambda name: workbench.change_settings("view", view=name))
        with gui.add_folder("Identity"):
            self._seed = gui.add_number(
                "seed", 0, min=0, max=MAX_SEED, step=1, hint="Each number is another face"
            )
            self._on_value(self._seed, lambda seed: workbench.set_seed(int(seed)))
            self._buttons(
                "another",
                {
                    "previous": partial(workbench.step_seed, -1),
                    "next": partial(workbench.step_seed, 1),
                    "random": workbench.random_seed,
                },
            )
            self._psi = gui.add_slider(
                "truncation ψ", 0.0, 1.5, 0.01, workbench.scene.truncation_psi,
                hint="0 is the mean face, 1 the model's full variety",
            )  # fmt: skip
            self._on_value(self._psi, lambda psi: self._drag(edits.with_truncation, psi))
        self._place_of_directions = gui.add_folder("Directions", expand_by_default=False)
        with gui.add_folder("Camera", expand_by_default=False):
            presets = {name: partial(workbench.turn_camera, name) for name in edits.CAMERA_PRESETS}
            self._buttons("from", {**presets, "reset": workbench.reset_camera})
        with gui.add_folder("Mesh", expand_by_default=False):
            self._resolution = gui.add_dropdown(
                "resolution", _MESH_SIZES, initial_value="128", hint="Grid points along each edge"
            )
            self._on_value(
                self._resolution,
                lambda size: workbench.change_settings("mesh", resolution=int(size)),
            )
            self._colors = gui.add_checkbox("colours", True, hint="Coloured, or plain clay")
            self._on_value(
                self._colors, lambda on: workbench.change_settings("mesh", vertex_colors=bool(on))
            )
        with gui.add_folder("Download"):
            self._buttons("", {name: partial(download, name) for name in _FIRST_FORMATS})
            others = [kind.name for kind in EXPORTS if kind.name not in _FIRST_FORMATS]
            other = gui.add_dropdown("other format", others, initial_value=others[0])
            hint = "In the other format; turntables take a minute"
            button = gui.add_button("Download", hint=hint)
            self._on_press(button, lambda: download(other.value))
            clear = gui.add_checkbox("transparent", False, hint="Pictures without background")
            self._on_value(
                clear,
                lambda on: workbench.change_settings("view", background="none" if on else OWN),
            )
        self._buttons("", {"undo": document.undo, "redo": document.redo})
        self._status = gui.add_markdown("loading …")

    def sync(self) -> None:
        """Show the state, where it has changed."""
        workbench, scene = self._workbench, self._workbench.scene
        if workbench.directions != self._directions:
            self._directions = workbench.directions
            self._build_directions()
        key = (scene, workbench.settings, workbench.directions)
        if key != self._synced:
            self._synced = key
            self._show(scene)
        self._status.content = self._status_text()

    def _show(self, scene: Scene) -> None:
        workbench = self._workbench
        _set(self._view, workbench.settings.view.view)
        _set(self._seed, scene.identity.seed)
        _set(self._psi, scene.truncation_psi)
        _set(self._colors, workbench.settings.mesh.vertex_colors)
        values = workbench.direction_values.by_name()
        for direction in self._directions:
            value = direction.clip(values[direction.name])
            _set(self._sliders[direction.name], round(value, 2))

    def _status_text(self) -> str:
        workbench = self._workbench
        if workbench.models.failed is not None:
            return f"The model cannot be loaded: {workbench.models.failed.error}"
        if workbench.models.loading is not None:
            return f"{workbench.models.loading.message} …"
        shown = workbench.settings.view
        screen = workbench.screen
        error = screen.mesh_error if shown.view == "mesh" else screen.picture_error
        if error is not None:
            return str(error)
        jobs = [f"{job.label}: {job.message or job.state.value}" for job in workbench.jobs.active]
        if shown.view == "mesh" and screen.mesh is not None and screen.mesh.mesh is not None:
            text = f"{len(screen.mesh.mesh.faces):,} triangles"
        elif screen.picture is not None:
            last = screen.picture
            text = f"{last.resolution}² {last.kind} · pass {last.index + 1}/{last.passes}"
        else:
            text = "rendering …"
        return " · ".join([text, *jobs])

    def _build_directions(self) -> None:
        for folder in self._folders:
            folder.remove()
        self._folders, self._sliders = [], {}
        with self._place_of_directions:
            reset = self._gui.add_folder(None)
            self._folders.append(reset)
            with reset:
                button = self._gui.add_button("reset", hint="Back to the seed's own values")
                self._on_press(button, partial(self._workbench.edit, edits.without_edits))
            groups = dict.fromkeys(direction.group for direction in self._directions)
            for group in groups:
                folder = self._gui.add_folder(group, expand_by_default=False)
                self._folders.append(folder)
                with folder:
                    for direction in self._directions:
                        if direction.group == group:
                            self._sliders[direction.name] = self._slider(direction)

    def _slider(self, direction: LatentDirection) -> viser.GuiSliderHandle[float]:
        hint = f"{direction.description or direction.label}; standard deviations"
        slider = self._gui.add_slider(
            direction.label, direction.lowest, direction.highest, 0.01, 0.0, hint=hint
        )
        name = direction.name
        self._on_value(slider, lambda value: self._drag(edits.with_direction, name, value))
        return slider

    # --- what widgets do ------------------------------------------------------------------------

    def _drag(self, edit: Callable[..., Scene], *arguments: object) -> None:
        """Change the scene as part of a drag; the visitor ends it when nothing has moved."""
        document = self._workbench.document
        document.update(edit(document.scene, *arguments))

    def _on_value(self, widget: Any, act: Callable[[Any], object]) -> None:
        """Call ``act`` with the values that the visitor chooses."""

        @widget.on_update  # type: ignore[untyped-decorator]
        async def _(event: Any) -> None:
            if event.client_id is not None:  # else the page has set the value itself
                value = widget.value
                self._post(lambda: act(value))

    def _on_press(self, button: viser.GuiButtonHandle, act: Callable[[], object]) -> None:
        @button.on_click
        async def _(_: Any) -> None:
            self._post(act)

    def _buttons(self, label: str, acts: dict[str, Callable[[], object]]) -> None:
        """A row of buttons."""
        names: Sequence[str] = tuple(acts)
        row = self._gui.add_button_group(label, names)

        @row.on_click
        async def _(event: Any) -> None:
            self._post(acts[event.target.value])


def _set(widget: Any, value: object) -> None:
    widget.value = value  # viser's types call a widget's value read-only
