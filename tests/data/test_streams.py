"""Streams: episodes that can be read off their own inputs, so every window can be checked."""

from __future__ import annotations

import numpy as np
import pytest

from sgdni.data.characters import python_reference, windows
from sgdni.data.copying import HORIZON, Copying
from sgdni.data.recall import DelayedRecall
from sgdni.data.streams import Episodes, Stream, Task

STREAMS, T = 7, 3


class Counting(Task):
    """Inputs (number of the episode, tick in it, its length); label and context say the same."""

    n_in, n_classes, n_context = 3, 1000, 2

    def __init__(self, lengths):
        self.lengths, self.drawn = lengths, 0

    def draw(self, count, rng):
        length = int(rng.choice(self.lengths))
        episode = self.drawn + np.arange(count)
        self.drawn += count
        tick = np.arange(length)
        inputs = np.empty((count, length, 3))
        inputs[...] = np.stack(np.broadcast_arrays(episode[:, None], tick, length), axis=-1)
        labels = np.where(tick % 2, -1, tick) + np.zeros((count, 1), int)
        return Episodes(inputs, labels, inputs[..., :2])


def read(task, rng, count, streams=STREAMS, steps=T):
    """Return (windows, labels), and all windows in a row as one of (ticks, streams, ...)."""
    stream = Stream(task, streams, steps, rng, dtype=np.float64)
    found = [next(stream) for _ in range(count)]
    return found, np.concatenate([x.inputs for x, _ in found])


@pytest.mark.parametrize("lengths", [[1], [4], [2, 5, 40], [100]])
def test_episodes_follow_each_other_tick_by_tick(rng, lengths):
    found, ticks = read(Counting(lengths), rng, 100)
    episode, tick, length = np.moveaxis(ticks, -1, 0)
    ends = tick == length - 1
    np.testing.assert_array_equal(tick[1:], np.where(ends[:-1], 0, tick[:-1] + 1))
    np.testing.assert_array_equal(episode[1:] == episode[:-1], ~ends[:-1])
    starts = np.concatenate([x.starts for x, _ in found])
    np.testing.assert_array_equal(starts[1:], tick[1:] == 0)
    assert starts[0].all()
    for k, (x, _) in enumerate(found):
        last = T * (k + 1) - 1
        np.testing.assert_array_equal(x.ends, ends[last])
        np.testing.assert_array_equal(x.context, ticks[last, :, :2])


def test_labels_come_with_their_ticks_but_for_the_episodes_entered_midway(rng):
    found, ticks = read(Counting([3, 8]), rng, 50)
    labels = np.concatenate([y for _, y in found])
    first = ticks[..., 0] == ticks[0, :, 0]
    tick = ticks[..., 1]
    np.testing.assert_array_equal(labels, np.where(first | (tick % 2 == 1), -1, tick))


def test_streams_of_one_length_are_out_of_step(rng):
    _, ticks = read(Counting([12]), rng, 40)
    assert len(set(ticks[-1, :, 1])) > 3


def test_a_longer_episode_is_felt_with_the_next_one(rng):
    task = Counting([4])
    stream = Stream(task, STREAMS, T, rng)
    next(stream)
    task.lengths = [50]
    lengths = np.concatenate([next(stream)[0].inputs[..., 2] for _ in range(3)])
    assert (lengths[:1] == 4).any() and (lengths[-1] == 50).all()  # after 9 ticks, two episodes
    assert task.drawn <= 3 * STREAMS


