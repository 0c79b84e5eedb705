"""What make.py does to an executed notebook before it writes it."""

from __future__ import annotations

import base64
import io

import make
import nbformat
import numpy as np
from PIL import Image

from sgdni.plotting.colours import BLUE, SYNTHETIC


def figure(rng):
    """Return the PNG of a picture like a plot: white, two colours, and every grey."""
    pixels = np.full((60, 300, 4), 255, np.uint8)
    pixels[:20, :, :3] = rng.integers(0, 256, (20, 300, 1))
    for row, colour in ((30, BLUE), (40, SYNTHETIC)):
        pixels[row, :, :3] = list(bytes.fromhex(colour[1:]))
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")).astype(int)


def test_slim_shrinks_figures_of_cells_and_widgets_and_keeps_what_they_show():
    before = figure(np.random.default_rng(0))
    output = nbformat.v4.new_output("display_data", {"image/png": before, "text/plain": "it"})
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell("text"),
               nbformat.v4.new_code_cell("1", outputs=[output])],
        metadata={"widgets": {"application/vnd.jupyter.widget-state+json": {"state": {
            "a": {"state": {"value": 5}}, "b": {"state": {"outputs": [dict(output)]}},
        }}}},
    )
    slim = make.slim(notebook)
    states = slim.metadata.widgets["application/vnd.jupyter.widget-state+json"].state
    assert slim.cells[1].outputs[0].data["text/plain"] == "it"
    for after in (slim.cells[1].outputs[0].data["image/png"],
                  states.b.state.outputs[0].data["image/png"]):
        assert len(after) < len(before)
        assert np.abs(pixels(after) - pixels(before)).max() <= 16
    assert notebook.cells[1].outputs[0].data["image/png"] == before
