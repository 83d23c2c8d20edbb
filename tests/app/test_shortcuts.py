"""Shortcuts: in which tabs they act."""

from __future__ import annotations

import pytest

from app.shortcuts import Shortcut


@pytest.mark.parametrize(
    ("keys", "in_all_tabs"),
    [("Ctrl+Z", True), ("Ctrl+Shift+S", True), ("F9", True), ("F", False), ("Space", False)],
)
def test_keys_of_the_menu_bar_act_in_all_tabs_and_those_of_the_viewport_in_explore(
    keys: str, in_all_tabs: bool
) -> None:
    assert Shortcut(keys, 0, "act", lambda: None).acts_in_all_tabs == in_all_tabs
