"""The two towers. Sizes follow the file limit (16 MB in all) and what two cores can train in an hour."""
import torch
import torch.nn.functional as F
from torch import nn

from common import DIM, VOCAB


class Conv(nn.Module):
    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x):
        return self.bn(self.conv(x))


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.a = Conv(width, width)
        self.b = Conv(width, width)
        nn.init.zeros_(self.b.bn.weight)  # starts as the identity

    def forward(self, x):
        return F.relu(x + self.b(F.relu(self.a(x))))


class Memory(nn.Module):
    """Draws an embedding to the vectors of the emoji that it resembles: x + strength * softmax(sharpness x W^T) W.

    Both towers end in it. The emoji's vectors are where pictures and texts were led to in training, but neither tower
    gets quite there; what is no emoji stays between many of them. Needs no training of its own.
    """

    def __init__(self, n_classes, strength, sharpness):
        super().__init__()
        self.strength, self.sharpness = strength, sharpness
        self.register_buffer("emoji", torch.zeros(n_classes, DIM))

    def forward(self, x):
        near = torch.softmax(self.sharpness * x @ self.emoji.T, 1) @ self.emoji
        return F.normalize(x + self.strength * near, dim=1)


class PictureTower(nn.Module):
    """[batch, 3, 64, 64] in (x - 0.5) * 4 to an L2-normalised embedding. Any side that 16 divides works."""

    def __init__(self, widths=(32, 64, 128, 256)):
        super().__init__()
        self.stem = Conv(3, widths[0], 2)
        stages = []
        for i, width in enumerate(widths):
            down = [Conv(widths[i - 1], width, 2), nn.ReLU()] if i else []
            stages.append(nn.Sequential(*down, Block(width)))
        self.stages = nn.Sequential(*stages)
        self.bn = nn.BatchNorm1d(2 * widths[-1])
        self.head = nn.Linear(2 * widths[-1], DIM)

    def forward(self, x):
        x = self.stages(F.relu(self.stem(x)))
        x = torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1).float()
        return F.normalize(self.head(self.bn(x)), dim=1)


class TextTower(nn.Module):
    """Token ids to an L2-normalised embedding: each token sees its neighbours, then four attention poolings."""

    def __init__(self, width=192, pools=4):
        super().__init__()
        self.embedding = nn.Embedding(VOCAB, width)
        nn.init.normal_(self.embedding.weight, std=0.05)
        self.mix = nn.Linear(3 * width, width)
        self.norm = nn.LayerNorm(width)
        self.score = nn.Linear(width, pools)
        self.hidden = nn.Linear(pools * width, 768)
        self.dropout = nn.Dropout(0.1)
        self.head = nn.Linear(768, DIM)

    def embed(self, ids):
        return self.embedding(ids)

    def forward(self, ids, mask):
        keep = mask.unsqueeze(2).to(torch.float32)
        # Padding is zero everywhere, so that the length of the batch changes no embedding.
        x = self.embed(ids) * keep
        nothing = torch.zeros_like(x[:, :1])
        left = torch.cat([nothing, x[:, :-1]], 1)
        right = torch.cat([x[:, 1:], nothing], 1)
        x = self.norm(x + F.gelu(self.mix(torch.cat([left, x, right], 2)))).float()
        scores = self.score(x).float() + (keep - 1) * 1e4
        pooled = torch.softmax(scores, 1).transpose(1, 2) @ x
        x = self.dropout(F.gelu(self.hidden(pooled.flatten(1))))
        return F.normalize(self.head(x).float(), dim=1)
