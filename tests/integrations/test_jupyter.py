"""What a notebook shows of readers and infos, through IPython's own formatters."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pictures import pixels

import caufc
from caufc.integrations import jupyter

from .neighbours import neighbour, python

interactive = neighbour("IPython.core.interactiveshell")

Floats = NDArray[np.float32]


@pytest.fixture(scope="module")
def shell() -> Iterator[Any]:
    """A shell with the extension."""
    made = interactive.InteractiveShell()
    made.run_line_magic("load_ext", "caufc.integrations.jupyter")
    yield made
    made.run_line_magic("unload_ext", "caufc.integrations.jupyter")


def shown(shell: Any, thing: Any) -> str:
    """The HTML of a cell's result."""
    return str(shell.display_formatter.format(thing)[0].get("text/html", ""))


def pictures(html: str) -> list[NDArray[np.uint8]]:
    """The pictures in some HTML, as pixels ``[H, W, 3]``."""
    found = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    return [pixels(base64.b64decode(data)) for data in found]


def test_a_reader_is_a_table_and_a_picture(shell: Any, minilm: Sequence[Floats], tmp_path: Path) -> None:
    caufc.save(tmp_path / "a.cauf", minilm, layout="n c", quality=50)
    with caufc.open(tmp_path / "a.cauf") as reader:
        html = shown(shell, reader)
    assert "a.cauf</b>" in html and "14 samples" in html and "quality 50" in html and "<td>? x 384</td>" in html
    (drawn,) = pictures(html)
    assert drawn.shape == (len(minilm[0]), 384 // 2, 3), "each column is the larger of two"
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) > 50


def test_an_info_is_a_table(shell: Any, minilm: Sequence[Floats]) -> None:
    html = shown(shell, caufc.inspect(caufc.encode({"small": minilm[0][:2], "large": minilm[1]}, layout="n c")))
    assert "<td>small</td>" in html and "<td>large</td>" in html and not pictures(html)
    small, large = (int(width) for width in re.findall(r"width:(\d+)px", html))
    assert small < large == jupyter.BAR


def test_a_map_is_drawn_over_its_grid(shell: Any, efficientnet: Floats) -> None:
    maps = efficientnet[0, :64].copy()
    maps[:, 2, 5] = 100
    with caufc.open(caufc.encode({"map": maps, "note": "text"}, layout={"map": "c h w"})) as reader:
        (drawn,) = pictures(shown(shell, reader))
    red = drawn[..., 0].astype(int) - drawn[..., 1]
    assert red.shape == (7, 7) and divmod(int(red.argmax()), 7) == (2, 5)


@pytest.mark.parametrize(
    "features",
    [
        np.float32(3),
        np.zeros((0, 4), np.float32),
        np.arange(9),
        np.full((4, 4), np.inf, np.float32),
        {"a": {"b": [np.ones(3, np.float16), "text"]}, "n": None},
        [{"x": np.ones((2, 3), bool), "y": "one"}, {"x": np.ones((5, 3), bool), "y": "two"}],
        {f"t{number}": np.ones((2, number), np.float32) for number in range(1, 40)},
    ],
    ids=lambda value: str(type(value).__name__),
)
def test_everything_is_shown(shell: Any, features: Any) -> None:
    with caufc.open(caufc.encode(features, nonfinite="keep")) as reader:
        html = shown(shell, reader)
    assert "<table>" in html and len(pictures(html)) <= jupyter.MOST_PICTURES and len(html) < 100_000


def test_torch_is_drawn_too(shell: Any, vectors: Floats) -> None:
    torch = neighbour("torch")
    with caufc.open(caufc.encode(torch.from_numpy(vectors[:9].copy()).bfloat16(), layout="b c")) as reader:
        assert len(pictures(shown(shell, reader))) == 1


def test_names_of_strangers_are_text(shell: Any) -> None:
    data = caufc.encode({"<script>": np.ones((4, 3), np.float32)}, meta={"a": "<b>"})
    with caufc.open(data) as reader:
        html = shown(shell, reader)
    assert "<script>" not in html and "&lt;script&gt;" in html


def test_what_cannot_be_shown_is_told(
    shell: Any, vectors: Floats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    caufc.save(tmp_path / "a.cauf", vectors, layout="b c", chunk=100)
    with caufc.open(tmp_path / "a.cauf") as reader:
        monkeypatch.setattr(jupyter, "MOST_BYTES", 1000)
        assert "<table>" in shown(shell, reader) and not pictures(shown(shell, reader))
        monkeypatch.undo()
    assert "closed" in shown(shell, reader)
    data = bytearray((tmp_path / "a.cauf").read_bytes())
    data[len(data) // 8] ^= 1
    (tmp_path / "b.cauf").write_bytes(data)
    with caufc.open(tmp_path / "b.cauf") as broken:
        assert "b.cauf</b>" in shown(shell, broken) and "damaged" in shown(shell, broken)


def test_the_extension_can_be_left(vectors: Floats) -> None:
    made = interactive.InteractiveShell()
    info = caufc.inspect(caufc.encode(vectors[:9], layout="b c"))
    assert not shown(made, info)
    made.run_line_magic("load_ext", "caufc.integrations.jupyter")
    assert shown(made, info)
    made.run_line_magic("unload_ext", "caufc.integrations.jupyter")
    assert not shown(made, info) and "Info(" in made.display_formatter.format(info)[0]["text/plain"]


def test_it_does_not_import_ipython(tmp_path: Path) -> None:
    code = "import sys, caufc.integrations.jupyter; print('IPython' in sys.modules)"
    assert python(code, tmp_path) == "False"
