"""Prepared coders: messages that are files, equal to what encode writes, small, safe, and the same from any thread."""

from __future__ import annotations

import itertools
import pickle
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import caufc
from caufc.bitstream import Section, block_bytes, section_bytes
from caufc.catalog import find_profile
from caufc.coders.control import quality_in
from caufc.coders.prelude import read_prelude
from caufc.encoder.message_writer import MOST_SHAPES, MessageTensor
from caufc.encoder.outliers import Typical
from caufc.encoder.profiled_plan import Steps, profiled_plans
from caufc.encoder.separator import OutlierSeparator
from caufc.limits import DEFAULT_LIMITS

ROOT = Path(__file__).resolve().parents[1]
MOST_MORE = 72
"""Bytes that a message may take more than its share of a batch."""

Floats = NDArray[np.float32]


def decibels(one: Any, other: Any) -> float:
    """The SNR of some arrays."""
    values, error = np.float64(one), np.float64(one) - np.float64(other)
    return float(10 * np.log10(np.square(values).sum() / np.square(error).sum()))


@pytest.fixture(scope="module")
def tokens(minilm: Sequence[Floats]) -> Floats:
    """Vectors of a network ``[B, 384]``."""
    found: Floats = np.concatenate(minilm)
    return found


@pytest.fixture(scope="module")
def vectors(tokens: Floats) -> caufc.Coder:
    """Of such vectors."""
    return caufc.Coder.fit(tokens[::2], layout="b c")


@pytest.fixture(scope="module")
def texts(minilm: Sequence[Floats]) -> caufc.Coder:
    """Of texts of any length."""
    return caufc.Coder.fit(minilm, layout="n c")


@pytest.mark.parametrize("quality", [25, 50, "high"])
def test_messages_are_files_that_everybody_reads(tokens: Floats, quality: Any) -> None:
    coder = caufc.Coder.fit(tokens[::2], layout="b c", quality=quality)
    for sample in tokens[1:8:2]:
        message = coder.encode(sample)
        decoded = coder.decode(message)
        assert decoded.shape == sample.shape and decoded.dtype == sample.dtype
        np.testing.assert_array_equal(caufc.decode(message, profile=coder.profile), decoded)
        assert caufc.verify(message, deep=True, profile=coder.profile).samples == 1
        assert caufc.inspect(message, profile=coder.profile).content == "single"


