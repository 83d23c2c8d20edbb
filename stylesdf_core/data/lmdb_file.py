"""A reader of lmdb files that raises errors for damaged files.

The lmdb library maps the file and trusts its pages: one wrong byte in a page may end the process
with a bus error or a segmentation fault, which no ``except`` can catch. The format of lmdb 0.9 is
simple: a tree of pages, of which a search reads one page per level. This reader checks every
offset.
"""

from __future__ import annotations

import mmap
import struct
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_MAGIC, _VERSION = 0xBEEFC0DE, 1
_BRANCH, _LEAF, _OVERFLOW = 1, 2, 4  # kinds of pages
_BIG = 1  # flag of a node whose value lies in separate pages
_HEADER = 16  # bytes at the beginning of a page
_NO_PAGE = 2**64 - 1  # root of an empty tree
#: Pages that one search may read; trees have fewer than ten levels.
_MOST_PAGES = 64


@dataclass(frozen=True)
class _Page:
    """A branch or leaf of the tree: bytes, and the nodes' offsets in the order of their keys."""

    content: bytes
    is_leaf: bool
    nodes: tuple[int, ...]

    def key(self, node: int) -> bytes:
        (size,) = struct.unpack_from("<H", self.content, node + 6)
        return self.content[node + 8 : node + 8 + size]

    def child(self, node: int) -> int:
        """Number of the page to which a branch's node points."""
        low, middle, high = struct.unpack_from("<HHH", self.content, node)
        return int(low | middle << 16 | high << 32)


class LmdbFile:
    """An lmdb's ``data.mdb``, open for reading; safe to read from several threads.

    Attributes:
        entries: number of keys.

    Raises:
        ValueError: the file is no lmdb, is shorter than it should be, or is damaged.
        OSError: the file cannot be opened.
    """

    def __init__(self, file: Path) -> None:
        with open(file, "rb") as stream:
            self._map = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        try:
            (self._page_size,) = self._unpack("<I", 40)
            if self._page_size not in (1 << power for power in range(9, 17)):
                raise ValueError("it is no lmdb file")
            # Two pages describe the file; transactions overwrite them in turn.
            metas = [self._meta(0), self._meta(self._page_size)]
            _, last_page, self._root, self.entries = max(metas)
            self._pages = last_page + 1
            expected = self._pages * self._page_size
            if len(self._map) < expected:
                raise ValueError(
                    f"it is truncated: {len(self._map):,} bytes of {expected:,} are there"
                )
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._map.close()

    def get(self, key: bytes, most: int | None = None) -> bytes | None:
        """The value under a key, or its first ``most`` bytes; None where there is no such key.

        Raises:
            ValueError: a page is damaged.
        """
        found = self._seek(key)
        if found is None or found[0].key(found[1]) != key:
            return None
        page, node = found
        low, high, flags, key_size = struct.unpack_from("<HHHH", page.content, node)
        start, size = node + 8 + key_size, low | high << 16
        size = size if most is None else min(size, most)
        if flags == 0:
            value = page.content[start : start + size]
        elif flags == _BIG:
            number = int.from_bytes(page.content[start : start + 8], "little")
            self._check_page(number, _OVERFLOW)
            first = number * self._page_size + _HEADER
            value = self._map[first : first + size]
        else:
            raise ValueError("it holds several values under a key")
        if len(value) != size:
            raise ValueError("a page is damaged")
        return value

    def first_key(self, start: bytes) -> bytes | None:
        """The first key that is not less than ``start``; None behind the last key.

        Raises:
            ValueError: a page is damaged.
        """
        found = self._seek(start)
        return None if found is None else found[0].key(found[1])

    def sizes(self) -> Iterator[tuple[bytes, int]]:
        """Every key with the number of bytes of its value, in order; the values are not read.

        Raises:
            ValueError: a page is damaged.
        """
        waiting, left = [] if self._root == _NO_PAGE else [self._root], self._pages
        while waiting:
            page, left = self._page(waiting.pop()), left - 1
            if left < 0:
                raise ValueError("its pages form a circle")
            if page.is_leaf:
                for node in page.nodes:
                    low, high = struct.unpack_from("<HH", page.content, node)
                    yield page.key(node), low | high << 16
            else:
                waiting += [page.child(node) for node in reversed(page.nodes)]

    def _seek(self, start: bytes) -> tuple[_Page, int] | None:
        """Page and node of the first key that is not less than ``start``."""
        waiting = [] if self._root == _NO_PAGE else [self._root]
        for _ in range(_MOST_PAGES):
            if not waiting:
                return None
            page = self._page(waiting.pop())
            if page.is_leaf:
                place = bisect_left(page.nodes, start, key=page.key)
                if place < len(page.nodes):
                    if page.key(page.nodes[place]) < start:
                        break
                    return page, page.nodes[place]
            else:  # a branch's first key is not stored: it is less than all others
                place = bisect_right(page.nodes, start, lo=1, key=page.key) - 1
                waiting += [page.child(node) for node in reversed(page.nodes[place : place + 2])]
        raise ValueError("its keys are not in order")

    def _page(self, number: int) -> _Page:
        kind, lower = self._check_page(number, _BRANCH | _LEAF)
        content = self._map[number * self._page_size : (number + 1) * self._page_size]
        count = (lower - _HEADER) // 2
        if not 1 <= count <= (len(content) - _HEADER) // 2:
            raise ValueError("a page is damaged")
        nodes = struct.unpack_from(f"<{count}H", content, _HEADER)
        if max(nodes) + 8 > len(content):
            raise ValueError("a page is damaged")
        return _Page(content, kind == _LEAF, nodes)

    def _check_page(self, number: int, kinds: int) -> tuple[int, int]:
        """Flags and lower end of a page, which must be one of the kinds."""
        stated, _, flags, lower = self._unpack("<QHHH", number * self._page_size)
        if stated != number or not flags & kinds:
            raise ValueError("a page is damaged")
        return flags & kinds, lower

    def _meta(self, start: int) -> tuple[int, int, int, int]:
        """Transaction, last page, root and number of keys, by one of the two first pages."""
        magic, version = self._unpack("<II", start + _HEADER)
        if (magic, version) != (_MAGIC, _VERSION):
            raise ValueError("it is no lmdb file")
        entries, root, last_page, transaction = self._unpack("<QQQQ", start + 120)
        return transaction, last_page, root, entries

    def _unpack(self, form: str, start: int) -> tuple[int, ...]:
        try:
            return struct.unpack_from(form, self._map, start)
        except (struct.error, OverflowError) as error:
            raise ValueError("it is damaged or truncated") from error
