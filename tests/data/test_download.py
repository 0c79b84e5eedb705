"""Downloading from mirrors on this machine, good ones and bad ones; nothing leaves it."""

from __future__ import annotations

import gzip
import os
import re
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import platformdirs
import pytest
from mirrors import CONTENTS, ENTRY, GOOD, PATIENCE, SHAPES, TIMEOUT, Mirror, Server, Site

from sgdni.cli import data as cli_data
from sgdni.data import DataError, load
from sgdni.data.download import download
from sgdni.data.entries import ARRAYS


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server(("127.0.0.1", 0), Mirror) as server:
        site = Site(f"http://127.0.0.1:{server.server_port}")
        server.requests, server.closing = site.requests, threading.Event()
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield site
        server.closing.set()
        server.shutdown()
        thread.join()


def fetch(folder: Path, mirrors: tuple[str, ...], timeout: float = PATIENCE) -> Path:
    return download(ENTRY, folder, mirrors, timeout)


def assert_complete(folder: Path) -> None:
    """The folder holds the four good files and nothing else."""
    assert {path.name for path in folder.iterdir()} == set(GOOD)
    for path in folder.iterdir():
        assert gzip.decompress(path.read_bytes()) == CONTENTS[path.stem]


def assert_empty(folder: Path) -> None:
    assert not folder.exists() or not list(folder.iterdir())


# Each kind of bad mirror, and what should be said about it.
BAD = {
    "missing": "HTTP Error 404",
    "truncated": r"expected \d+(,\d+)* bytes, got \d+",
    "truncated_without_length": "expected a whole gzip file",
    "corrupt": "damaged|SHA-256",
    "other_values": "expected SHA-256 [0-9a-f]{64}, found [0-9a-f]{64}",
    "login_page": "expected an IDX file of bytes of shape .* found 3c 68 74 6d",
    "endless": "expected at most [0-9,]+ bytes, got more",
    "reset": "[Rr]eset|closed|aborted",
    "silent": "timed out",
    "stalled": "timed out",
    "dripping": r"stalled: \d+ bytes in \d\.\d s",
}
SLOW = ("silent", "stalled", "dripping")


@pytest.mark.parametrize("behaviour", ["good", "good_without_length", "lingering", "unpacked"])
def test_good_mirror(tmp_path, site, behaviour):
    folder = fetch(tmp_path, site.mirrors(behaviour, "missing"))
    assert folder == tmp_path / "tiny"
    assert [request[0] for request in site.requests] == [behaviour] * 4
    if behaviour != "unpacked":
        assert_complete(folder)


def given_up_after(behaviour: str) -> float:
    return TIMEOUT if behaviour in SLOW else PATIENCE


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder that lacks only x_train.gz, so that slow mirrors are waited for only once."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    for name in GOOD.keys() - {"x_train.gz"}:
        (folder / name).write_bytes(GOOD[name])
    return folder


@pytest.mark.parametrize("behaviour", BAD)
def test_second_mirror_steps_in(folder, site, behaviour):
    begin = time.monotonic()
    fetch(folder.parent, site.mirrors(behaviour, "good"), given_up_after(behaviour))
    assert_complete(folder)
    assert site.requests == [(behaviour, "x_train.gz"), ("good", "x_train.gz")]
    # Left to themselves, the slow mirrors would take ten seconds or more.
    assert time.monotonic() - begin < 5


@pytest.mark.parametrize("behaviour", BAD)
def test_all_mirrors_fail(tmp_path, site, behaviour):
    mirrors = site.mirrors(behaviour, "missing")
    with pytest.raises(DataError, match="could not download x_train.gz") as error:
        fetch(tmp_path, mirrors, given_up_after(behaviour))
    _, first, second, advice = str(error.value).splitlines()
    assert first.startswith(f"  {mirrors[0]}x_train.gz: ")
    assert re.search(BAD[behaviour], first), first
    assert second.startswith(f"  {mirrors[1]}x_train.gz: HTTP Error 404")
    assert str(tmp_path / "tiny") in advice
    assert_empty(tmp_path / "tiny")


def test_mirror_that_is_slow_but_steady_is_not_given_up(folder, site):
    begin = time.monotonic()
    fetch(folder.parent, site.mirrors("steady"), TIMEOUT)
    assert time.monotonic() - begin > TIMEOUT
    assert_complete(folder)


