"""The convolutions of VGG16 as a torch module: images in, the maps of the last pool out.

Simonyan and Zisserman: Very Deep Convolutional Networks for Large-Scale Image Recognition (2014),
configuration D, with the names of torchvision's state. Depends on torch alone.
"""

from __future__ import annotations

from torch import Tensor, nn

BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""Channels and convolutions of each block, which a pool ends that halves height and width."""


class Vgg16Model(nn.Module):
    """Thirteen 3 x 3 convolutions with ReLU, in five blocks; 14 714 688 parameters."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for channels, convolutions in BLOCKS:
            for _ in range(convolutions):
                layers += nn.Conv2d(before, channels, 3, padding=1), nn.ReLU(inplace=True)
                before = channels
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 3, height, width), normalised, to (N, 512, height // 32, width // 32)."""
        maps: Tensor = self.features(images)
        return maps
