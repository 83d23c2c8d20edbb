"""Actions of menus and keys, without a window."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import pytest

from app.actions import Actions
from app.state.settings import SettingsStore
from app.state.workbench import Workbench
from stylesdf_core.resources import home


@pytest.mark.parametrize("action", ["rename_directions", "open_photo", "drag_points"])
def test_what_needs_a_model_asks_for_one(action: str, tmp_path: Path) -> None:
    workbench, dialogs = Workbench(SettingsStore(tmp_path)), Mock()
    getattr(Actions(workbench, dialogs, Mock()), action)()
    assert [toast.text[:18] for toast in workbench.messages.toasts] == ["Open a model first"]
    dialogs.assert_not_called()
    assert not dialogs.method_calls
    workbench.close()


def test_pictures_are_first_looked_for_where_the_last_one_was(tmp_path: Path) -> None:
    store, dialogs = SettingsStore(tmp_path), Mock()
    workbench = Workbench(store)
    actions = Actions(workbench, dialogs, Mock())
    photos = tmp_path / "photos"
    for folder in (home(), photos):
        actions.choose_background()
        _, first, _, chosen = dialogs.open_file.call_args.args
        assert first == folder
        chosen(photos / "me.jpg")
    workbench.close()
    assert store.load().picture_folder == str(photos)


def test_delete_removes_the_keyframe_that_is_selected_on_the_screen(tmp_path: Path) -> None:
    workbench = Workbench(SettingsStore(tmp_path))
    actions = Actions(workbench, Mock(), Mock())
    actions.add_keyframe()
    workbench.change_settings("window", strip_shown=False)
    actions.remove_chosen()
    assert len(workbench.timeline.keyframes) == 1, "nobody sees which one is selected"
    workbench.change_settings("window", strip_shown=True)
    actions.remove_chosen()
    assert workbench.timeline.keyframes == ()
    actions.remove_chosen()
    workbench.document.undo()
    assert len(workbench.timeline.keyframes) == 1
    workbench.close()
