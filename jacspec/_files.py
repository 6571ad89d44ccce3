"""Files that appear whole or not at all, and what tells two sets of arrays apart."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ._checks import InputError

__all__ = ["array_digest", "atomic", "npz_path"]


@contextmanager
def atomic(path: str, *, argument: str = "path", binary: bool = False) -> Iterator[Any]:
    """A text (UTF-8) or binary file that replaces `path` only when everything has been written.

    A link stays one; what is no file, such as ``/dev/stdout`` or a pipe, is written to as it is.

    Raises
    ------
    InputError
        If the folder does not exist or cannot be written; it names `argument`.
    """
    target, temporary = os.path.realpath(path), ""
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            descriptor = os.open(path, os.O_WRONLY)
        else:
            descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(target))
    except OSError as error:
        raise InputError(argument, repr(path), f"a file that can be written ({error.strerror})") from None
    try:
        with open(descriptor, "wb" if binary else "w", encoding=None if binary else "utf-8") as handle:
            yield handle
        if temporary:
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(temporary, 0o666 & ~mask)  # mkstemp's files are private; an ordinary one is wanted
            os.replace(temporary, target)
    except BaseException:
        if temporary:
            os.unlink(temporary)
        raise


def npz_path(path: str | os.PathLike[str]) -> str:
    """The path as a string; `InputError` unless it ends in .npz (numpy would add it, and load would not find it)."""
    name = os.fspath(path)
    if not name.endswith(".npz"):
        raise InputError("path", repr(name), "a file name that ends in .npz")
    return name


def array_digest(arrays: Mapping[str, Any]) -> bytes:
    """SHA-256 of named arrays: names, types, shapes and bytes."""
    import numpy as np  # here: the command line starts without it

    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.digest()
