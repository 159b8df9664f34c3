"""Profiles: made, embedded, relied upon, missing, shipped."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from features.common import assert_same

import caufc
from caufc import catalog
from caufc.coders.side_files import content_id, read_profile
from caufc.encoder.options import Target
from caufc.encoder.prelude import container_prelude
from caufc.errors import InputError, MalformedError, MissingProfileError, StorageError, UnknownNameError
from caufc.features import to_source
from caufc.fit.profile import fit_profile
from caufc.limits import DEFAULT_LIMITS
from tools.attack.container import assemble, fields_of, header_bytes, split

PARAMETERS = 7
"""Number of the field in a tensor's record."""

OPTIONS: dict[str, Any] = {"layout": "b n c", "align": "mean-deviation/channel"}


@pytest.fixture
def tokens(minilm: Any) -> Any:
    return np.stack([part[:7] for part in minilm])


@pytest.fixture
def profile(tokens: Any, tmp_path: Path) -> Path:
    """A profile of token features, as a file."""
    path = tmp_path / "texts.caufp"
    path.write_bytes(fit_profile(tokens, **OPTIONS))
    return path


@pytest.fixture
def shipped(profile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The profile, as if it shipped with the package under the name ``texts``."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    digest = content_id(profile.read_bytes()).hex()
    (folder / f"{digest}.caufp").write_bytes(profile.read_bytes())
    (folder / "index.json").write_text(json.dumps({"texts": digest}))
    monkeypatch.setattr(catalog, "_PROFILES", catalog.Shelf(folder, ".caufp"))
    return profile


def test_what_a_profile_is(profile: Path) -> None:
    data = profile.read_bytes()
    header, blocks = split(data)
    assert fields_of(header)[0] == 4
    assert {tag for tag, _ in blocks} == {"S", "E"}
    read = read_profile(data, DEFAULT_LIMITS)
    assert read.id == content_id(data) == hashlib.sha256(data).digest()[:16]
    assert not read.shipped
    with pytest.raises(MalformedError) as caught:
        caufc.decode(data)
    assert caught.value.requirement == 164
    with pytest.raises(MalformedError):
        caufc.open(data)


def test_embedded_by_default(profile: Path, tokens: Any) -> None:
    data = caufc.encode(tokens, profile=profile)
    assert caufc.inspect(data).profile is None
    assert caufc.decode(data).shape == tokens.shape
    assert len([tag for tag, _ in split(data)[1] if tag == "S"]) >= 3


def test_named_if_asked(profile: Path, tokens: Any, tmp_path: Path) -> None:
    data = caufc.encode(tokens, profile=profile, embed_profile=False)
    digest = content_id(profile.read_bytes()).hex()
    with pytest.raises(MissingProfileError, match=f"needs profile {digest}, which is not here") as caught:
        caufc.decode(data)
    assert caught.value.digest == digest
    for call in (caufc.open, caufc.inspect, caufc.verify):
        with pytest.raises(MissingProfileError):
            call(data)
    found = caufc.decode(data, profile=profile)
    embedded = caufc.encode(tokens, profile=profile)
    assert_same(found, caufc.decode(embedded))
    assert len(data) < len(embedded) - 300
    assert caufc.inspect(data, profile=profile).profile == digest
    deep = caufc.verify(data, deep=True, profile=profile).symbols_sha256
    assert deep == caufc.verify(embedded, deep=True).symbols_sha256
    with caufc.open(data, profile=profile) as reader:
        assert_same(reader[3], found[3])
    (tmp_path / "a.cauf").write_bytes(data)
    assert_same(caufc.load(tmp_path / "a.cauf", profile=profile), found)


def test_a_profiles_reconstruction_points_stand(profile: Path, tokens: Any) -> None:
    """Features that need tables of their own keep them: a task may have chosen them."""
    header, blocks = split(profile.read_bytes())
    fields = fields_of(header)
    fields[5][0][PARAMETERS][1] = 13
    profile.write_bytes(assemble(header_bytes(fields), blocks))
    unlike = np.random.default_rng(0).laplace(size=(400, 7, tokens.shape[2])).astype(np.float32)
    header, blocks = split(caufc.encode(unlike, profile=profile, layout="b n c"))
    assert len([tag for tag, _ in blocks if tag == "S"]) >= 4
    assert fields_of(header)[5][0][PARAMETERS][1] == 13


def test_another_profile_does_not_do(profile: Path, tokens: Any, tmp_path: Path) -> None:
    other = tmp_path / "other.caufp"
    other.write_bytes(fit_profile(tokens[:5], **OPTIONS))
    data = caufc.encode(tokens, profile=profile, embed_profile=False)
    needed, given = (content_id(path.read_bytes()).hex() for path in (profile, other))
    said = f"needs profile {needed}, and the one that was given is another, {given}; give it with profile=..."
    with pytest.raises(MissingProfileError, match=said) as caught:
        caufc.decode(data, profile=other)
    assert (caught.value.digest, caught.value.given) == (needed, given)


@pytest.mark.parametrize(
    "control", [{}, {"quality": 20}, {"bpfp": 1}, {"snr": 15}, {"max_error": 0.1}, {"lossless": True}]
)
@pytest.mark.parametrize("kind", ["batch", "list", "single", "half", "dict"])
def test_a_profile_never_changes_what_comes_back(kind: str, control: Any, profile: Path, tokens: Any) -> None:
    """Structure, shapes and dtypes are the input's, whatever the profile was made from."""
    features: Any = {
        "batch": tokens,
        "list": [tokens[0], tokens[1, :3]],
        "single": tokens[2],
        "half": tokens.astype("f2"),
        "dict": {"x": tokens},
    }[kind]
    layout = "n c" if kind == "single" else None
    data = caufc.encode(features, profile=profile, embed_profile=False, layout=layout, **control)
    found = caufc.decode(data, profile=profile)
    if "lossless" in control:
        assert_same(found, features)
    one, other = (x["x"] if kind == "dict" else x for x in (found, features))
    for a, b in zip(one, other, strict=True):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        if "max_error" in control:
            assert np.abs(a - b).max() <= 0.1


def test_a_batch_of_one_sample_has_its_own_sizes(tokens: Any, minilm: Any, profile: Path, tmp_path: Path) -> None:
    """A message may leave sizes open that differ from the profile's, or that the profile has open; a batch may not."""
    ragged = tmp_path / "ragged.caufp"
    ragged.write_bytes(fit_profile(list(minilm), layout="n c"))
    for path, batch in ((profile, tokens[:1, :5]), (ragged, tokens[:1]), (ragged, tokens[:2])):
        data = caufc.encode(batch, profile=path, embed_profile=False)
        found = caufc.decode(data, profile=path)
        assert found.shape == batch.shape
        lone = caufc.decode(caufc.encode([*batch], profile=path, embed_profile=False), profile=path)
        if len(batch) == 1:
            np.testing.assert_array_equal(found[0], lone[0])
    with pytest.raises(InputError, match="does not fit features of 50 channels"):
        caufc.encode(tokens[:1, :, :50], profile=profile, embed_profile=False)


def test_a_lone_tensor_under_a_profile_of_a_dict(tokens: Any, tmp_path: Path) -> None:
    path = tmp_path / "dict.caufp"
    path.write_bytes(fit_profile({"hidden": tokens}, **OPTIONS))
    found = caufc.decode(caufc.encode(tokens, profile=path, embed_profile=False), profile=path)
    assert isinstance(found, np.ndarray)
    back = caufc.encode({"hidden": tokens}, profile=path, embed_profile=False)
    assert list(caufc.decode(back, profile=path)) == ["hidden"]


def test_a_profile_of_several_tensors(tokens: Any, efficientnet: Any, tmp_path: Path) -> None:
    features = {"text": tokens, "map": np.repeat(efficientnet[:, :32], 14, axis=0), "id": np.arange(14)}
    path = tmp_path / "several.caufp"
    path.write_bytes(fit_profile(features))
    data = caufc.encode(features, profile=path, embed_profile=False)
    found = caufc.decode(data, profile=path)
    assert {name: array.shape for name, array in found.items()} == {n: a.shape for n, a in features.items()}
    np.testing.assert_array_equal(found["id"], features["id"])
    with pytest.raises(InputError, match="the profile is for 3 tensors, there is 1; use another profile, or none"):
        caufc.encode(tokens, profile=path)


def test_profiles_that_do_not_fit(profile: Path, tokens: Any) -> None:
    with pytest.raises(InputError, match="does not fit features of 100 channels"):
        caufc.encode(tokens[..., :100], profile=profile)
    with pytest.raises(InputError, match="layout"):
        caufc.encode(tokens[0, 0], profile=profile)


def test_a_profile_without_parameters(tmp_path: Path, tokens: Any) -> None:
    record = [0, 0, [7, 384], "n c", None, 1]
    path = tmp_path / "bare.caufp"
    path.write_bytes(assemble(header_bytes([4, None, 0, None, None, [record]]), [("E", b"\0")]))
    with pytest.raises(InputError, match="does not fit"):
        caufc.encode(tokens, profile=path)


@pytest.mark.parametrize(
    ("fields", "blocks", "requirement"),
    [
        ([0, None, 0, None, None, [[0, 0, [2], None, None, 0]]], [("E", b"\0")], 160),
        ([4, b"0123456789abcdef", 0], [("E", b"\0")], 160),
        ([4, None, 0, None, None, [[0, 0, [2], None, None, 0]]], [("C", b"\0\1\5" + bytes(9)), ("E", b"\1")], 160),
        ([4, None, 0], [("E", b"\0")], 49),
    ],
)
def test_no_profile(fields: Any, blocks: Any, requirement: int) -> None:
    with pytest.raises(MalformedError) as caught:
        read_profile(assemble(header_bytes(fields), blocks), DEFAULT_LIMITS)
    assert caught.value.requirement == requirement


def test_a_prelude_leaves_out_what_the_profile_says(profile: Path, tokens: Any) -> None:
    read = read_profile(profile.read_bytes(), DEFAULT_LIMITS)
    from caufc.coders.resolve import resolve

    configs = resolve(read.header, read.sections, None)[1]
    header, sections = container_prelude(
        to_source(tokens).structure, configs, gain=1.0, arch=None, indexed=False, profile=read
    )
    assert (header.tensors, header.tree, header.arch, header.gain, header.profile) == (None, None, None, None, read.id)
    assert sections == []
    assert Target().kind == "quality"


def test_shipped_profiles_are_relied_upon(shipped: Path, tokens: Any) -> None:
    for name in ("texts", shipped):
        data = caufc.encode(tokens, profile=name)
        assert caufc.inspect(data).profile == content_id(shipped.read_bytes()).hex()
        assert caufc.decode(data).shape == tokens.shape
    assert catalog.shipped_profiles() == ["texts"]
    assert "texts" in catalog.profile_names()


@pytest.mark.usefixtures("shipped")
def test_a_single_sample_has_at_most_64_bytes_besides_its_payload(tokens: Any) -> None:
    data = caufc.encode(tokens[:1], profile="texts")
    header, blocks = split(data)
    assert [tag for tag, _ in blocks] == ["C", "E"]
    body = blocks[0][1]
    payload = len(body) - 2 - (2 if len(body) > 128 else 1) - 4
    assert len(data) - payload <= 64
    assert len(header) < 40


def test_names(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="unknown profile 'nothing'"):
        caufc.encode(np.ones((3, 4)), profile="nothing")
    with pytest.raises(StorageError, match="No such file"):
        caufc.encode(np.ones((3, 4)), profile=tmp_path / "none.caufp")


def test_a_name_that_no_file_can_have() -> None:
    with pytest.raises(UnknownNameError, match="unknown profile"):
        caufc.encode(np.ones((3, 4)), profile="n" * 5000)


@pytest.mark.parametrize("name", catalog.shipped_profiles())
def test_profiles_that_ship_are_named_by_their_hash(name: str) -> None:
    found = catalog.find_profile(name)
    assert found.shipped
    assert catalog._PROFILES.digests[name] == found.id.hex()
    assert catalog.lookup_of()(found.id) == found


def test_few_samples_do_not_talk_a_file_out_of_a_profiles_tables(tmp_path: Path) -> None:
    """Of sparse features, channels that a part of the file has no values of have some elsewhere."""
    rng = np.random.default_rng(0)
    active = rng.random((96, 1, 1, 512)) < 0.05
    maps = (np.maximum(rng.standard_normal((96, 6, 6, 512)), 0) * active).astype(np.float32)
    path = tmp_path / "maps.caufp"
    path.write_bytes(fit_profile(maps[48:], layout="b h w c"))
    batch = len(caufc.encode(maps[:48], layout="b h w c", profile=path, embed_profile=False))
    single = sum(len(caufc.encode(one[None], layout="b h w c", profile=path, embed_profile=False)) for one in maps[:48])
    assert batch < single


IDS = np.arange(7, dtype=np.int64)


def assert_joined(samples: Any, *parts: Any) -> None:
    """Samples hold what the dicts of several sequences do, in whatever order of names."""
    for found, *wanted in zip(samples, *parts, strict=True):
        assert found.keys() == {name for part in wanted for name in part}
        for name, value in ((name, value) for part in wanted for name, value in part.items()):
            np.testing.assert_array_equal(found[name], value)


@pytest.mark.parametrize("beside", [("text",), ("ids",), ("text", "ids", "count")])
def test_a_profile_for_features_beside_texts_and_integers(tokens: Any, profile: Path, beside: tuple[str, ...]) -> None:
    others = [
        {name: {"text": f"a{n}", "ids": IDS + n, "count": n}[name] for name in beside} for n in range(len(tokens))
    ]
    features = [{"x": part} for part in tokens]
    alone = caufc.encode(features, profile=profile)
    samples = [{**other, **feature} for other, feature in zip(others, features, strict=True)]
    data = caufc.encode(samples, profile=profile)
    assert len(data) - len(alone) < 60 * (len(beside) + 1)
    assert_joined(caufc.decode(data), others, caufc.decode(alone))
    with pytest.raises(InputError, match=r"beside what the profile is for, 1 tensor: .*leave out embed_profile=False"):
        caufc.encode(samples, profile=profile, embed_profile=False)


def test_a_stack_of_a_profile_beside_texts(tokens: Any) -> None:
    made = [{"a": part, "b": part[::-1] + 0.01 * part} for part in tokens]
    profile, texts = fit_profile(made, layout="n c"), [{"0": f"text {n}"} for n in range(len(made))]
    samples = [{**text, **sample} for text, sample in zip(texts, made, strict=True)]
    alone = caufc.decode(caufc.encode(made, profile=profile))
    assert_joined(caufc.decode(caufc.encode(samples, profile=profile)), texts, alone)


def test_what_a_profile_costs_is_told(profile: Path, tokens: Any, tmp_path: Path) -> None:
    """Embedded it may be most of a small file; and options may leave nothing of it to use."""

    def warnings(features: Any, **options: Any) -> list[str]:
        report = caufc.save(tmp_path / "x.cauf", features, profile=profile, force=True, **options)
        return [warning for warning in report.warnings if "profile" in warning]

    (few,) = warnings(tokens[:1])
    size = (tmp_path / "x.cauf").stat().st_size
    said = re.fullmatch(r"([0-9,]+) of ([0-9,]+) bytes are the profile, more than the rest: with embed_p.*", few)
    assert said is not None and int(said[2].replace(",", "")) == size
    assert size / 2 < int(said[1].replace(",", "")) < size
    assert warnings(tokens[:1], embed_profile=False) == []
    (unused,) = warnings(tokens[:1], embed_profile=False, lossless=True)
    assert unused.startswith("the file needs the profile, of which it uses nothing: other options take the place ")
    assert warnings(tokens[:1], lossless=True) == []
    (unaligned,) = warnings(tokens, embed_profile=False, align="none")
    assert re.match(r"the file needs the profile, of which it uses ([0-9]+ bytes|nothing): ", unaligned)