def test_connection_refused(tmp_path, site):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{unused.getsockname()[1]}/"
    with pytest.raises(DataError, match=f"{closed}x_train.gz: .*refused"):
        fetch(tmp_path, (closed,))
    assert_empty(tmp_path / "tiny")
    assert_complete(fetch(tmp_path, (closed, *site.mirrors("good"))))


def test_malformed_address_is_one_more_mirror_that_fails(tmp_path, site):
    assert_complete(fetch(tmp_path, ("not an address", *site.mirrors("good"))))


def test_mirrors_of_the_entry_are_the_default(tmp_path, site):
    entry = replace(ENTRY, mirrors=site.mirrors("missing", "good"))
    assert_complete(download(entry, tmp_path))


def test_good_files_are_left_alone(tmp_path, site):
    folder = fetch(tmp_path, site.mirrors("good"))
    (folder / "y_test.gz").unlink()
    (folder / "y_test").write_bytes(CONTENTS["y_test"])  # a plain copy is as good
    (folder / "x_test.gz").unlink()
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    site.requests.clear()

    fetch(tmp_path, site.mirrors("good"))
    assert site.requests == [("good", "x_test.gz")]
    after = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert set(after) == set(before) | {"x_test.gz"}
    assert before.items() <= after.items()


@pytest.mark.parametrize("damaged", ["x_train.gz", "x_train"])
def test_damaged_file_is_replaced_only_by_a_good_one(tmp_path, site, damaged, monkeypatch):
    folder = fetch(tmp_path, site.mirrors("good"))
    (folder / "x_train.gz").unlink()
    (folder / damaged).write_bytes(b"damaged")

    with pytest.raises(DataError, match="could not download"):
        fetch(tmp_path, site.mirrors("corrupt", "missing"))
    assert (folder / damaged).read_bytes() == b"damaged"
    assert not list(folder.glob("*.part"))

    fetch(tmp_path, site.mirrors("corrupt", "good"))
    monkeypatch.setenv("SGDNI_DATA", str(tmp_path))
    assert len(load(ENTRY).x_train) == 30


def test_interrupted_download_leaves_nothing(tmp_path, site, monkeypatch):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fetch(tmp_path, site.mirrors("good"))
    assert_empty(tmp_path / "tiny")


def test_folder_that_cannot_be_made(tmp_path, site):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot write to .*tiny: .*SGDNI_DATA"):
        fetch(tmp_path / "file", site.mirrors("good"))
    assert not site.requests


def test_folder_that_is_not_writable(tmp_path, site):
    (tmp_path / "tiny").mkdir(mode=0o500)
    if os.access(tmp_path / "tiny", os.W_OK):
        pytest.skip("this user may write to any folder")
    with pytest.raises(DataError, match="cannot write to .*tiny: Permission denied"):
        fetch(tmp_path, site.mirrors("good"))


def test_files_can_be_read_by_others_where_the_umask_allows_it(tmp_path, site):
    plain = tmp_path / "plain"
    plain.touch()
    folder = fetch(tmp_path, site.mirrors("good"))
    assert {path.stat().st_mode for path in folder.iterdir()} == {plain.stat().st_mode}


@pytest.mark.parametrize("variable", [True, False])
def test_default_folder_is_where_load_looks_first(tmp_path, site, monkeypatch, variable):
    chosen, cache = tmp_path / "chosen", tmp_path / "cache"
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda *args, **kwargs: str(cache))
    if variable:
        monkeypatch.setenv("SGDNI_DATA", str(chosen))
    else:
        monkeypatch.delenv("SGDNI_DATA", raising=False)
    folder = download(ENTRY, mirrors=site.mirrors("good"))
    assert folder == (chosen if variable else cache) / "tiny"
    data = load(ENTRY)
    for name in ARRAYS:
        values = np.frombuffer(CONTENTS[name], np.uint8)[-np.prod(SHAPES[name]) :]
        np.testing.assert_array_equal(getattr(data, name).ravel(), values)


def test_cli_reports_where_the_files_are(tmp_path, site, monkeypatch, capsys):
    entry = replace(ENTRY, mirrors=site.mirrors("good"))
    args = type("Args", (), {"data_command": "download", "name": entry, "folder": tmp_path})
    cli_data.run(args)
    out = capsys.readouterr().out
    assert f"complete and verified in {tmp_path / 'tiny'}" in out
    assert f"set SGDNI_DATA to {tmp_path}" in out
