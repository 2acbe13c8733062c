"""Files for browsers: what is vendored is what was published; packed, and kept by who has it."""

from __future__ import annotations

import gzip
import hashlib
import re
import tomllib

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from deploy import vendor
from detector.web.static_files import KINDS, STATIC, StaticFiles, static_files, static_url

VENDORED = sorted(path.parent for path in STATIC.rglob(vendor.LIST))
FONT = "vendor/noto-sans-sc-5.3.1/wght.css"
FONTS = STATIC / "vendor" / "noto-sans-sc-5.3.1"


def client_of(files: StaticFiles) -> TestClient:
    return TestClient(Starlette(routes=[Mount("/static", files)]), base_url="http://localhost")


@pytest.fixture(scope="module")
def client():
    with client_of(static_files()) as one:
        yield one


# --- what is vendored -----------------------------------------------------------------------------


@pytest.mark.parametrize("folder", VENDORED, ids=lambda folder: folder.name)
def test_what_is_vendored_is_what_was_published(folder):
    told = tomllib.loads((folder / vendor.LIST).read_text("utf-8"))
    assert told["name"] and told["licence"] and "LICENSE" in told["sha256"]
    files = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert files - {vendor.LIST} == set(told["sha256"])
    for name, digest in told["sha256"].items():
        data = (folder / name).read_bytes()
        assert hashlib.sha256(data).hexdigest() == digest, name
        if name.endswith(".gz"):
            assert gzip.decompress(data) == (folder / name.removesuffix(".gz")).read_bytes()
            assert data[4:8] == b"\0\0\0\0"  # no date: packed again, it is the same
        elif name.endswith(vendor.PACKED):
            assert f"{name}.gz" in files
    if folder.parent.name == "vendor":  # kept for a year under this name
        assert folder.name.endswith(f"-{told['version']}")


def test_three_packages_are_vendored():
    assert [folder.name for folder in VENDORED] == [
        "swagger", "noto-sans-sc-5.3.1",
    ]  # fmt: skip


def test_the_font_names_only_slices_that_are_there_and_waits_for_none():
    text = (FONTS / "wght.css").read_text("utf-8")
    named = re.findall(r"url\(\./(files/[^)]+)\)", text)
    assert {f"files/{p.name}" for p in (FONTS / "files").iterdir()} == set(named)
    faces = text.count("@font-face")
    assert faces == len(named) == text.count("unicode-range") == text.count("font-display: swap")
    assert "//" not in re.sub(r"/\*.*?\*/", "", text)


def test_a_package_is_taken_only_as_it_is_named(tmp_path):
    import io
    import tarfile

    tarball, folder = tmp_path / "some.tgz", tmp_path / "some-1.0.0"
    folder.mkdir()
    (folder / vendor.LIST).write_text('name = "some"\nversion = "1.0.0"\ntake = ["dist/*.js"]\n')
    with tarfile.open(tarball, "w:gz") as archive:
        for name, data in {
            "package.json": b'{"name": "some", "version": "1.0.1"}', "dist/a.js": b"a" * 99,
            "dist/b.ts": b"b",
        }.items():  # fmt: skip
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    with pytest.raises(ValueError, match=r"is some 1\.0\.1"):
        vendor.take(folder, tarball)
    (folder / vendor.LIST).write_text('name = "some"\nversion = "1.0.1"\ntake = ["dist/*.js"]\n')
    for _ in range(2):
        vendor.take(folder, tarball)
        vendor.pack(folder)
        vendor.write_hashes(folder)
    assert {p.name for p in folder.iterdir()} == {"a.js", "a.js.gz", vendor.LIST}
    told = tomllib.loads((folder / vendor.LIST).read_text("utf-8"))
    assert list(told["sha256"]) == ["a.js", "a.js.gz"]


# --- how they are sent ----------------------------------------------------------------------------


