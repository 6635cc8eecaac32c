"""Checkpoints, `asmm-checkpoint/1`: everything that a training needs to go on, never pickle.

`checkpoint.json` names the file of arrays (safetensors) and its sha256; it is renamed into place last,
so that a kill at any moment leaves the one before it or this one.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from asmm_daemon.errors import ModelError
from asmm_daemon.files import write_whole

FORMAT = "asmm-checkpoint/1"
HEAD = "checkpoint.json"
_KEYS = frozenset({"format", "file", "sha256", "meta"})


Arrays = Mapping[str, NDArray[Any]]


def save_checkpoint(folder: Path, step: int, meta: Mapping[str, Any], arrays: Arrays) -> None:
    """Writes both halves, then drops the arrays of earlier checkpoints. Raises ModelError."""
    body = save({name: np.ascontiguousarray(values) for name, values in arrays.items()})
    name = f"checkpoint-{step}.safetensors"
    head = {"format": FORMAT, "file": name, "sha256": hashlib.sha256(body).hexdigest(), "meta": dict(meta)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / name, body, durable=True)
        write_whole(folder / HEAD, orjson.dumps(head, option=orjson.OPT_INDENT_2), durable=True)
        for old in folder.glob("checkpoint-*.safetensors*"):
            if old.name != name:
                old.unlink()
    except OSError as error:
        raise ModelError(f"{folder}: checkpoint cannot be written ({error.strerror or error})") from None


def load_checkpoint(folder: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]] | None:
    """Meta and arrays of the last checkpoint, None where there is none. Raises ModelError if damaged."""
    path = folder / HEAD
    if not path.exists():
        return None
    head = _head(path)
    body = folder / head["file"]
    try:
        content = body.read_bytes()
    except OSError as error:
        raise ModelError(f"{body}: {error.strerror or error}; {path.name} names it") from None
    if hashlib.sha256(content).hexdigest() != head["sha256"]:
        raise ModelError(f"{body}: damaged, its bytes are not those that {path.name} names")
    try:
        return head["meta"], load(content)
    except (SafetensorError, KeyError) as error:
        raise ModelError(f"{body}: not a safetensors file ({error})") from None


def part(arrays: Arrays, name: str) -> dict[str, NDArray[Any]]:
    """The arrays called `name.…`, under their own names. Raises ModelError where there are none."""
    prefix = f"{name}."
    found = {key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)}
    if not found:
        raise ModelError(f"checkpoint: {name} is missing")
    return found


def _head(path: Path) -> dict[str, Any]:
    try:
        head = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise ModelError(f"{path}: not JSON ({error.msg})") from None
    if not isinstance(head, dict) or set(head) != _KEYS:
        raise ModelError(f"{path}: keys should be {', '.join(sorted(_KEYS))}")
    if head["format"] != FORMAT:
        raise ModelError(f"{path}: format {head['format']!r}, expected {FORMAT!r}")
    return head
