"""PyTorch's pickled checkpoints, read for their tensors; nothing in the file is ever executed.

A pickle is a program that may call any function it names. Here the names of tensors and their
storages have a meaning; every other object, such as the ``argparse.Namespace`` or the NumPy scalar
that training scripts keep beside the weights, becomes a :class:`StandIn`. ``torch.load`` with
``weights_only`` would refuse such files, and does not compare the checksums of the data.
"""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

_STORAGES = {
    "BFloat16Storage": torch.bfloat16,
    "BoolStorage": torch.bool,
    "ByteStorage": torch.uint8,
    "CharStorage": torch.int8,
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "IntStorage": torch.int32,
    "LongStorage": torch.int64,
    "ShortStorage": torch.int16,
}
#: The first number in files of PyTorch before 1.6, which are no zip archives.
_MAGIC = 0x1950A86A20F9469CFC6C
# Operations of pickles that tensors do not need, and that call methods or allocate memory.
_REFUSED = (
    *(pickle.ADDITEMS, pickle.BYTEARRAY8, pickle.EXT1, pickle.EXT2, pickle.EXT4, pickle.INST),
    *(pickle.NEXT_BUFFER, pickle.OBJ, pickle.READONLY_BUFFER),
)


class StandIn:
    """Replaces an object that is no tensor or container; the class has the object's class name."""

    def __new__(cls, *_arguments: object, **_names: object) -> StandIn:
        """Accept and ignore any arguments."""
        return object.__new__(cls)

    def __init__(self, *_arguments: object, **_names: object) -> None:
        pass

    def __setitem__(self, key: object, value: object) -> None:
        pass

    def append(self, item: object) -> None:
        """Ignore an item of a list."""


def load_tensors(path: Path) -> Any:
    """The object in a checkpoint: dicts, lists, numbers, texts, CPU tensors and stand-ins.

    Raises:
        Exception: of any type: the file is no checkpoint, or is damaged; call this function inside
            :func:`stylesdf_core.foreign.reading`.
    """
    size = path.stat().st_size
    with open(path, "rb") as stream:
        if not zipfile.is_zipfile(stream):
            stream.seek(0)
            return _load_old(stream, size)
        with zipfile.ZipFile(stream) as archive:
            # torch.save does not compress.
            if sum(item.file_size for item in archive.infolist()) > size:
                raise ValueError("its parts claim more bytes than the file has")
            (name,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
            folder = name.removesuffix("data.pkl")
            if _byte_order(archive, folder) != b"little":
                raise ValueError("it was written by a big-endian machine")

            def fetch(key: str, storage: Tensor) -> None:
                _fill(storage, archive.read(f"{folder}data/{key}"))  # compares the checksum

            return _TensorUnpickler(io.BytesIO(archive.read(name)), size, fetch).load()


def _byte_order(archive: zipfile.ZipFile, folder: str) -> bytes:
    name = f"{folder}byteorder"
    return archive.read(name) if name in archive.namelist() else b"little"


def _load_old(stream: IO[bytes], size: int) -> Any:
    """The object in a file of PyTorch before 1.6: pickles, then the data of all storages."""
    storages: dict[str, Tensor] = {}

    def unpickle() -> Any:
        return _TensorUnpickler(stream, size, storages.__setitem__).load()

    if unpickle() != _MAGIC:
        raise ValueError("it is no checkpoint of PyTorch")
    _version, _machine, found, keys = unpickle(), unpickle(), unpickle(), unpickle()
    for key in keys:
        storage = storages[key]
        if int.from_bytes(stream.read(8), "little") != storage.numel():
            raise ValueError("it is damaged")
        _fill(storage, stream.read(storage.nbytes))
    return found


def _fill(storage: Tensor, data: bytes) -> None:
    if len(data) != storage.nbytes:
        raise ValueError(f"a tensor has {len(data):,} of {storage.nbytes:,} bytes")
    storage.view(torch.uint8).numpy()[:] = np.frombuffer(data, np.uint8)


class _TensorUnpickler(pickle._Unpickler):
    """Unpickler in Python: the one in C allocates as much memory as a file claims.

    Args:
        stream: the pickle.
        size: bytes that the data of all storages may have.
        fetch: puts the data of a storage, by key, into a tensor of one axis, now or later.
    """

    stack: list[Any]
    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(pickle._Unpickler.dispatch)

    def __init__(self, stream: IO[bytes], size: int, fetch: Callable[[str, Tensor], None]) -> None:
        super().__init__(stream)
        self._left, self._fetch = size, fetch
        self._storages: dict[str, Tensor] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        meaning: dict[tuple[str, str], Callable[..., Any]] = {
            ("collections", "OrderedDict"): _ordered_dict,
            ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
            ("torch._utils", "_rebuild_tensor_v2"): _tensor,
        }
        return meaning.get((module, name)) or type(f"{module}.{name}", (StandIn,), {})

    def persistent_load(self, pid: Any) -> Any:
        _, dtype, key, _, count, *_ = pid
        if not isinstance(dtype, torch.dtype):
            return StandIn()
        if key not in self._storages:
            self._left -= count * dtype.itemsize
            if count < 0 or self._left < 0:
                raise ValueError("its tensors claim more bytes than the file has")
            self._storages[key] = torch.empty(count, dtype=dtype)
            self._fetch(key, self._storages[key])
        return self._storages[key]

    def _forget_state(self) -> None:
        """Ignore an object's state, which containers do not need."""
        self.stack.pop()

    def _refuse(self) -> None:
        raise ValueError("it holds more than tensors, numbers and texts")

    dispatch[pickle.BUILD[0]] = _forget_state
    dispatch |= dict.fromkeys([operation[0] for operation in _REFUSED], _refuse)


def _ordered_dict() -> OrderedDict[Any, Any]:
    return OrderedDict()  # empty, since a file could ask for copies of copies without end


def _tensor(storage: Any, offset: int, size: Any, stride: Any, *_: object) -> Any:
    if isinstance(storage, StandIn):
        return storage
    if math.prod(size) > storage.numel():
        raise ValueError("a tensor is larger than its data")
    return storage.as_strided(size, stride, offset)
