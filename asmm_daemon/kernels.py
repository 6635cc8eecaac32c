"""Compilation of the numeric kernels, cached on disk.

`kernel` is numba's `njit`. The cache folder is chosen before numba is imported and is keyed by the
hash of every kernel source, since numba itself misses an edit in a callee of another file. Without
`fastmath`: a recording replayed must give the same bits on every run.
"""

import hashlib
import os
import re
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import platformdirs

_IMPORT = re.compile(r"^from (asmm_daemon[\w.]*) import \(?([\w, ]*)", re.MULTILINE)
F = TypeVar("F", bound=Callable[..., object])


def source_key() -> str:
    """Hash of every file that defines a kernel and of all that those import, since constants compile in."""
    root = Path(__file__).parent
    pending = [path for path in root.rglob("*.py") if b"asmm_daemon.kernels import" in path.read_bytes()]
    sources: dict[str, bytes] = {}
    while pending:
        path = pending.pop()
        name = path.relative_to(root).as_posix()
        if name in sources:
            continue
        sources[name] = path.read_bytes()
        for module, names in _IMPORT.findall(sources[name].decode()):
            folder = root.joinpath(*module.split(".")[1:])
            pending += [
                file
                for part in names.split(",")
                if part.strip() and (file := folder / f"{part.split()[0]}.py").exists()
            ]
            if (file := folder.with_suffix(".py")).exists():
                pending.append(file)
    digest = hashlib.sha256()
    for name in sorted(sources):
        digest.update(name.encode() + b"\0" + sources[name])
    return digest.hexdigest()[:16]


def _cache_dir() -> Path:
    path = Path(platformdirs.user_cache_dir("asmm")) / "kernels" / source_key()
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return path
    except OSError as error:
        fallback = Path(tempfile.mkdtemp(prefix="asmm-kernels-"))
        warnings.warn(f"kernel cache {path} cannot be written ({error}); using {fallback}", stacklevel=2)
        return fallback


if "NUMBA_CACHE_DIR" not in os.environ:
    os.environ["NUMBA_CACHE_DIR"] = str(_cache_dir())

import numba  # noqa: E402  (the cache folder must be set first)

numba.config.CACHE_DIR = os.environ["NUMBA_CACHE_DIR"]  # where another package imported numba before us


def kernel(function: F) -> F:
    """Compiles a function of flat records and scalars; the same source runs live and in replay."""
    return cast("F", numba.njit(cache=True, nogil=True, error_model="numpy")(function))


def flat_kernel(function: F) -> F:
    """A kernel that allocates nothing and returns no array; only such kernels may be called from it.

    Without numba's run-time there are no reference counts: counting the arrays of a record bundle up and
    down at every call costs several times the work of one market row.
    """
    return cast("F", numba.njit(cache=True, nogil=True, error_model="numpy", _nrt=False)(function))


def inner_kernel(function: F) -> F:
    """A flat kernel that only kernels call, without a way in from Python.

    For a record bundle of many arrays that way takes longer to compile than a small kernel itself.
    """
    return cast(
        "F",
        numba.njit(
            cache=True,
            nogil=True,
            error_model="numpy",
            _nrt=False,
            no_cpython_wrapper=True,
            no_cfunc_wrapper=True,
        )(function),
    )


def hot_kernel(function: F) -> F:
    """A flat kernel whose machine code becomes part of each caller.

    A call passes every array of a record bundle on the stack, seven words each: for what happens at every
    message or beat that is more work than the kernel's own.
    """
    return cast(
        "F",
        numba.njit(cache=True, nogil=True, error_model="numpy", _nrt=False, forceinline=True)(function),
    )


def inlined_kernel(function: F) -> F:
    """A flat kernel that becomes part of each caller instead of being compiled by itself.

    Every kernel compiles all that it calls once more: a chain of small functions above a large one costs
    that large one's compilation for each link.
    """
    return cast("F", numba.njit(inline="always", nogil=True, error_model="numpy", _nrt=False)(function))


_bound: dict[object, object] = {}


def bound(kernel_of: F, *arguments: object) -> F:
    """A kernel compiled for arguments of these types, at which its calls do not look again.

    For bundles of many records that look takes ten times as long as the call itself. Every call must pass
    arguments of the very same types, arrays as contiguous and as writable as these: nothing checks.
    """
    key = (kernel_of, _kind_of(arguments))
    if key not in _bound:
        dispatcher = cast("Any", kernel_of)
        types = tuple(dispatcher.typeof_pyval(each) for each in arguments)
        _bound[key] = dispatcher.compile(types)
    return cast("F", _bound[key])


def _kind_of(value: object) -> object:
    # what a type depends on; numba takes milliseconds to look at that of a bundle
    if isinstance(value, np.ndarray):
        return value.dtype, value.ndim, value.flags.num
    if isinstance(value, tuple):
        return type(value), *map(_kind_of, value)
    return type(value)