def test_the_reference_decoder_reads_messages(vectors: caufc.Coder, tokens: Floats, tmp_path: Path) -> None:
    (tmp_path / "a.cauf").write_bytes(vectors.encode(tokens[3]))
    (tmp_path / "a.caufp").write_bytes(vectors.profile)
    command = [sys.executable, "-m", "spec.reference", "--profile", "a.caufp", "-o", "a.npz", "a.cauf"]
    environment = {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (values,) = np.load(tmp_path / "a.npz").values()
    np.testing.assert_allclose(values.ravel(), vectors.decode(vectors.encode(tokens[3])), atol=1e-4)


@pytest.mark.parametrize("quality", [None, 40, 60, 75])
def test_messages_are_what_encode_writes(tokens: Floats, minilm: Sequence[Floats], quality: Any) -> None:
    made = caufc.Coder.fit(tokens[::2], layout="b c"), caufc.Coder.fit(minilm[::2], layout="n c", quality=quality)
    for coder, samples, layout in zip(made, (tokens[1:8:2], minilm[1::2]), ("c", "n c"), strict=True):
        other = caufc.Coder(coder.profile, quality=quality)
        for sample in samples:
            options: dict[str, Any] = {"profile": coder.profile, "quality": quality, "embed_profile": False}
            assert other.encode(sample) == caufc.encode(sample, layout=layout, **options)


@pytest.mark.parametrize("quality", [26, 42, 66, 90])
def test_a_profile_has_tables_for_other_qualities_too(quality: float, minilm: Sequence[Floats]) -> None:
    """Messages take about their share of a batch, which may have tables of its own."""
    coder = caufc.Coder(caufc.Coder.fit(minilm[::2], layout="n c").profile, quality=quality)
    batch = caufc.encode(minilm[1::2], layout="n c", profile=coder.profile, embed_profile=False, quality=quality)
    messages = [len(coder.encode(sample)) - 64 for sample in minilm[1::2]]
    assert sum(messages) < 1.07 * len(batch)


@pytest.mark.parametrize("quality", [25, 50, 75])
def test_a_message_takes_little_more_than_its_share_of_a_batch(tokens: Floats, quality: float) -> None:
    coder = caufc.Coder.fit(tokens, layout="b c", quality=quality)
    batch = caufc.encode(tokens, layout="b c", quality=quality, profile=coder.profile, embed_profile=False)
    messages = [coder.encode(sample) for sample in tokens]
    assert sum(map(len, messages)) <= len(batch) + MOST_MORE * len(tokens)
    decoded = np.stack([coder.decode(message) for message in messages])
    same_quantizer = quality > 25  # at low rates a batch may have the other kind
    assert decibels(tokens, decoded) > decibels(tokens, caufc.decode(batch, profile=coder.profile)) - (
        0.3 if same_quantizer else 1.2
    )


def test_another_quality_than_the_profiles_takes_little_more() -> None:
    """Classes follow the steps, so that tables fit nearly as they did: half as many bytes more without."""
    rng = np.random.default_rng(1)
    samples = (rng.normal(size=(4000, 96)) * 2.0 ** (-np.arange(96) / 8)).astype(np.float32)
    fitted = {quality: caufc.Coder.fit(samples, layout="b c", quality=quality) for quality in (50, 66)}
    moved = caufc.Coder(fitted[50].profile, quality=66)
    sizes = [sum(len(coder.encode(sample)) for sample in samples[:60]) for coder in (fitted[66], moved)]
    assert sizes[1] < 1.25 * sizes[0]


def test_a_profile_tells_the_quality_that_it_was_made_for(tokens: Floats) -> None:
    made = [caufc.Coder.fit(tokens, layout="b c", quality=quality).profile for quality in (25, 50)]
    assert [quality_in(find_profile(data).header.control) for data in made] == [25, None]
    assert [quality_in(code) for code in ("q30.5", "snr30", "q", "q50/token", "lossless", "x", None)] == [
        30.5,
        *[None] * 6,
    ]


def test_one_coder_serves_samples_of_any_length(texts: caufc.Coder, minilm: Sequence[Floats]) -> None:
    messages = [texts.encode(text) for text in minilm]
    begin = messages[0][: read_prelude(iter(messages[:1]), DEFAULT_LIMITS).length]
    for text, message in zip(minilm, messages, strict=True):
        assert message.startswith(begin)
        decoded = texts.decode(message)
        assert decoded.shape == text.shape and decibels(text, decoded) > 18
        np.testing.assert_array_equal(decoded, caufc.decode(message, profile=texts.profile))


def test_lengths_may_differ_from_a_profile_of_one_length(minilm: Sequence[Floats]) -> None:
    coder = caufc.Coder.fit(np.stack([text[:7] for text in minilm]), layout="b n c")
    for length in (1, 7, 12):
        decoded = coder.decode(coder.encode(minilm[5][:length]))
        assert decoded.shape == (length, 384) and decibels(minilm[5][:length], decoded) > 18
    assert coder.decode(coder.encode(minilm[0][:0])).shape == (0, 384)


def test_what_is_kept_ready_is_bounded(texts: caufc.Coder, minilm: Sequence[Floats]) -> None:
    copy = pickle.loads(pickle.dumps(texts))
    text = np.concatenate(minilm)
    lengths = list(range(1, MOST_SHAPES + 40))
    for length in lengths:
        copy._writer.write(0, [_tensor(text[:1].repeat(length, axis=0)[:, :384])])
    assert len(copy._writer._known) == MOST_SHAPES
    assert copy.encode(minilm[2]) == texts.encode(minilm[2])


def _tensor(array: Floats) -> MessageTensor:
    return MessageTensor(array, "fp32", "numpy")


def test_samples_may_be_dicts(tokens: Floats) -> None:
    pairs = [{"a": tokens[i], "b": {"mask": tokens[i + 1] > 0, "size": 3}} for i in range(0, 60, 2)]
    coder = caufc.Coder.fit(pairs[::2], layout={"a": "c"})
    found = coder.decode(coder.encode(pairs[1]))
    assert list(found) == ["a", "b"] and found["b"]["size"] == 3
    np.testing.assert_array_equal(found["b"]["mask"], pairs[1]["b"]["mask"])
    assert decibels(pairs[1]["a"], found["a"]) > 18
    other = {**pairs[1], "b": {**pairs[1]["b"], "size": 4}}
    assert coder.decode(coder.encode(other))["b"]["size"] == 4
    out = {"a": np.zeros(384, np.float32), "b": {"mask": np.zeros(384, np.bool_), "size": 3}}
    assert coder.decode(coder.encode(pairs[1]), out=out) is out
    np.testing.assert_array_equal(out["a"], found["a"])
    np.testing.assert_array_equal(out["b"]["mask"], found["b"]["mask"])
    with pytest.raises(caufc.InputError, match=r"holds tensors 'a', the profile is for 'a', 'b\.mask'"):
        coder.encode({"a": tokens[0]})
    with pytest.raises(caufc.InputError, match=r"mask.*is fp32, the profile is for bool"):
        coder.encode({"a": tokens[0], "b": {"mask": tokens[0], "size": 3}})


def test_dicts_go_by_name_not_by_order(tokens: Floats, tmp_path: Path) -> None:
    pairs = [{"wide": tokens[i], "more": {"narrow": tokens[i + 1][:64], "note": "n"}} for i in range(0, 60, 2)]
    turned = [{"more": {"note": "n", "narrow": pair["more"]["narrow"]}, "wide": pair["wide"]} for pair in pairs]
    coder = caufc.Coder.fit(pairs, layout={"wide": "c", "more.narrow": "c"})
    assert coder.encode(turned[0]) == coder.encode(pairs[0])
    files = [caufc.encode(samples, profile=coder.profile) for samples in (pairs, turned)]
    assert files[0] == files[1]
    np.testing.assert_array_equal(caufc.decode(files[1])[3]["wide"], caufc.decode(files[0])[3]["wide"])
    for name, samples in (("a", pairs), ("b", turned)):
        with caufc.writer(tmp_path / name, profile=coder.profile) as writer:
            for sample in samples:
                writer.add({key: sample[key] if key == "wide" else {"narrow": sample[key]["narrow"]} for key in sample})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_stacks_are_coded_as_one() -> None:
    rng = np.random.default_rng(5)
    shared = rng.normal(size=(600, 24)).astype(np.float32) @ rng.normal(size=(24, 64)).astype(np.float32)
    batch = {f"layer{i}": shared + rng.normal(0, 0.02, shared.shape).astype(np.float32) for i in range(3)}
    coder = caufc.Coder.fit(batch, layout="b c")
    assert [record.leader for record in find_profile(coder.profile).header.tensors or ()] == [None, 0, 0]
    sample = {name: values[5] for name, values in batch.items()}
    options: dict[str, Any] = {"profile": coder.profile, "embed_profile": False, "layout": "c"}
    message = coder.encode(sample)
    assert message == caufc.encode(sample, **options)
    decoded = coder.decode(message)
    assert all(decibels(sample[name], decoded[name]) > 18 for name in sample)


def test_outliers_change_nothing_for_the_rest(vectors: caufc.Coder, texts: caufc.Coder, tokens: Floats) -> None:
    sample = tokens[5].copy()
    before = decibels(sample[1:], vectors.decode(vectors.encode(sample))[1:])
    for outlier in (3e4, -1e9, 1e30):
        sample[0] = outlier
        decoded = vectors.decode(vectors.encode(sample))
        assert abs(decoded[0] / outlier - 1) < 1e-6
        assert decibels(sample[1:], decoded[1:]) > before - 1
    text = tokens[:20].copy()
    text[0] *= 5000
    plain, loud = (texts.decode(texts.encode(part)) for part in (tokens[:20], text))
    assert decibels(text[1:], loud[1:]) > decibels(text[1:], plain[1:]) - 1
    assert decibels(text[0], loud[0]) > 18


def test_an_outlier_stays_out_of_a_basis_of_few_vectors() -> None:
    rng = np.random.default_rng(2)
    samples = (rng.normal(size=(3000, 6)) @ rng.normal(size=(6, 64))).astype(np.float32)
    coder = caufc.Coder.fit(samples, layout="b c")
    sample = samples[3].copy()
    before = decibels(sample[1:], coder.decode(coder.encode(sample))[1:])
    sample[0] = 3e4
    decoded = coder.decode(coder.encode(sample))
    assert decoded[0] == 3e4 and decibels(sample[1:], decoded[1:]) > before - 3


@pytest.mark.parametrize("quality", [25, 50])
def test_what_is_drawn_from_a_profile_is_as_large_as_what_it_was_made_from(tokens: Floats, quality: float) -> None:
    profile = find_profile(caufc.Coder.fit(tokens, layout="b c", quality=quality).profile)
    (plan,) = profiled_plans(profile, Steps.of(profile, quality)).values()
    assert isinstance(plan.separator, OutlierSeparator)
    drawn, real = plan.separator.typical, Typical.of(tokens, sparse=False)
    assert 0.8 < np.median(drawn.magnitude / real.magnitude) < 1.25
    assert np.abs(drawn.centre - real.centre).max() < 2 * real.common


def test_what_is_not_finite_is_refused_or_kept(vectors: caufc.Coder, tokens: Floats) -> None:
    sample = tokens[5].copy()
    sample[3], sample[9] = np.nan, np.inf
    with pytest.raises(caufc.NonFiniteError, match=r"1 NaN and 1 Inf.*nonfinite='keep'"):
        vectors.encode(sample)
    keeping = caufc.Coder(vectors.profile, nonfinite="keep")
    decoded = keeping.decode(keeping.encode(sample))
    assert np.isnan(decoded[3]) and np.isposinf(decoded[9])
    finite = np.isfinite(sample)
    assert finite.sum() == 382 and decibels(sample[finite], decoded[finite]) > 18


def test_every_token_may_be_promised_an_snr(minilm: Sequence[Floats]) -> None:
    coder = caufc.Coder.fit(minilm, layout="n c", snr="31/token")
    for text in (*minilm, minilm[0] * np.float32(0.01)):
        decoded = coder.decode(coder.encode(text))
        assert min(decibels(one, other) for one, other in zip(text, decoded, strict=True)) >= 31


@pytest.mark.parametrize(
    ("control", "asked"),
    [
        ({"snr": 30}, "snr=30"),
        ({"max_error": 0.1}, "max_error=0.1"),
        ({"bpfp": 1}, "bpfp=1"),
        ({"lossless": True}, "lossless"),
    ],
)
def test_what_no_message_can_promise_is_refused(vectors: caufc.Coder, control: Any, asked: str) -> None:
    with pytest.raises(caufc.OptionError, match=f"{asked} does not allow.*snr='30/token'"):
        caufc.Coder(vectors.profile, **control)


@pytest.mark.parametrize("options", [{"quality": 50, "snr": "30/token"}, {"quality": 101}, {"nonfinite": "drop"}])
def test_options_are_checked(vectors: caufc.Coder, options: Any) -> None:
    with pytest.raises(caufc.InputError):
        caufc.Coder(vectors.profile, **options)


def test_profiles_are_checked(vectors: caufc.Coder, tokens: Floats) -> None:
    with pytest.raises(caufc.UnknownNameError):
        caufc.Coder("no-such-profile")
    with pytest.raises(caufc.DamagedError):
        caufc.Coder(vectors.profile[:-1] + bytes([vectors.profile[-1] ^ 1]))
    with pytest.raises(caufc.FormatError):
        caufc.Coder(vectors.encode(tokens[0]))


def test_a_message_needs_its_profile(vectors: caufc.Coder, texts: caufc.Coder, tokens: Floats) -> None:
    message = vectors.encode(tokens[0])
    with pytest.raises(caufc.MissingProfileError):
        caufc.decode(message)
    with pytest.raises(caufc.MissingProfileError):
        texts.decode(message)
    assert vectors.decode(message).shape == (384,)


def test_other_files_are_decoded_too(vectors: caufc.Coder, tokens: Floats) -> None:
    batch = caufc.encode(tokens[:9], layout="b c", profile=vectors.profile, embed_profile=False)
    np.testing.assert_array_equal(vectors.decode(batch), caufc.decode(batch, profile=vectors.profile))
    whole = caufc.encode([tokens[:9], tokens[:3]])
    for one, other in zip(vectors.decode(whole), caufc.decode(whole), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(caufc.InputError, match="not a list of samples"):
        vectors.decode(caufc.encode([tokens[:9], tokens[:3]]), out=np.zeros((9, 384), np.float32))


@pytest.mark.parametrize("shape", [(383,), (1, 384), (384, 1), ()])
def test_samples_of_another_shape_are_refused(vectors: caufc.Coder, shape: tuple[int, ...]) -> None:
    with pytest.raises(caufc.InputError, match="the profile is for samples of shape"):
        vectors.encode(np.zeros(shape, np.float32))


@pytest.mark.parametrize("sample", ["a path", 3, [1, 2], {"a": np.zeros(384, np.float32)}, np.zeros(384, np.int32)])
def test_what_is_no_such_sample_is_refused(vectors: caufc.Coder, sample: Any) -> None:
    with pytest.raises(caufc.InputError):
        vectors.encode(sample)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_samples_may_have_another_float_dtype(vectors: caufc.Coder, tokens: Floats, dtype: Any) -> None:
    decoded = vectors.decode(vectors.encode(tokens[7].astype(dtype)))
    assert decoded.dtype == dtype and decibels(tokens[7], decoded) > 18


def test_torch_comes_back_as_torch(vectors: caufc.Coder, tokens: Floats) -> None:
    torch = pytest.importorskip("torch")
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        sample = torch.from_numpy(tokens[7].copy()).to(dtype)
        message = vectors.encode(sample)
        decoded = vectors.decode(message)
        assert decoded.dtype == dtype and decibels(tokens[7], decoded.float()) > 18
        out = torch.zeros(384, dtype=dtype)
        assert vectors.decode(message, out=out) is out
        assert torch.equal(out, decoded)
    with pytest.raises(caufc.InputError, match="share memory"):
        vectors.decode(message, out=torch.zeros(1, dtype=torch.float16).expand(384))


def test_out_takes_the_values(vectors: caufc.Coder, tokens: Floats) -> None:
    message = vectors.encode(tokens[7])
    rows = np.zeros((3, 768), np.float32)
    assert vectors.decode(message, out=rows[1, ::2]).base is rows
    np.testing.assert_array_equal(rows[1, ::2], vectors.decode(message))
    assert not rows[[0, 2]].any() and not rows[1, 1::2].any()


def test_out_is_checked(vectors: caufc.Coder, tokens: Floats) -> None:
    message = vectors.encode(tokens[7])
    fixed = np.zeros(384, np.float32)
    fixed.setflags(write=False)
    for out, what in [
        (np.zeros(383, np.float32), "has shape \\[383\\], but shape \\[384\\]"),
        (np.zeros(384, np.float64), "float32 is decoded"),
        (np.broadcast_to(np.float32(0), 384), "in out="),
        (fixed, "in out="),
        ({"a": np.zeros(384, np.float32)}, "in out="),
        ([], "in out="),
    ]:
        with pytest.raises(caufc.InputError, match=what):
            vectors.decode(message, out=out)
    kept = np.full(384, 7, np.float32)
    with pytest.raises(caufc.FormatError):
        vectors.decode(message[:-1], out=kept)
    assert (kept == 7).all() or np.array_equal(kept, vectors.decode(message))


def test_paths_and_numbers_are_refused(vectors: caufc.Coder) -> None:
    with pytest.raises(caufc.OptionError, match=r"caufc\.load"):
        vectors.decode("a.cauf")  # type: ignore[arg-type]
    with pytest.raises(caufc.OptionError, match="not a int"):
        vectors.decode(7)  # type: ignore[arg-type]


def test_a_message_may_lie_in_any_buffer(vectors: caufc.Coder, tokens: Floats) -> None:
    message = vectors.encode(tokens[0])
    for buffer in (bytearray(message), memoryview(message)):
        np.testing.assert_array_equal(vectors.decode(buffer), vectors.decode(message))


def test_copies_are_equal(vectors: caufc.Coder, tokens: Floats) -> None:
    coder = caufc.Coder(vectors.profile, quality=60, nonfinite="keep")
    copy = pickle.loads(pickle.dumps(coder))
    sample = tokens[3].copy()
    sample[0] = np.nan
    message = coder.encode(sample)
    assert copy.encode(sample) == message and copy.profile == coder.profile
    np.testing.assert_array_equal(copy.decode(message), coder.decode(message))


def test_threads_may_share_a_coder(texts: caufc.Coder, minilm: Sequence[Floats]) -> None:
    coder = pickle.loads(pickle.dumps(texts))
    samples = [text[:length] for length in range(1, 9) for text in minilm]
    with ThreadPoolExecutor(8) as pool:
        messages = list(pool.map(coder.encode, samples))
        decoded = list(pool.map(coder.decode, messages))
    for sample, message, found in zip(samples, messages, decoded, strict=True):
        assert message == texts.encode(sample)
        np.testing.assert_array_equal(found, texts.decode(message))


def test_every_cut_and_flip_is_told_as_decode_tells_it(vectors: caufc.Coder, tokens: Floats) -> None:
    """Before and after the coder has seen a message that begins so."""
    message = vectors.encode(tokens[3])
    cut = [message[:length] for length in range(len(message))]
    flipped = [message[:i] + bytes([message[i] ^ 1 << i % 8]) + message[i + 1 :] for i in range(len(message))]
    for coder in (caufc.Coder(vectors.profile), vectors):
        for data in (*cut, *flipped, message + b"x", b""):
            with pytest.raises(caufc.CaufError) as wanted:
                caufc.decode(data, profile=vectors.profile)
            with pytest.raises(type(wanted.value)) as found:
                coder.decode(data)
            assert str(found.value) == str(wanted.value)


def test_a_file_that_begins_like_a_message_and_has_sections_is_read_as_it_is(
    vectors: caufc.Coder, tokens: Floats
) -> None:
    message = vectors.encode(tokens[3])
    prelude = read_prelude(iter([message]), DEFAULT_LIMITS)
    seed = prelude.stream.started().seed
    bands = block_bytes("S", section_bytes(Section(7, 0, "i1", bytes([8] * 16))), seed)
    coarser = message[: prelude.length] + bands + message[prelude.length :]
    known = vectors.decode(message)
    np.testing.assert_array_equal(vectors.decode(coarser), caufc.decode(coarser, profile=vectors.profile))
    assert not np.array_equal(vectors.decode(coarser), known)


def test_limits_hold(vectors: caufc.Coder, tokens: Floats) -> None:
    message = vectors.encode(tokens[3])
    tight = caufc.Coder(vectors.profile, limits=caufc.Limits(output_bytes=1000))
    for act in (lambda: tight.decode(message), lambda: tight.encode(tokens[3])):
        with pytest.raises(caufc.LimitError, match="output bytes"):
            act()


def test_hostile_beginnings_do_not_pile_up(vectors: caufc.Coder, tokens: Floats) -> None:
    coder = caufc.Coder(vectors.profile)
    for quality in range(30, 60):
        coder.decode(caufc.Coder(vectors.profile, quality=quality).encode(tokens[0]))
    assert 1 < len(coder._reader._kept) <= 8


@pytest.mark.skipif(find_spec("torch") is None, reason="is about torch")
def test_no_torch_is_loaded_for_numpy(vectors: caufc.Coder, tokens: Floats, tmp_path: Path) -> None:
    (tmp_path / "p.caufp").write_bytes(vectors.profile)
    np.save(tmp_path / "x.npy", tokens[0])
    code = (
        "import sys, numpy as np, caufc; coder = caufc.Coder('p.caufp'); x = np.load('x.npy');"
        "coder.decode(coder.encode(x)); print('torch' in sys.modules)"
    )
    environment = {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr


def test_maps_and_squares_go_through_too() -> None:
    rng = np.random.default_rng(3)
    maps = np.cumsum(np.cumsum(rng.normal(size=(12, 32, 16, 16)), axis=2), axis=3).astype(np.float32)
    coder = caufc.Coder.fit(maps[::2], layout="b c h w")
    for sample in maps[1::2]:
        message = coder.encode(sample)
        assert message == caufc.encode(sample, layout="c h w", profile=coder.profile, embed_profile=False)
        assert decibels(sample, coder.decode(message)) > 18


def test_pairs_of_lengths_of_several_tensors(minilm: Sequence[Floats]) -> None:
    samples = [{"x": one, "y": other} for one, other in itertools.pairwise(minilm)]
    coder = caufc.Coder.fit(samples[::2], layout="n c")
    for sample in samples[1::2]:
        found = coder.decode(coder.encode(sample))
        assert {name: part.shape for name, part in found.items()} == {name: part.shape for name, part in sample.items()}
