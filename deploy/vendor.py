"""Files of an npm package, copied into the repository with their hashes and packed copies.

`python -m deploy.vendor FOLDER TARBALL` takes out of a tarball, as `npm pack` fetches it, what
FOLDER/VENDORED.toml names in `take`, and writes [sha256] anew. A text that a browser is sent gets a
`.gz` beside it, without a date. Without TARBALL only those are made again.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import sys
import tarfile
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path

LIST = "VENDORED.toml"
PACKED = (".css", ".js")
INSIDE, BUILT = "package/", "dist/"


def take(folder: Path, tarball: Path) -> None:
    """Copy the files that the list names. Raises `ValueError` where it is another package."""
    told = tomllib.loads((folder / LIST).read_text("utf-8"))
    with tarfile.open(tarball) as archive:
        held = {one.name.removeprefix(INSIDE): one for one in archive if one.isfile()}
        package = json.loads(archive.extractfile(held["package.json"]).read())  # type: ignore[union-attr]
        if (package["name"], package["version"]) != (told["name"], told["version"]):
            raise ValueError(f"{tarball}: is {package['name']} {package['version']}")
        for name in sorted(n for n in held if any(fnmatchcase(n, one) for one in told["take"])):
            target = folder / name.removeprefix(BUILT)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.extractfile(held[name]).read())  # type: ignore[union-attr]


def pack(folder: Path) -> None:
    """Make the packed copies."""
    for path in (one for one in folder.rglob("*") if one.suffix in PACKED):
        packed = gzip.compress(path.read_bytes(), 9, mtime=0)
        path.with_name(path.name + ".gz").write_bytes(packed)


def write_hashes(folder: Path) -> None:
    """Write [sha256]: one line a file, packed copies included."""
    told = (folder / LIST).read_text("utf-8").partition("\n[sha256]")[0].rstrip()
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != LIST)
    lines = [f'"{p.relative_to(folder).as_posix()}" = "{_hash(p)}"' for p in files]
    (folder / LIST).write_text("\n".join([told, "", "[sha256]", *lines, ""]), "utf-8")


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    where = Path(sys.argv[1])
    for one in sys.argv[2:3]:
        take(where, Path(one))
    pack(where)
    write_hashes(where)
