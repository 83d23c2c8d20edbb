"""The Sheet tab: an endless page of faces.

page      the tab in the window: the options at the left, the faces beside them
options   which faces the page holds, how they are shown, and the page's export
"""
