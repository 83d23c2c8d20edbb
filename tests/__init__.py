"""Tests; a package, since packages of others are installed under this name too."""
