"""What all tests share: a seeded generator, and the option that checks a layer of your own."""

from __future__ import annotations

import signal
import sys

import numpy as np
import pytest
from cases import CASES
from user_cases import layer_case, sg_case

USER_CASES = pytest.StashKey[list]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--layer", action="append", default=[], metavar="MODULE:NAME",
        help="gradient-check a layer of your own too (tests/gradcheck); may be repeated",
    )
    parser.addoption(
        "--sg", action="append", default=[], metavar="MODULE:NAME",
        help="check an SG model of your own too (tests/gradcheck); may be repeated",
    )
    parser.addoption(
        "--stress", type=int, default=200, metavar="N",
        help="random short parallel runs in tests/parallel/test_stress.py (default: 200), and a "
        "tenth as many complete unlocks in test_unlocked_workers.py",
    )


def pytest_configure(config: pytest.Config) -> None:
    # A shell starts its background jobs deaf to Ctrl-C, and tests of Ctrl-C would wait for ever.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    layers, models = config.getoption("layer"), config.getoption("sg")
    if layers or models:
        sys.path.insert(0, str(config.invocation_params.dir))
    config.stash[USER_CASES] = [*map(layer_case, layers), *map(sg_case, models)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "gradient_case" in metafunc.fixturenames:
        cases = CASES + metafunc.config.stash[USER_CASES]
        metafunc.parametrize("gradient_case", cases, ids=lambda case: case.name)


@pytest.fixture
def stress(request: pytest.FixtureRequest) -> int:
    return request.config.getoption("stress")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20170305)
