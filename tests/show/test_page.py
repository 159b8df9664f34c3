"""The page: it stands alone, is well formed, tells the truth in pictures, and takes strangers' names as text."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pictures import pixels

import caufc
from caufc.show import page as page_module
from caufc.show import show_file
from caufc.show.colours import RISING
from caufc.show.markup import Markup, joined, table, tag

Floats = NDArray[np.float32]


VECTORS = Path(__file__).resolve().parents[2] / "spec" / "vectors" / "1.0" / "valid"
SLOW = ("floor-latents", "floor-values")
"""As much as limits let through, of what others show as well."""


class Checked(HTMLParser):
    """What a page is made of; elements must be closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[list[str]] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((name, dict(attributes)))
        if name not in ("meta", "img"):
            self.open.append(name)
        if name == "tr":
            self.cells.append([])
        if name in ("th", "td"):
            self.cells[-1].append("")

    def handle_endtag(self, name: str) -> None:
        assert self.open.pop() == name

    def handle_data(self, data: str) -> None:
        if {"th", "td"} & set(self.open):
            self.cells[-1][-1] += data

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for found, attributes in self.elements if found == name]


def shown(features: Any, folder: Path, original: str | None = None, **options: Any) -> str:
    """The page of features."""
    show = {key: options.pop(key) for key in ("samples", "sample", "only") if key in options}
    path = folder / "x.cauf"
    caufc.save(path, features, force=True, **options)
    done = show_file(path, original=None if original is None else folder / original, force=True, **show)
    text = Path(done.output).read_text("utf-8")
    assert done.bytes == len(text.encode())
    return text


def maps_of(html: str) -> dict[str, list[NDArray[np.uint8]]]:
    """The pictures on grids by their titles: squares of special tokens, then the grid."""
    found = re.findall(r'<svg class="map"[^>]*>(.*?)</svg>', html, re.DOTALL)
    pngs = {re.search(r"<title>(.*?)</title>", svg)[1]: re.findall(r"base64,([^\"]+)", svg) for svg in found}  # type: ignore[index]
    return {title: [pixels(base64.b64decode(png)) for png in held] for title, held in pngs.items()}


def halves(special: int = 0) -> Floats:
    """Maps whose left half is one token and whose right half another, ``[4, T, 8]``, with some noise."""
    random = np.random.default_rng(0)
    grid = np.zeros((4, 6, 6, 8))
    grid[:, :, :3, 0] = 10
    grid[:, :, 3:, 1] = 10
    tokens = np.concatenate([np.full((4, special, 8), 3.0), grid.reshape(4, 36, 8)], axis=1)
    return (tokens + 0.01 * random.normal(size=tokens.shape)).astype(np.float32)


def test_tokens_are_colours_on_their_grid(tmp_path: Path) -> None:
    html = shown(halves(2), tmp_path, layout="b (2 + h w) c", quality="high")
    first, second, grid = maps_of(html)["tensor, sample 0, features: tokens as colours"]
    assert first.shape == second.shape == (1, 1, 3) and grid.shape == (6, 6, 3)
    left, right = grid[:, :3].reshape(-1, 3).astype(int), grid[:, 3:].reshape(-1, 3).astype(int)
    assert abs(left[:, 0].mean() - right[:, 0].mean()) > 150, "the first component tells the halves apart"
    assert np.ptp(left[:, 0]) < 40 and np.ptp(right[:, 0]) < 40


