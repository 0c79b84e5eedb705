"""``sgdni data`` and ``sgdni data list``: the data sets; ``sgdni data download``: fetch one."""

from __future__ import annotations

import argparse

from sgdni.cli import options
from sgdni.data.catalogue import CATALOGUE
from sgdni.data.download import download

_EPILOG = """\
where data sets are looked for:
  mnist-5k   comes with sgdni
  mnist      $SGDNI_DATA/mnist/ if SGDNI_DATA is set, then the user's cache folder
  ...-sum    made of the images of the one it is named after: pairs of digits, their sum modulo 10
"""


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the ``data`` command."""
    parser = subparsers.add_parser(
        "data", help="list the data sets, or download one",
        description="List the data sets: how large they are, and where they lie or how to get\n"
        "them. Files are verified when they are loaded, not here.",
        epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.set_defaults(run=run, data_command=None)
    commands = parser.add_subparsers(dest="data_command", metavar="COMMAND", title="commands")
    commands.add_parser("list", help="list the data sets, as without a command")
    fetch = commands.add_parser(
        "download", help="fetch a data set that does not come with sgdni",
        description="Fetch a data set and verify it. Good files that are there already are kept.")
    fetch.add_argument("name", metavar="NAME", help="the data set, for example mnist")
    fetch.add_argument("--folder", metavar="DIR", type=options.path,
                       help="put the files into DIR/NAME/; sgdni finds them there if SGDNI_DATA is "
                       "DIR (default: $SGDNI_DATA if set, else the user's cache folder)")


def run(args: argparse.Namespace) -> None:
    """Do what the parsed arguments ask for; errors are raised as DataError."""
    if args.data_command == "download":
        target = download(args.name, args.folder)
        print(f"{args.name}: complete and verified in {target}")
        if args.folder is not None:
            print(f"To use it, set SGDNI_DATA to {target.parent.resolve()}")
        return
    row = "{:<12} {:>7} {:>7} {:>8}  {}".format
    print(row("name", "train", "test", "classes", "where"))
    for entry in CATALOGUE:
        n_train, n_test = entry.shapes["x_train"][0], entry.shapes["x_test"][0]
        where = entry.find() or f"not here: {entry.remedy}"
        print(row(entry.name, n_train, n_test, entry.n_classes, where))