def test_windows_are_the_callers_to_keep(rng):
    stream = Stream(Counting([4]), STREAMS, T, rng)
    x, y = next(stream)
    kept = [array.copy() for array in (*x, y)]
    for _ in range(100):
        next(stream)
    for array, copy in zip((*x, y), kept, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_delayed_recall_asks_for_its_first_symbol_and_tells_it(rng):
    task = DelayedRecall(6, symbols=3)
    inputs, labels, context = task.draw(20, rng)
    assert inputs.shape == (20, 7, 4) and (inputs.sum(axis=-1) == 1).all()
    assert (labels[:, :-1] == -1).all() and set(labels[:, -1]) == {0, 1, 2}
    np.testing.assert_array_equal(inputs[:, 0].argmax(-1), labels[:, -1])
    np.testing.assert_array_equal(inputs[..., 3], np.arange(7) == 6 + np.zeros((20, 1)))
    np.testing.assert_array_equal(context.argmax(-1), np.repeat(labels[:, -1:], 7, axis=1))
    distractors = inputs[:, 1:-1, :3].argmax(-1)
    assert set(distractors.ravel()) == {0, 1, 2}
    assert DelayedRecall(6, with_label=False).draw(2, rng).context is None


def test_delayed_recall_with_a_lead_marks_the_symbol_that_it_means(rng):
    inputs, labels, context = DelayedRecall(6, symbols=3, lead=4).draw(400, rng)
    assert inputs.shape == (400, 11, 4)
    marked = (inputs[..., 3] == 1) & (inputs[..., :3].sum(axis=-1) == 1)
    assert (marked.sum(axis=1) == 1).all() and (inputs[:, -1] == [0, 0, 0, 1]).all()
    at = marked.argmax(axis=1)
    assert set(at) == {0, 1, 2, 3, 4}
    np.testing.assert_array_equal(inputs[np.arange(400), at, :3].argmax(-1), labels[:, -1])
    np.testing.assert_array_equal(context.argmax(-1), np.repeat(labels[:, -1:], 11, axis=1))
    others = inputs[~marked][:, :3].sum(axis=-1)
    assert ((others == 1) | (inputs[~marked][:, 3] == 1)).all()  # distractors, and the cue
    assert not inputs[~marked][..., 3][others == 1].any()  # of which none is marked


@pytest.mark.parametrize("symbols, repeats", [(1, 1), (4, 1), (3, 3), (20, 2)])
def test_copying_asks_for_its_symbols_and_tells_those_read(rng, symbols, repeats):
    """Tick by tick, in plain words."""
    task = Copying(repeat=True, context="own")
    task.symbols, task.repeats = symbols, repeats
    inputs, labels, context = task.draw(5, rng)
    length = symbols + 1 + symbols * repeats
    assert inputs.shape == (5, length, 2) and task.length == symbols * repeats
    for e in range(5):
        signs = inputs[e, :symbols, 0]
        assert set(signs) <= {-1, 1} and not inputs[e, symbols:, 0].any()
        assert inputs[e, symbols, 1] == repeats and inputs[e, :, 1].sum() == repeats
        assert (labels[e, : symbols + 1] == -1).all()
        np.testing.assert_array_equal(2 * labels[e, symbols + 1 :] - 1, np.tile(signs, repeats))
        for t in range(length):
            for k in range(HORIZON):
                due = t + 1 + k
                which = (due - symbols - 1) % symbols
                known = symbols < due < length and which <= t
                assert context[e, t, HORIZON + k] == known
                assert context[e, t, k] == (signs[which] if known else 0)


def test_shuffled_context_has_the_masks_and_nothing_of_the_symbols(rng):
    own, other = Copying(context="own"), Copying(context="shuffled")
    own.symbols = other.symbols = 6
    _, _, true = own.draw(4000, rng)
    _, labels, context = other.draw(4000, rng)
    np.testing.assert_array_equal(context[0, :, HORIZON:], true[0, :, HORIZON:])
    told, answers = context[:, 6, :6], 2 * labels[:, 7:] - 1  # at the sign to go all are told
    assert abs(told).min() == 1
    correlation = told.T @ answers / 4000
    assert abs(correlation).max() < 0.08  # five standard deviations
    # Within an episode it is always the same story.
    np.testing.assert_array_equal(context[:, 6, 1:6], context[:, 7, :5])


def test_the_curriculum_of_repeat_copy_takes_turns():
    task, seen = Copying(repeat=True), []
    for _ in range(5):
        seen.append((task.symbols, task.repeats))
        task.longer()
    assert seen == [(1, 1), (2, 1), (2, 2), (3, 2), (3, 3)]
    plain = Copying()
    plain.longer()
    plain.longer()
    assert (plain.symbols, plain.repeats, plain.length) == (3, 1, 3)
    with pytest.raises(ValueError, match="context: expected none, own or shuffled"):
        Copying(context="other")


def test_readers_of_a_text_ask_for_the_next_character():
    codes = np.arange(10) % 4
    readers = windows(codes, 4, 2, 3)
    text = np.concatenate([codes, codes])
    for k in range(6):
        x, y = next(readers)
        for b, begin in enumerate((0, 5)):
            at = (begin + 3 * k) % 10
            np.testing.assert_array_equal(x.inputs[:, b].argmax(-1), text[at : at + 3])
            np.testing.assert_array_equal(y[:, b], np.roll(codes, -1)[(at + np.arange(3)) % 10])
        assert x.starts[0].all() == (k == 0) and not x.starts[1:].any() and not x.ends.any()


def test_pythons_reference_is_a_text_with_a_part_held_out():
    text = python_reference()
    assert len(text.train) > 8 * len(text.held_out) > 200_000
    assert {*text.train, *text.held_out} == set(range(len(text.alphabet)))
    assert "".join(text.alphabet[c] for c in text.train[:3000]).count("assert") > 3