def test_bands_of_special_tokens_are_named(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    grid = random.normal(size=(20, 32, 32, 6)).cumsum(1).cumsum(2)[:, ::4, ::4].reshape(20, 64, 6)
    tokens = np.concatenate([random.normal(size=(20, 2, 6)), grid], axis=1).astype(np.float32)
    rows = Checked(shown(tokens, tmp_path, layout="b (2 + h w) c", snr=25)).cells
    bands = [row[0] for row in rows if len(row) == 4 and row[-1].endswith("%")]
    assert bands == [*map(str, range(8)), "first special token", "other special tokens"]


def test_an_outlying_token_is_framed_where_it_is(tmp_path: Path) -> None:
    tokens = halves()
    tokens[0, 6 * 2 + 5] *= 40
    html = shown(tokens, tmp_path, layout="b (h w) c", quality="high")
    (svg,) = re.findall(r'aria-label="tensor, sample 0: size of tokens, 1 of them outliers">(.*?)</svg>', html)
    (cell,) = re.findall(r'class="cell" x="(\d+)" y="(\d+)" width="(\d+)"', svg)
    assert [int(value) // 40 for value in cell] == [5, 2, 1]
    assert "1 of 144 tokens; 1 of them token 17 of its sample" in html


def test_the_error_is_drawn_where_it_is(tmp_path: Path) -> None:
    tokens = halves()
    changed = tokens.copy()
    changed[0, 6 * 4 + 1] += 2
    np.save(tmp_path / "other.npy", changed)
    html = shown(tokens, tmp_path, "other.npy", layout="b (h w) c", lossless=True)
    drawn = maps_of(html)
    (error,) = next(held for title, held in drawn.items() if title.startswith("tensor, sample 0: error"))
    bright = (error == RISING[-2]).all(axis=2)
    assert np.argwhere(bright).tolist() == [[4, 1]] and (error[~bright] == RISING[0]).all()
    assert {f"tensor, sample 0, {what}: tokens as colours" for what in ("original", "decoded")} <= set(drawn)
    expected = 10 * np.log10(np.square(changed).sum(dtype=float) / (8 * 4.0))
    assert f"SNR {expected:.2f} dB" in html
    of_sample = 10 * np.log10(np.square(changed[0]).sum(dtype=float) / (8 * 4.0))
    assert f"sample 0: SNR {of_sample:.2f} dB" in html and "sample 1: SNR exact" in html


def test_colours_scales_and_outliers_are_those_of_the_original(tmp_path: Path) -> None:
    tokens = halves()
    original = tokens.copy()
    original[2, 8] *= 40
    np.save(tmp_path / "original.npy", original)
    html = shown(tokens, tmp_path, "original.npy", layout="b (h w) c", lossless=True)
    assert "1 of 144 tokens; 1 of them token 8 of its sample" in html


def test_an_original_is_told_from_others(tmp_path: Path) -> None:
    tokens = halves()
    np.save(tmp_path / "fewer.npy", tokens[:3])
    np.save(tmp_path / "shorter.npy", tokens[:, :25])
    np.savez(tmp_path / "named.npz", other=tokens)
    for name in ("fewer.npy", "shorter.npy", "named.npz"):
        with pytest.raises(caufc.InputError, match=name) as told:
            shown(tokens, tmp_path, name, layout="b (h w) c")
        assert told.value.remedy and "encoded from" in told.value.remedy
    assert "named.npz: holds 'other', the container a tensor without a name; " in str(told.value)


def test_keyed_originals_are_found_by_key(tmp_path: Path) -> None:
    values = {str(number): np.full((2, 3), number, np.float32) for number in range(40)}
    arrays: dict[str, Any] = dict(reversed(values.items()))
    np.savez(tmp_path / "back.npz", **arrays)
    html = shown(values, tmp_path, "back.npz", keyed=True, lossless=True, sample=["7"])
    assert "none: every value that was looked at is exact" in html
    with pytest.raises(caufc.InputError, match="has no sample 'x'"):
        shown(values, tmp_path, keyed=True, sample=["x"])


def features_of(minilm: Sequence[Floats], efficientnet: Floats) -> dict[str, tuple[Any, dict[str, Any]]]:
    return {
        "maps": (np.concatenate([efficientnet[:, :48]] * 3), {"layout": "b c h w"}),
        "texts": (list(minilm), {"layout": "n c"}),
        "vectors": (np.concatenate(minilm), {"layout": "b c"}),
        "video": (np.random.default_rng(0).normal(size=(2, 3, 4, 4, 6)).astype("f4"), {"layout": "b t h w c"}),
        "mixed": ([{"a": np.ones((2, 3), bool), "b": f"{number}", "c": np.arange(number)} for number in range(5)], {}),
        "scalar": (np.float32(3), {}),
        "nothing": (np.zeros((0, 4), np.float32), {}),
        "infinite": (np.full((4, 4), np.inf, np.float32), {"nonfinite": "keep"}),
        "lossless": (efficientnet[:, :9].astype(np.float16), {"lossless": True, "layout": "b c h w"}),
        "huge": (np.random.default_rng(0).normal(size=(3, 9, 4)) * 1e307, {"lossless": True, "layout": "b n c"}),
        "large": (np.full((5, 6), 3e38, np.float32) * np.eye(5, 6, dtype="f4"), {"lossless": True, "layout": "b c"}),
        "many": ({f"t{number}": np.ones((2, number), np.float32) for number in range(1, 40)}, {}),
    }


NAMES = (
    "maps",
    "texts",
    "vectors",
    "video",
    "mixed",
    "scalar",
    "nothing",
    "infinite",
    "lossless",
    "huge",
    "large",
    "many",
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("error")
def test_every_page_stands_alone(name: str, minilm: Sequence[Floats], efficientnet: Floats, tmp_path: Path) -> None:
    features, options = features_of(minilm, efficientnet)[name]
    html = shown(features, tmp_path, **options)
    found = Checked(html)
    assert len(html) < page_module.MOST_PAGE
    for attribute in ("src", "href"):
        addresses = [held[attribute] for _, held in found.elements if attribute in held]
        assert all(str(address).startswith("data:image/png;base64,") for address in addresses)
    assert not re.search(r"https?:|url\(|@import|<script|<link", html)
    assert "default-src 'none'" in html and "prefers-color-scheme:dark" in html and "@media print" in html
    assert all(image.get("alt") for image in found.all("img"))
    assert all(drawing.get("aria-label") and drawing.get("role") == "img" for drawing in found.all("svg"))
    assert all(head.get("scope") in ("col", "row") for head in found.all("th"))
    assert "nan" not in re.sub(r'"[^"]*"', "", html).lower().split(">")
    size = (tmp_path / "x.cauf").stat().st_size
    rows = [row for row in found.cells if row[-1:] and row[-1].endswith("%") and len(row) == 5]
    assert rows[-1][3] == f"{size:,}" and sum(int(row[3].replace(",", "")) for row in rows[:-1]) == size


def test_every_second_file_that_decoders_must_read_is_shown() -> None:
    shown_files = 0
    for path in sorted(VECTORS.glob("*.cauf"))[::2]:
        facts = json.loads(path.with_suffix(".json").read_text("utf-8"))
        if path.stem.startswith("hyperprior") or "weights" in facts or path.stem in SLOW:  # networks take torch
            continue
        stream = io.BytesIO()
        try:
            show_file(path, stream)
        except (caufc.MissingProfileError, caufc.MalformedError):
            continue
        Checked(stream.getvalue().decode())
        shown_files += 1
    assert shown_files > 60


HOSTILE = "<img src=x onerror=alert(1)>\"'&</svg></style><script>alert(2)</script>\u202e\x07"


def test_names_of_strangers_are_text(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    samples = {f"{HOSTILE}{number}": {HOSTILE: random.normal(size=(9, 4)).astype("f4")} for number in range(3)}
    html = shown(
        samples, tmp_path, keyed=True, layout={HOSTILE: "n c"}, meta={HOSTILE: HOSTILE}, sample=[f"{HOSTILE}1"]
    )
    found = Checked(html)
    assert {name for name, _ in found.elements} <= {
        *("html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "h3", "h4", "p", "div", "section"),
        *("table", "caption", "thead", "tbody", "tr", "th", "td", "span", "img", "figure", "figcaption"),
        *("svg", "rect", "text", "path", "circle", "image"),
    }
    assert not any(name.startswith("on") for _, attributes in found.elements for name in attributes)
    assert "\u202e" not in html and "\x07" not in html
    assert html.count("&lt;script&gt;alert(2)&lt;/script&gt;") > 5


def test_what_is_looked_at_is_told(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    html = shown(values, tmp_path, layout="b c", chunk=5, samples=6)
    assert "Looked at: 6 of 50 samples, evenly spread, in 6 of 10 chunks" in html
    assert "Looked at: all 50 samples." in shown(values, tmp_path, layout="b c")
    tensors = {f"t{number}": values for number in range(9)}
    html = shown(tensors, tmp_path, layout="b c", lossless=True)
    assert "6 of 9 tensors are drawn" in html
    assert html.count("<section>") == 6
    many = {f"t{number}": values[:3, :2] for number in range(30)}
    assert "24 of 30 tensors are drawn" in shown(many, tmp_path, layout="b c", lossless=True, only=["t*"])
    html = shown(tensors, tmp_path, layout="b c", lossless=True, only=["t3", "t8"])
    assert re.findall("<section><h3>(.*?)</h3>", html) == ["t3", "t8"] and "choose with --only" not in html


def test_long_names_are_cut(tmp_path: Path) -> None:
    name = "n" * 4000
    html = shown({name: np.ones((4, 6), np.float32), "b": np.ones((4, 6), np.float32)}, tmp_path, meta={name: name})
    assert len(html) < 100_000 and "n" * 300 + "..." in html and "n" * 301 not in html


def test_named_samples_are_drawn(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(20, 9, 8)).astype(np.float32)
    drawn = re.findall("<h4>(sample [^<]*)</h4>", shown(values, tmp_path, layout="b n c"))
    assert drawn == ["sample 0", "sample 9"], "two heat maps"
    drawn = re.findall("<h4>(sample [^<]*)</h4>", shown(values, tmp_path, layout="b n c", sample=[7, -1, 3]))
    assert drawn == ["sample 7", "sample 19", "sample 3"]
    with pytest.raises(caufc.OptionError, match="17 samples to draw"):
        shown(values, tmp_path, layout="b n c", sample=range(17))


def test_a_page_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_module, "MOST_PAGE", 60_000)
    values = np.random.default_rng(0).normal(size=(6, 40, 200)).astype(np.float32)
    html = shown({f"t{number}": values for number in range(5)}, tmp_path, layout="b n c")
    assert "No room on this page for" in html and 1 <= html.count("<section>") < 5


def test_a_page_goes_to_a_stream_or_beside_the_file(tmp_path: Path) -> None:
    data = caufc.encode(np.ones((4, 3), np.float32), layout="b c")
    stream = io.BytesIO()
    done = show_file(data, stream)
    assert done.output == "-" and stream.getvalue().startswith(b"<!doctype html>")
    with pytest.raises(caufc.OptionError, match="no folder for a page"):
        show_file(data)
    with pytest.raises(caufc.OptionError, match="samples=0 is too small"):
        show_file(data, stream, samples=0)
    (tmp_path / "a.cauf").write_bytes(data)
    assert show_file(tmp_path / "a.cauf").output == str(tmp_path / "a.html")
    with pytest.raises(caufc.OutputExistsError):
        show_file(tmp_path / "a.cauf")
    with pytest.raises(caufc.OptionError, match="both input and output"):
        show_file(tmp_path / "a.cauf", tmp_path / "a.cauf", force=True)


def test_markup_is_text_unless_it_is_finished() -> None:
    assert joined("<b>", Markup("<b>")) == "&lt;b&gt;<b>"
    assert (
        tag("p", "a & b", class_='"x"', data_y=1.5, none=None) == '<p class="&quot;x&quot;" data-y="1.5">a &amp; b</p>'
    )
    made = table(("a", "b"), [("<", "1")], caption="c", numbers=1)
    assert '<th scope="row">&lt;</th><td class="number">1</td>' in made


def test_one_sample_may_be_named_alone() -> None:
    data = caufc.encode(np.random.default_rng(0).standard_normal((12, 4, 8)).astype("f4"))
    for sample in (5, "5", [5], np.int64(5)):
        page = io.BytesIO()
        show_file(data, page, sample=sample)  # type: ignore[arg-type]
        assert page.getvalue()
    cases: list[tuple[dict[str, Any], str]] = [
        ({"sample": b"5"}, "sample=b'5' is no whole number"),
        ({"sample": [1.5]}, "sample=1.5 is no whole number"),
        ({"sample": None}, "sample=None is no whole number"),
        ({"samples": "9"}, "samples='9' is no whole number"),
        ({"samples": 0}, "samples=0 is too small"),
    ]
    for options, message in cases:
        with pytest.raises(caufc.OptionError, match=message):
            show_file(data, io.BytesIO(), **options)
