"""The file of a certificate: one .npz whose last bytes are the hash of all bytes before them.

The archive comment is ``jacspec.certificate/1 sha256=`` and 64 hexadecimal digits, and a zip's comment is its end. So
not one bit can change unseen, those of the archive's own headers included, whatever zip and numpy write. (A hash is a
seal against accident, not against forgery: whoever forges can hash. Against that there is the recheck.)
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from typing import Any

import numpy as np

from .._checks import InputError
from .._files import atomic, npz_path

__all__ = ["FORMAT", "read", "write"]

FORMAT = "jacspec.certificate/1"
_MARK = f"{FORMAT} sha256=".encode()
_DIGITS = 64


def write(path: str | os.PathLike[str], arrays: dict[str, Any], meta: dict[str, Any]) -> None:
    """Write arrays and meta (JSON); the file appears whole or not at all.

    Raises
    ------
    InputError
        If the path does not end in .npz or cannot be written.
    """
    path = npz_path(path)
    buffer = io.BytesIO()
    described = json.dumps({"format": FORMAT, **meta}, allow_nan=False).encode()
    np.savez(buffer, **arrays, meta=np.frombuffer(described, dtype=np.uint8))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.comment = _MARK + b"0" * _DIGITS
    head = buffer.getvalue()[:-_DIGITS]
    with atomic(path, binary=True) as file:
        file.write(head + hashlib.sha256(head).hexdigest().encode())


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arrays and meta of a file that `write` wrote.

    Raises
    ------
    InputError
        If it is missing, not such a file, or has changed by one bit.
    """
    path = os.fspath(path)
    expected = "a file that `Certificate.save` or `jacspec certify --save` wrote"
    try:
        with open(path, "rb") as handle:
            content = handle.read()
    except OSError as error:
        raise InputError("path", repr(path), f"a file that can be read ({error.strerror})") from None
    head, digits = content[:-_DIGITS], content[-_DIGITS:]
    if not head.endswith(_MARK):
        raise InputError("path", repr(path), f"{expected}, of format {FORMAT}")
    if hashlib.sha256(head).hexdigest().encode() != digits:
        raise InputError("path", repr(path), f"{expected}, unchanged (its SHA-256 does not fit)")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if any(m.compress_type != zipfile.ZIP_STORED for m in archive.infolist()):
                raise ValueError("compressed: no file that was written here is, and what is small may be a bomb")
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        meta = json.loads(arrays.pop("meta").tobytes())
    except Exception as error:  # numpy, zipfile and json raise a dozen kinds
        raise InputError("path", repr(path), f"{expected} (its contents: {type(error).__name__})") from None
    if not isinstance(meta, dict):
        raise InputError("path", repr(path), f"{expected}, of format {FORMAT}")
    return arrays, meta
