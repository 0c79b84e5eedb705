#!/usr/bin/env -S uv run --script

# /// script
# dependencies = ["nox[uv]>=2025.2.9"]
# ///
"""The project's chores, each in an environment of its own: `nox`, or `nox -s lint types`.

What follows ``--`` goes to pytest: ``nox -s tests -- tests/layers``.
"""

from __future__ import annotations

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"

# Rooms that take a minute together; the lowest versions differ in NumPy, which these use most.
FAST = ["tests/layers", "tests/synthetic", "tests/networks", "tests/schedules", "tests/gradcheck",
        "tests/training", "tests/data"]


@nox.session
def lint(session: nox.Session) -> None:
    """Lint, and look at everything else that a commit is looked at for."""
    session.install("pre-commit")
    session.run("pre-commit", "run", "--all-files", "--show-diff-on-failure", *session.posargs)


@nox.session
def types(session: nox.Session) -> None:
    """Check types."""
    session.install("-e", ".[test]")
    session.run("mypy", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests, the notebooks left out."""
    session.install("-e", ".[test]")
    session.run("pytest", "-m", "not notebooks", *session.posargs)


@nox.session(default=False)
def notebooks(session: nox.Session) -> None:
    """Execute the notebooks of the course, as they are made."""
    session.install("-e", ".[test]")
    session.run("pytest", "-m", "notebooks", *session.posargs)


@nox.session(default=False, venv_backend="uv")
def lowest(session: nox.Session) -> None:
    """Run tests with the lowest versions that setup.cfg allows."""
    session.install("--resolution=lowest-direct", "-e", ".[test]")
    # Old versions warn of what the packages that they build upon have deprecated since.
    session.run("pytest", "-W", "default::DeprecationWarning", *(session.posargs or FAST))


if __name__ == "__main__":
    nox.main()