def test_a_packed_file_is_sent_as_it_lies_to_whoever_takes_it(client):
    plain = client.get(f"/static/{FONT}", headers={"Accept-Encoding": "identity"})
    assert plain.content == (STATIC / FONT).read_bytes()
    assert "content-encoding" not in plain.headers and plain.headers["vary"] == "Accept-Encoding"
    packed = client.get(f"/static/{FONT}", headers={"Accept-Encoding": "br, gzip;q=0.5"})
    assert packed.headers["content-encoding"] == "gzip" and packed.content == plain.content
    assert int(packed.headers["content-length"]) == (STATIC / f"{FONT}.gz").stat().st_size
    assert packed.headers["etag"] != plain.headers["etag"]
    for told in ("gzip;q=0", "gzip; q=0.0", "br", "gzipped"):
        answer = client.get(f"/static/{FONT}", headers={"Accept-Encoding": told})
        assert "content-encoding" not in answer.headers, told
    head = client.head(f"/static/{FONT}", headers={"Accept-Encoding": "gzip"})
    assert head.headers["content-length"] == packed.headers["content-length"]


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        (FONT, True),
        ("vendor/noto-sans-sc-5.3.1/files/noto-sans-sc-4-wght-normal.woff2", True),
        ("swagger/swagger-ui.css", False),
        ("answer.css", False),
        (static_url("answer.css").removeprefix("/static/"), True),
        (static_url(FONT).removeprefix("/static/"), True),
    ],
)
def test_an_address_with_a_version_is_kept_for_a_year_and_any_other_asked_for_again(
    client, name, kept
):
    answer = client.get(f"/static/{name}")
    told = answer.headers["cache-control"]
    assert answer.status_code == 200
    assert told == ("public, max-age=31536000, immutable" if kept else "no-cache")
    known = {"If-None-Match": f'"other", W/{answer.headers["etag"]}'}
    again = client.get(f"/static/{name}", headers=known)
    assert again.status_code == 304 and again.content == b""
    assert again.headers["etag"] == answer.headers["etag"]


def test_kinds_come_from_one_table(client):
    for name, kind in (("answer.css", "text/css"), ("docs.js", "text/javascript"),
                       ("vendor/noto-sans-sc-5.3.1/files/noto-sans-sc-4-wght-normal.woff2",
                        "font/woff2")):  # fmt: skip
        assert client.get(f"/static/{name}").headers["content-type"].startswith(kind)


def test_an_edited_file_has_another_address(tmp_path):
    (tmp_path / "vendor").mkdir()
    (tmp_path / "vendor" / "a.js").write_text("1")
    (tmp_path / "a.css").write_text("a {}")
    first = StaticFiles(tmp_path)
    (tmp_path / "vendor" / "a.js").write_text("2")
    assert StaticFiles(tmp_path).version == first.version
    (tmp_path / "a.css").write_text("b {}")
    second = StaticFiles(tmp_path)
    assert second.version != first.version
    with client_of(second) as client:
        assert client.get(second.url("a.css")).text == "b {}"
        assert client.get(first.url("a.css")).status_code == 404
    with pytest.raises(KeyError):
        first.url("b.css")


@pytest.mark.parametrize(
    "path",
    ["", "/", "/..", "/../api.py", "/%2e%2e/api.py", "/..%2fapi.py", "/%2e%2e%2fapi.py",
     "/vendor", "/vendor/..%2f..%2fapi.py", "//etc/passwd", "/%2fetc%2fpasswd", "/answer.css%00",
     "/answer.css/", "/swagger/LICENSE", "/swagger/VENDORED.toml", "/swagger/swagger-ui.css.gz",
     "/ANSWER.CSS", "/0123456789ab/answer.css"],
)  # fmt: skip
def test_no_other_name_leads_anywhere(client, path):
    assert client.get(f"/static{path}").status_code == 404


def test_files_are_only_read(client):
    for method in ("POST", "PUT", "DELETE"):
        assert client.request(method, "/static/answer.css").status_code == 405


def test_every_file_is_of_a_known_kind_or_is_never_sent():
    unknown = {p.name for p in STATIC.rglob("*") if p.is_file() and p.suffix not in KINDS}
    assert {n for n in unknown if not n.endswith(".gz")} <= {
        "LICENSE", "NOTICE", "LICENSE-d3", vendor.LIST, "swagger-ui-bundle.js.LICENSE.txt",
    }  # fmt: skip
