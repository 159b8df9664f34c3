"""``caufc show``: where pages go, what is refused, what is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Run


@pytest.fixture
def encoded(run: Run, maps: Path) -> str:
    assert run("encode", maps, "--layout", "b c h w").code == 0
    return "maps.cauf"


def test_a_page_beside_the_file(run: Run, encoded: str) -> None:
    ran = run("show", encoded)
    page = Path("maps.html").read_text("utf-8")
    assert (ran.code, ran.err) == (0, "")
    assert (
        ran.out == f"maps.cauf -> maps.html: 6 of 6 samples of 1 tensor, {len(page):,} B ({len(page) / 1e3:.1f} kB)\n"
    )
    assert "<h1>maps.cauf</h1>" in page and "tokens as colours" in page
    again = run("show", encoded)
    assert (again.code, again.lines) == (1, ["caufc: maps.html: exists already; use --force"])
    assert run("show", encoded, "-f", "--quiet").out == ""


def test_a_page_elsewhere(run: Run, encoded: str) -> None:
    ran = run("show", encoded, "-o", "page.html", "--original", "maps.npy", "--sample", "-1", "--samples", 2)
    page = Path("page.html").read_text("utf-8")
    assert ran.code == 0 and "sample 5: SNR" in page and "decoded minus original" in page
    piped = run("show", "-", stdin=Path(encoded).read_bytes())
    assert (
        piped.code == 0 and piped.out.startswith("<!doctype html>") and piped.err.startswith("- -> -: 6 of 6 samples")
    )
    assert run("show", encoded, "-o", "-").out_bytes.startswith(b"<!doctype html>")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("missing.cauf",), 1, "missing.cauf: no such file"),
        (("maps.cauf", "--sample", "6"), 2, "maps.cauf: has no sample '6'; give a number from 0 to 5"),
        (("maps.cauf", "--sample", "a"), 2, "maps.cauf: has no sample 'a'; give a number from 0 to 5"),
        (("maps.cauf", "--sample", "--5"), 2, "maps.cauf: has no sample '--5'; give a number from 0 to 5"),
        (("maps.cauf", "--original", "maps.npy", "-o", "maps.npy", "-f"), 2, "maps.npy: is both input and output"),
        (("maps.cauf", "--samples", "0"), 2, "0 is not in the range x>=1"),
        (("maps.cauf", "--only", "x"), 2, "no tensor 'x'"),
        (("maps.cauf", "--original", "none.npy"), 1, "none.npy: no such file"),
        (("maps.cauf", "-o", "none/page.html"), 1, "none/page.html: its folder does not exist"),
        (("maps.cauf", "-o", "maps.cauf"), 2, "maps.cauf: is both input and output"),
        (("maps.npy",), 3, "maps.npy"),
    ],
)
@pytest.mark.usefixtures("encoded")
def test_what_is_refused(run: Run, words: tuple[str, ...], code: int, message: str) -> None:
    ran = run("show", *words)
    assert ran.code == code and len(ran.lines) == 1 and message in ran.err
    assert not list(Path().glob("*.html"))


def test_damage_is_told(run: Run, encoded: str) -> None:
    data = bytearray(Path(encoded).read_bytes())
    data[len(data) // 2] ^= 1
    Path("bad.cauf").write_bytes(data)
    ran = run("show", "bad.cauf")
    assert ran.code == 3 and "bad.cauf: damaged" in ran.err and not Path("bad.html").exists()
