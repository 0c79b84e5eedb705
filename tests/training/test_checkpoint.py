"""Resumed training equals uninterrupted training, bit for bit; bad files are refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers import TINY, blobs

from sgdni.runs.methods import METHODS, build_trainer
from sgdni.training import Trainer, archive, checkpoint
from sgdni.training.checkpoint import CheckpointError

DATA = blobs(np.random.default_rng(0))


def state_of(trainer):
    arrays = {k: v.copy() for k, v in trainer.schedule.state().items()}
    generators = {k: g.bit_generator.state for k, g in trainer.generators.items()}
    return arrays, generators


def without_times(history):
    return [replace(r, train_seconds=0, total_seconds=0) for r in history]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_resumed_equals_uninterrupted(tmp_path, method, optimizer):
    settings = replace(TINY, optimizer=optimizer, fit_every=2)
    straight = build_trainer(method, settings, DATA)
    for _ in range(4):
        straight.epoch()
    first = build_trainer(method, settings, DATA)
    first.epoch()
    first.epoch()
    checkpoint.save(tmp_path / "run.npz", first, settings.to_dict())
    second = build_trainer(method, replace(settings, seed=99), DATA)
    checkpoint.restore(tmp_path / "run.npz", second)
    second.epoch()
    second.epoch()
    (ours, our_rng), (theirs, their_rng) = state_of(second), state_of(straight)
    assert ours.keys() == theirs.keys()
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)
    assert our_rng == their_rng
    assert without_times(second.history) == without_times(straight.history)


def saved(tmp_path, method="cdni-ls"):
    trainer = build_trainer(method, TINY, DATA)
    trainer.epoch()
    path = tmp_path / "run.npz"
    checkpoint.save(path, trainer, {"any": "settings"})
    return path, trainer


def test_settings_come_back(tmp_path):
    path, _ = saved(tmp_path)
    assert checkpoint.read_settings(path) == {"any": "settings"}


def test_nothing_in_it_is_pickled(tmp_path):
    path, _ = saved(tmp_path)
    with np.load(path, allow_pickle=False) as file:
        assert file.files.pop() == archive.MANIFEST
        assert all(file[name].dtype != object for name in file.files[:-1])


@pytest.mark.parametrize("share", [0.0, 0.2, 0.6, 0.99])
def test_truncated_file_is_refused_and_leaves_the_trainer_alone(tmp_path, share):
    path, trainer = saved(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    before = state_of(trainer)[0]
    with pytest.raises(CheckpointError, match="run.npz: not a checkpoint"):
        checkpoint.restore(path, trainer)
    for name, array in trainer.schedule.state().items():
        np.testing.assert_array_equal(array, before[name])


def test_foreign_files_are_refused(tmp_path):
    trainer = build_trainer("cdni", TINY, DATA)
    text, arrays, pickled = (tmp_path / name for name in ("a.txt", "b.npz", "c.npz"))
    text.write_text("hello")
    np.savez(arrays, weights=np.zeros(3))
    np.savez(pickled, thing=np.array([{"a": 1}], dtype=object))
    for path in (text, arrays, pickled):
        with pytest.raises(CheckpointError, match="not a checkpoint"):
            checkpoint.restore(path, trainer)
    with pytest.raises(CheckpointError, match="no such file"):
        checkpoint.restore(tmp_path / "none.npz", trainer)
    archive.write(arrays, {"format": "sgdni checkpoint 99"}, {})
    with pytest.raises(CheckpointError, match="expected 'sgdni checkpoint 3', got"):
        checkpoint.restore(arrays, trainer)


@pytest.mark.parametrize("kind", [np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_every_kind_of_generator_is_saved(tmp_path, kind):
    def make(kind, seed):
        schedule = build_trainer("backprop", TINY, DATA).schedule
        return Trainer(schedule, DATA, batch_size=TINY.batch_size,
                       rng=np.random.Generator(kind(seed)))

    first, second = make(kind, 1), make(kind, 2)
    first.epoch()
    checkpoint.save(tmp_path / "run.npz", first, {})
    checkpoint.restore(tmp_path / "run.npz", second)
    for trainer in (first, second):
        trainer.epoch()
    for name, array in first.schedule.state().items():
        np.testing.assert_array_equal(array, second.schedule.state()[name])
    other = make(np.random.PCG64, 2)
    before, drawn = state_of(other)[0], other.rng.bit_generator.state
    with pytest.raises(CheckpointError, match="random generators: expected .*PCG64"):
        checkpoint.restore(tmp_path / "run.npz", other)
    assert other.rng.bit_generator.state == drawn
    for name, array in other.schedule.state().items():
        np.testing.assert_array_equal(array, before[name])


def test_another_network_is_refused_by_name(tmp_path):
    path, _ = saved(tmp_path)
    wider = build_trainer("cdni-ls", replace(TINY, hidden=(9, 7, 6)), DATA)
    with pytest.raises(CheckpointError, match=r"module1.params.0.W: expected \(5, 9\).*got \(5, 8"):
        checkpoint.restore(path, wider)
    with pytest.raises(CheckpointError, match="interface1.*is unknown"):
        checkpoint.restore(path, build_trainer("backprop", TINY, DATA))


def test_a_failed_save_keeps_the_former_checkpoint(tmp_path, monkeypatch):
    path, trainer = saved(tmp_path)
    before = path.read_bytes()

    def broken(file, array, **options):
        raise OSError("disk full")

    monkeypatch.setattr(np.lib.format, "write_array", broken)
    with pytest.raises(OSError, match="disk full"):
        checkpoint.save(path, trainer, {})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
