"""Whatever happens to a checkpoint: the run that was saved, or one named error and nothing changed.

Every single bit: ``pytest tests/training/test_damage.py --stress 1000000``.
"""

from __future__ import annotations

import io
import itertools
import json
import struct
import tracemalloc
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from helpers import TINY, blobs

from sgdni.cli import main
from sgdni.runs.methods import build_trainer
from sgdni.training import archive, checkpoint
from sgdni.training.checkpoint import CheckpointError

DATA = blobs(np.random.default_rng(0))
SMALL = replace(TINY, hidden=(3,))


def trained(seed, epochs=1):
    trainer = build_trainer("cdni-stochastic", replace(SMALL, seed=seed), DATA)
    for _ in range(epochs):
        trainer.epoch()
    return trainer


def state_of(trainer):
    generators = {name: g.bit_generator.state for name, g in trainer.generators.items()}
    return (list(trainer.history), generators,
            {name: a.copy() for name, a in trainer.schedule.state().items()})


def same(a, b):
    return a[:2] == b[:2] and all(np.array_equal(a[2][name], b[2][name]) for name in a[2])


class Attack:
    """A checkpoint, and another trainer that damaged copies of it are restored into."""

    def __init__(self, path):
        self.path, saved, self.other = path, trained(1), trained(2)
        checkpoint.save(path, saved, {"any": "settings"})
        self.whole, self.saved = path.read_bytes(), state_of(saved)
        with zipfile.ZipFile(path) as file:
            self.members = {name: file.read(name) for name in file.namelist()}

    def harmless(self, content):
        """Restore it, check what must hold, and return whether there was nothing to refuse."""
        self.path.write_bytes(content)
        before = state_of(self.other)
        try:
            checkpoint.restore(self.path, self.other)
        except CheckpointError as error:
            assert "\n" not in str(error)
            assert same(state_of(self.other), before)
            return False
        assert same(state_of(self.other), self.saved)
        self.other = trained(2, epochs=0)
        return True

    def zipped(self, members, compression=zipfile.ZIP_STORED):
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", compression) as file:
            for name, part in members.items():
                file.writestr(name, part)
        return content.getvalue()

    def said(self, **changes):
        """Return the file with another manifest, sound in all but what it says."""
        manifest = json.loads(self.members[archive.MANIFEST])
        manifest["about"].update(changes)
        return self.zipped({**self.members, archive.MANIFEST: json.dumps(manifest).encode()})


@pytest.fixture
def attack(tmp_path):
    return Attack(tmp_path / "run.npz")


def test_unharmed_and_zipped_anew_it_is_restored(attack):
    assert attack.harmless(attack.whole)
    assert attack.harmless(attack.zipped(attack.members)) and attack.harmless(attack.said())


