"""A caufc plugin: a tiny network that sees any file as an image of 32 x 32 bytes."""

from caufc import Backbone, Tap, hookimpl


class Tiny:
    def __init__(self):
        from torch import manual_seed, nn

        manual_seed(0)
        self.front = nn.Sequential(nn.Conv2d(1, 8, 3, stride=2), nn.ReLU())
        self.back = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10))

    def prepare(self, paths):
        import torch

        return torch.tensor([list(path.read_bytes()[:1024].ljust(1024)) for path in paths]).view(-1, 1, 32, 32) / 255

    def extract(self, inputs, taps):
        return {tap: self.front(inputs).detach() for tap in taps}

    def resume(self, features, tap):
        return {"middle": self.back}[tap](features)


@hookimpl
def caufc_backbones():
    return [Backbone("stranger/tiny", [Tap("middle", "b c h w", channels=8)], load=lambda _: Tiny())]
