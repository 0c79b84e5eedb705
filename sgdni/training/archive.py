"""Arrays in a file of which any damage is noticed before anything is made of it.

The file is a zip of plain arrays, ``.npz``, which ``numpy.load`` opens as well. One member more,
the manifest, is a JSON text: the SHA-256, the shape and the dtype of every other member, and what
is to be said besides. Nothing is compressed, so no file unpacks to more than itself, and nothing
is pickled, so opening one runs no code.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from sgdni._util.files import whole

MANIFEST = "manifest.json"
_HEADER = 1 << 12  # bytes: more than what stands before an array's numbers


class Mismatch(ValueError):
    """An archive of other arrays than those that were expected."""


def write(path: Path, about: dict, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays, and something JSON-ready about them, all or nothing. Raises OSError."""
    manifest = {"about": about, "arrays": {}}
    with whole(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, np.asarray(array, order="C"), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), content.getbuffer())
            manifest["arrays"][name] = {"sha256": hashlib.sha256(content.getbuffer()).hexdigest(),
                                        "shape": array.shape, "dtype": array.dtype.str}
        # Some generators keep arrays in their state.
        archive.writestr(zipfile.ZipInfo(MANIFEST), json.dumps(manifest, default=np.ndarray.tolist))


def read_about(path: Path) -> dict:
    """Return what is said about the arrays, without reading them; any Exception for damage."""
    with zipfile.ZipFile(path) as archive:
        return _manifest(archive)["about"]


def read(path: Path, like: Mapping[str, np.ndarray]) -> tuple[dict, dict[str, np.ndarray]]:
    """Return what is said about the arrays, and arrays of the names, shapes and dtypes of `like`.

    No array is read that is larger than the one it is for.

    Raises
    ------
    Mismatch
        For a sound manifest of other arrays; says which.
    Exception
        Of any kind, for a damaged file.
    """
    with zipfile.ZipFile(path) as archive:
        manifest = _manifest(archive)
        said = {name: (tuple(entry["shape"]), np.dtype(entry["dtype"]))
                for name, entry in manifest["arrays"].items()}
        _check_same({name: (a.shape, a.dtype) for name, a in like.items()}, said)
        members = [member.filename for member in archive.infolist()]
        if members != [*(f"{name}.npy" for name in said), MANIFEST]:
            raise ValueError(f"expected members as in the manifest, got {members}")
        arrays = {}
        for name, entry in manifest["arrays"].items():
            content = _content(archive, f"{name}.npy", like[name].nbytes + _HEADER)
            if hashlib.sha256(content).hexdigest() != entry["sha256"]:
                raise ValueError(f"{name}: another SHA-256 than in the manifest")
            array = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
            if (array.shape, array.dtype) != said[name]:
                raise ValueError(f"{name}: another shape or dtype than in the manifest")
            arrays[name] = array
    return manifest["about"], arrays


def _check_same(expected: dict, found: dict) -> None:
    problems = [f"{name}: expected {' '.join(map(str, kind))}, got "
                f"{' '.join(map(str, found[name]))}"
                for name, kind in expected.items() if found.get(name, kind) != kind]
    problems += [f"{name} is missing" for name in expected if name not in found]
    problems += [f"{name} is unknown" for name in found if name not in expected]
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise Mismatch(f"{'; '.join(problems[:3])}{more}")


def _manifest(archive: zipfile.ZipFile) -> dict:
    return json.loads(_content(archive, MANIFEST))


def _content(archive: zipfile.ZipFile, member: str, at_most: float = float("inf")) -> bytes:
    """Return the bytes of a member, whose checksum is checked as it is read."""
    info = archive.getinfo(member)
    if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
        raise ValueError(f"{member}: is compressed")
    if info.file_size > min(at_most, archive.start_dir):
        raise ValueError(f"{member}: larger than it can be")
    return archive.read(info)