def test_flipped_bits(attack, stress):
    inside = np.zeros(len(attack.whole), bool)  # of a member; the rest is the zip's own
    with zipfile.ZipFile(io.BytesIO(attack.whole)) as file:
        for info in file.infolist():
            name, extra = struct.unpack_from("<HH", attack.whole, info.header_offset + 26)
            start = info.header_offset + 30 + name + extra
            inside[start : start + info.compress_size] = True
    assert inside.mean() > 0.5
    for flip in np.random.default_rng(0).permutation(8 * len(attack.whole))[: 2 * stress]:
        damaged = bytearray(attack.whole)
        damaged[flip // 8] ^= 1 << flip % 8
        harmless = attack.harmless(bytes(damaged))
        assert not (harmless and inside[flip // 8])


def test_flipped_bits_where_a_zip_speaks_of_itself(attack, stress):
    """In its directory, at the end, most of what can go wrong is zipfile's own business."""
    start = attack.whole.index(b"PK\x01\x02")
    rng = np.random.default_rng(1)
    for flip in rng.permutation(np.arange(8 * start, 8 * len(attack.whole)))[: 2 * stress]:
        damaged = bytearray(attack.whole)
        damaged[flip // 8] ^= 1 << flip % 8
        attack.harmless(bytes(damaged))


def test_truncations(attack, stress):
    for end in np.random.default_rng(2).integers(0, len(attack.whole), stress // 4):
        assert not attack.harmless(attack.whole[:end])


def test_exchanged_members(attack):
    pairs = list(itertools.combinations(attack.members, 2))
    assert len(pairs) > 50
    for a, b in pairs:
        members = {**attack.members, a: attack.members[b], b: attack.members[a]}
        same = attack.members[a] == attack.members[b]  # nothing but zeros, both of them
        assert attack.harmless(attack.zipped(members)) == same


def test_members_of_another_checkpoint_of_the_same_network(attack):
    checkpoint.save(attack.path, trained(3), {"any": "settings"})
    with zipfile.ZipFile(attack.path) as file:
        for name, mine in attack.members.items():
            theirs = file.read(name)
            content = attack.zipped({**attack.members, name: theirs})
            path, attack.path = attack.path, attack.path.with_name("mixed.npz")
            assert attack.harmless(content) == (mine == theirs)
            attack.path = path


def test_members_that_are_missing_or_too_many_or_there_twice(attack):
    for name in attack.members:
        assert not attack.harmless(attack.zipped({k: v for k, v in attack.members.items()
                                                  if k != name}))
        with pytest.warns(UserWarning, match="Duplicate name"):
            content = io.BytesIO(attack.whole)
            with zipfile.ZipFile(content, "a") as file:
                file.writestr(name, attack.members[name])
        assert not attack.harmless(content.getvalue())
    assert not attack.harmless(attack.zipped({**attack.members, "more.npy": b""}))


@pytest.mark.parametrize("bomb", ["first", archive.MANIFEST])
def test_what_would_unpack_to_far_more_is_not_read(attack, bomb):
    name = next(iter(attack.members)) if bomb == "first" else bomb
    huge = attack.zipped({**attack.members, name: bytes(1 << 26)}, zipfile.ZIP_DEFLATED)
    assert len(huge) < 1 << 18
    stored = bytearray(attack.whole)  # says of itself that it is huge
    at = stored.index(name.encode(), stored.index(b"PK\x01\x02")) - 46
    stored[at + 20 : at + 28] = struct.pack("<2I", 1 << 30, 1 << 30)
    larger = attack.zipped({**attack.members, name: bytes(1 << 22)})
    for content, most in ((huge, 1 << 20), (bytes(stored), 1 << 20),
                          (larger, 1 << 20 if bomb == "first" else 1 << 25)):
        attack.path.write_bytes(content)
        tracemalloc.start()
        assert not attack.harmless(content)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < most


GOOD = np.random.default_rng(0).bit_generator.state


@pytest.mark.parametrize("state", [
    None, 5, [], {}, {"bit_generator": "PCG64"}, {"bit_generator": 3}, {**GOOD, "state": None},
    {**GOOD, "state": {"state": "none", "inc": 1}}, {**GOOD, "state": {"state": 1}},
    {**GOOD, "state": {"state": -1, "inc": 1}}, {**GOOD, "state": {"state": 2**128, "inc": 1}},
    {**GOOD, "state": {"state": 0.5, "inc": 1}}, {**GOOD, "has_uint32": 10**30},
    {**GOOD, "bit_generator": "MT19937"}])
@pytest.mark.parametrize("name", ["order", "updates"])
def test_damaged_states_of_generators(attack, state, name):
    states = json.loads(attack.members[archive.MANIFEST])["about"]["generators"]
    assert name in states
    assert not attack.harmless(attack.said(generators={**states, name: state}))


@pytest.mark.parametrize("changes", [
    {"format": "sgdni checkpoint 99"}, {"format": []}, {"settings": []}, {"settings": None},
    {"generators": None}, {"generators": {}}, {"generators": {"order": GOOD}}, {"history": None},
    {"history": 5}, {"history": [5]}, {"history": [{}]}, {"history": [{"epoch": 1}]}])
def test_damaged_words(attack, changes):
    assert not attack.harmless(attack.said(**changes))


@pytest.mark.parametrize("field, value", [
    ("epoch", None), ("epoch", 1.5), ("epoch", True), ("train_loss", "1"), ("test_loss", 10**400),
    ("sg_cosine", 0.5), ("sg_cosine", ["a"]), ("sg_cosine", [[1]]), ("more", 1)])
def test_damaged_records(attack, field, value):
    [record] = json.loads(attack.members[archive.MANIFEST])["about"]["history"]
    assert not attack.harmless(attack.said(history=[{**record, field: value}]))


@pytest.mark.parametrize("text", [b"", b"[]", b"5", b"null", b"{}", b"\xff", b"[" * 100_000,
                                  b'{"about": {}, "arrays": 5}', b"9" * 5000])
def test_manifests_of_another_form(attack, text):
    assert not attack.harmless(attack.zipped({**attack.members, archive.MANIFEST: text}))


def test_on_the_command_line_it_is_one_line(tmp_path, capsys, stress):
    path = tmp_path / "run.npz"
    assert main(["train", "--hidden", "3", "--epochs", "1", "--checkpoint", str(path)]) == 0
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    for flip in rng.integers(0, 8 * len(whole), stress // 20):
        damaged = bytearray(whole)
        damaged[flip // 8] ^= 1 << flip % 8
        path.write_bytes(damaged)
        capsys.readouterr()
        status = main(["train", "--resume", str(path), "--epochs", "1"])
        error = capsys.readouterr().err
        assert (status, error.count("\n")) in ((0, 0), (2, 1))
        assert path.read_bytes() == damaged
