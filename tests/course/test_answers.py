"""The helpers of the course: what they accept, what they refuse, and how they put it."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest

from sgdni_course import ask, compare, quoted, stated, style


def test_compare_accepts_rounding_and_nothing_more(rng):
    right = rng.standard_normal((5, 3))
    compare("dW", right * (1 + 1e-13), right)
    with pytest.raises(AssertionError, match="your dW is wrong: relative error .* at index"):
        compare("dW", right + 1e-6 * rng.standard_normal((5, 3)), right)


def test_compare_names_the_worst_entry(rng):
    right = rng.standard_normal((5, 3))
    got = right.copy()
    got[3, 1] = 5 * right[3, 1]
    with pytest.raises(AssertionError, match=r"relative error 4.0e\+00 at index \(3, 1\)"):
        compare("dW", got, right)


@pytest.mark.parametrize("got, words", [
    ("three", "is no array of numbers"),
    (None, "your db is None"),
    (np.zeros(4), "expected"),
    (np.array([1.0, np.nan, 3.0]), "1 entries that are not finite"),
    (np.array([-1.0, -2.0, -3.0]), "wrong sign"),
    (np.array([0.5, 1.0, 1.5]), "0.5 times what it should be"),
    (np.zeros(3), "wrong: relative error"),
])
def test_compare_recognises_what_needs_no_list(got, words):
    with pytest.raises(AssertionError, match=words):
        compare("db", got, np.array([1.0, 2.0, 3.0]))


def test_a_listed_hint_goes_before_a_general_one():
    right = np.array([1.0, 2.0])
    with pytest.raises(AssertionError, match="^your db is divided by B$"):
        compare("db", right / 2, right, {"is divided by B": right / 2})


def test_ask_lets_errors_of_the_student_through():
    def stub(x):
        raise NotImplementedError
    with pytest.raises(NotImplementedError):
        ask(stub, np.zeros(3))


@pytest.mark.parametrize("answer, words", [
    (lambda x: None, "returned None"),
    (lambda x: x, "must return 2 values, a, b; it returned one ndarray"),
    (lambda x: (x, x, x), "it returned 3"),
    (lambda x: (x.sort(), x), "altered its argument number 1"),
])
def test_ask_refuses(answer, words):
    x = np.array([3.0, 1.0])
    with pytest.raises(AssertionError, match=words):
        ask(answer, x, parts="a b")
    assert x.tolist() == [3.0, 1.0]


@pytest.mark.parametrize("text, value, within, note", [
    ("92%", 0.925, 0.01, ""),
    ("92%", 0.90, 0.01, "Note: the text says 92%, this run gave 90.0%.\n"),
    ("0.85", 0.86, 0.02, ""),
    ("0.85", 0.5, 0.02, "Note: the text says 0.85, this run gave 0.5.\n"),
    ("1,000", 1000, 0, ""),
    ("3", float("nan"), 1, "Note: the text says 3, this run gave nan.\n"),
])
def test_quoted(text, value, within, note, capsys):
    quoted(text, value, within)
    assert capsys.readouterr().out == note


def test_quoted_refuses_what_is_no_number():
    with pytest.raises(ValueError, match="expected a number"):
        quoted("about 3", 3, 1)


def test_stated(capsys):
    stated("a  is\nb", True)
    assert capsys.readouterr().out == ""
    stated("a  is\nb", False)
    assert capsys.readouterr().out == (
        'Note: the text says "a is b", which this run contradicts.\n'
    )


def test_style_leaves_the_two_gradient_colours_free():
    from sgdni.plotting.colours import SYNTHETIC, TRUE
    with matplotlib.rc_context():
        style()
        cycle = matplotlib.rcParams["axes.prop_cycle"].by_key()["color"]
    assert len(set(cycle)) == len(cycle) >= 5
    assert not {TRUE, SYNTHETIC} & set(cycle)
