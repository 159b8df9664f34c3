"""timm's families, with random weights: taps as declared, and resume undoing the cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caufc import default_manager
from caufc.errors import InputError, OptionError, PluginError, StorageError, UnknownNameError
from caufc.layouts import Layout

torch = pytest.importorskip("torch")
timm = pytest.importorskip("timm")

MODELS = [
    "test_resnet",
    "resnet18",
    "resnetv2_18",
    "resnet33ts",
    "regnetx_002",
    "test_efficientnet",
    "efficientnet_b0",
    "tf_efficientnetv2_b0",
    "test_convnext",
    "test_vit",
    "test_vit_relpos",
    "deit_tiny_distilled_patch16_224",
    "vit_small_patch16_dinov3",
    "swin_s3_tiny_224",
    "swinv2_cr_tiny_224",
]


@pytest.mark.parametrize(
    ("name", "reads"),
    [
        ("resnet50", "mean"),
        ("tf_efficientnet_lite0", "mean"),
        ("convnext_tiny", "mean"),
        ("vit_base_patch16_224", "first"),
        ("resnet50_clip", None),
        ("deit_tiny_distilled_patch16_224", None),
        ("vit_medium_patch16_reg1_gap_256", None),
        ("vit_base_patch16_siglip_224", None),
    ],
)
def test_head_is_there_where_the_classifier_reads_one_vector_of_the_last_tap(name: str, reads: str | None) -> None:
    taps = default_manager().taps(f"timm/{name}")
    assert [tap.reads for tap in taps if tap.name == "head"] == ([] if reads is None else [reads])
    assert {tap.reads for tap in taps if tap.name != "head"} == {"tokens"}, "what a name does not tell is kept"
    with torch.device("meta"):
        model = timm.create_model(name)
    pool = getattr(model.head, "global_pool", None) if reads == "mean" and "convnext" in name else model.global_pool
    assert reads is None or getattr(pool, "pool_type", pool) == {"mean": "avg", "first": "token"}[reads]


def random_images(model: Any, count: int = 1) -> Any:
    size = timm.data.resolve_model_data_config(model)["input_size"]
    return torch.randn(count, *size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", MODELS)
def test_resume_of_what_extract_gave_is_the_whole_model(name: str) -> None:
    torch.manual_seed(0)
    arch = f"timm/{name}?pretrained=false"
    manager = default_manager()
    taps, runtime = manager.taps(arch), manager.runtime(arch)
    model = runtime._runtime.model  # type: ignore[attr-defined]
    images = random_images(model)
    with torch.no_grad():
        whole = model(images)
    features = runtime.extract(images, [tap.name for tap in taps])
    assert list(features) == [tap.name for tap in taps]
    some = taps if len(taps) <= 8 else (taps[0], taps[len(taps) // 2], *taps[-2:])
    for tap in some:
        layout = Layout(tap.layout)
        given = features[tap.name].requires_grad_()
        assert given.ndim == len(layout.terms)
        assert tap.channels in (None, given.shape[layout.terms.index("c")])
        output = runtime.resume(given, tap.name)
        torch.testing.assert_close(output, whole, rtol=1e-5, atol=1e-5)
        output.square().sum().backward()
        assert given.grad is not None
        assert float(given.grad.abs().max()) > 0


@pytest.mark.parametrize(
    ("name", "layout", "depth", "channels"),
    [
        ("vit_tiny_patch16_224", "b (1 + h w) c", 12, 192),
        ("vit_base_patch16_clip_224.openai", "b (1 + h w) c", 12, 768),
        ("vit_small_patch14_dinov2.lvd142m", "b (1 + h w) c", 12, 384),
        ("vit_large_patch14_reg4_dinov2", "b (5 + h w) c", 24, 1024),
        ("vit_base_patch16_dinov3", "b (5 + h w) c", 12, 768),
        ("vit_base_patch16_siglip_224", "b (h w) c", 12, 768),
        ("vit_medium_patch16_reg4_gap_256", "b (4 + h w) c", 12, 512),
        ("vit_so400m_patch14_siglip_384", "b (h w) c", 27, 1152),
        ("vit_huge_patch14_224", "b (1 + h w) c", 32, 1280),
        ("vit_giant_patch14_dinov2", "b (1 + h w) c", 40, 1536),
        ("vit_giant_patch14_clip_224", "b (1 + h w) c", 40, 1408),
        ("vit_gigantic_patch14_clip_224", "b (1 + h w) c", 48, 1664),
        ("vit_small_patch16_36x1_224", "b (1 + h w) c", 36, 384),
        ("deit_base_distilled_patch16_384", "b (2 + h w) c", 12, 768),
        ("deit3_large_patch16_224", "b (1 + h w) c", 24, 1024),
        ("vit_relpos_base_patch16_clsgap_224", "b (1 + h w) c", 12, 768),
        ("vit_pe_lang_large_patch14_448", "b (1 + h w) c", 23, 1024),
        ("vit_unheard_of", "b (1 + h w) c", 64, None),
    ],
)
def test_a_transformer_is_read_off_its_name(name: str, layout: str, depth: int, channels: int | None) -> None:
    taps = default_manager().taps(f"timm/{name}")
    places = [tap.name for tap in taps if tap.name != "head"]
    assert places == [*(f"blocks.{number}" for number in range(depth)), "norm"]
    assert {(tap.layout, tap.channels) for tap in taps} == {(layout, channels)}


def test_static_descriptions_agree_with_the_models() -> None:
    for name in ("vit_tiny_patch16_224", "vit_pe_core_tiny_patch16_384", "swin_tiny_patch4_window7_224", "resnet50"):
        with torch.device("meta"):
            model = timm.create_model(name, pretrained=False)
        modules = dict(model.named_modules())
        assert [tap.name for tap in default_manager().taps(f"timm/{name}") if tap.name not in {*modules, "head"}] == []
        tap = default_manager().taps(f"timm/{name}")[0]
        assert Layout(tap.layout).special == getattr(model, "num_prefix_tokens", 0)


def test_taps_of_cnns() -> None:
    manager = default_manager()
    layer4 = manager.find_tap("timm/resnet50", "layer4")
    assert (layer4.layout, layer4.channels) == ("b c h w", 2048)
    assert manager.find_tap("timm/resnet18.a1_in1k", "layer4").channels == 512
    assert manager.find_tap("timm/efficientnet_lite0", "last").channels == 1280
    assert manager.find_tap("timm/convnextv2_base", "stages.3").channels == 1024
    assert [tap.name for tap in manager.taps("timm/regnety_032")] == ["s1", "s2", "s3", "s4", "head"]
    assert manager.find_tap("timm/swinv2_base_window8_256", "layers.1").layout == "b h w c"


def test_prepare_follows_the_models_configuration(tmp_path: Path) -> None:
    from PIL import Image

    values = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    for mode in ("RGB", "L", "RGBA", "P"):
        Image.fromarray(values).convert(mode).save(tmp_path / f"{mode}.png")
    runtime = default_manager().runtime("timm/test_resnet?pretrained=false")
    images = runtime.prepare(sorted(tmp_path.glob("*.png")))
    assert images.shape == (4, 3, 160, 160)
    assert images.dtype == torch.float32


def test_files_that_are_no_images(tmp_path: Path) -> None:
    runtime = default_manager().runtime("timm/test_resnet?pretrained=false")
    text, cut = tmp_path / "text.png", tmp_path / "cut.png"
    text.write_text("hello")
    from PIL import Image

    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(cut)
    cut.write_bytes(cut.read_bytes()[:2000])
    for path in (text, cut):
        with pytest.raises(InputError) as caught:
            runtime.prepare([path])
        assert caught.value.file == str(path)
    with pytest.raises(StorageError, match="No such file"):
        runtime.prepare([tmp_path / "missing.png"])


def test_features_that_do_not_fit() -> None:
    runtime = default_manager().runtime("timm/test_vit?pretrained=false")
    with pytest.raises(InputError, match=r"features of shape \[2, 101, 63\] do not fit the tap 'blocks.2'"):
        runtime.resume(torch.zeros(2, 101, 63), "blocks.2")
    with pytest.raises(UnknownNameError, match=r"unknown tap 'blocks\.9'"):
        runtime.resume(torch.zeros(2, 101, 64), "blocks.9")
    assert runtime.resume(np.zeros((2, 101, 64), np.float16), "blocks.2").shape == (2, 1000)


def test_a_failed_resume_leaves_the_model_whole() -> None:
    runtime = default_manager().runtime("timm/test_vit?pretrained=false")
    images = random_images(runtime._runtime.model)  # type: ignore[attr-defined]
    before = runtime.extract(images, ["norm"])["norm"]
    with pytest.raises(InputError):
        runtime.resume(torch.zeros(2, 3, 5), "blocks.2")
    assert torch.equal(runtime.extract(images, ["norm"])["norm"], before)


def test_weights_of_a_file(tmp_path: Path) -> None:
    torch.manual_seed(1)
    model = timm.create_model("test_resnet", pretrained=False)
    path, other = tmp_path / "weights.pt", tmp_path / "other.pt"
    torch.save(model.state_dict(), path)
    torch.save({"strange": torch.zeros(1)}, other)
    runtime = default_manager().runtime(f"timm/test_resnet?checkpoint={path}")
    images = random_images(model)
    with torch.no_grad():
        expected = model.eval()(images)
    assert torch.equal(runtime.resume(runtime.extract(images, ["layer2"])["layer2"], "layer2"), expected)
    with pytest.raises(PluginError, match="do not fit"):
        default_manager().runtime(f"timm/test_resnet?checkpoint={other}")
    with pytest.raises(StorageError, match="no such checkpoint"):
        default_manager().runtime("timm/test_resnet?checkpoint=missing.pt")


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet", "test_convnext", "test_vit", "swin_s3_tiny_224"])
def test_random_weights_have_a_seed_of_their_own(name: str) -> None:
    def weights(options: str = "") -> Any:
        model: Any = default_manager().runtime(f"timm/{name}?pretrained=false{options}")._runtime.model  # type: ignore[attr-defined]
        return torch.cat([parameter.flatten() for parameter in model.parameters()])

    torch.manual_seed(5)
    state = torch.get_rng_state()
    first = weights()
    assert torch.equal(torch.get_rng_state(), state), "the caller's random numbers stay"
    torch.manual_seed(6)
    assert torch.equal(weights(), first) and not torch.equal(weights("&seed=1"), first)


def test_weights_that_would_run_code_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    torch.save({"weights": Path}, path)
    with pytest.raises(InputError, match="not a file of weights"):
        default_manager().runtime(f"timm/test_resnet?checkpoint={path}")


def test_weights_that_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_args: object, **_options: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(PluginError) as caught:
        default_manager().runtime("timm/resnet18")
    assert str(caught.value) == (
        "plugin 'timm-cnn': no pretrained weights for 'timm/resnet18': no network; "
        "give 'timm/resnet18?checkpoint=PATH', or '?pretrained=false' for random weights"
    )


@pytest.mark.parametrize(
    "arch", ["timm/resnet18?pretrain=false", "timm/resnet18?pretrained=no", "timm/resnet18?seed=-1"]
)
def test_unknown_options(arch: str) -> None:
    with pytest.raises(OptionError, match=r"unknown .*; options: pretrained=true"):
        default_manager().runtime(arch)


def test_a_name_that_timm_does_not_have() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'timm/resnet50'"):
        default_manager().runtime("timm/resnet5o")
