"""Sound to log-mel frames, as part of the network: a device needs no signal library."""

import math
from typing import Literal, final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..contract import NotCausal, State
from .contract import Framed, Front
from .standardize import Standardize

Start = Literal["padded", "full"]


def _mel(frequency_hz: float) -> float:
    return 2595 * math.log10(1 + frequency_hz / 700)


class WholeFrames(nn.Module):
    """How many whole hops so many samples are; a module of its own because exporters replace it."""

    def __init__(self, hop: int) -> None:
        super().__init__()
        self.hop = hop

    def forward(self, samples: Tensor) -> Tensor:
        return torch.div(samples, self.hop, rounding_mode="floor")


@final
class LogMel(Front):
    """Samples (B, T) from -1 to 1 to ``log(mel power + floor)``, standardized a band.

    Pre-emphasis, window and Fourier transform are one convolution with a stride of ``hop`` samples, the bands one
    product, so the graph needs ordinary operators only. Frame ``t`` ends with sample ``(t + 1) * hop``, and what stands
    before the first sample is silence; with ``start="full"`` the first frame is the first that is full of real samples,
    as libraries count without padding. That one does not stream: how many frames came out would depend on when.

    Args:
        mean, std: (bands,) of the training frames, after the logarithm.
        sample_rate_hz: 1,000 to 192,000.
        window_ms: length of the Hann window.
        hop_ms: from frame to frame.
        transform: points of the Fourier transform, at least the window's samples, a multiple of 4; by default the next
            power of two.
        low_hz, high_hz: outer corners of the bands.
        emphasis: ``x[t] - emphasis * x[t - 1]`` first; 0 for none.
        floor: added to the power.
        start: "padded" or "full".

    Raises:
        ValueError: a hop above the window, a window above the transform, or ``high_hz`` above half the rate.

    >>> front = LogMel(torch.zeros(40), torch.ones(40), sample_rate_hz=8000)
    >>> front.hop, front.window, front.frames(torch.tensor([8000, 159])).tolist()
    (80, 200, [100, 1])
    """

    name = "log_mel"
    kind = "samples"

    def __init__(
        self,
        mean: Tensor,
        std: Tensor,
        sample_rate_hz: int = 16_000,
        window_ms: float = 25.0,
        hop_ms: float = 10.0,
        transform: int | None = None,
        low_hz: float = 20.0,
        high_hz: float | None = None,
        emphasis: float = 0.97,
        floor: float = 1e-6,
        start: Start = "padded",
    ) -> None:
        super().__init__()
        self.sample_rate_hz = sample_rate_hz
        self.window = round(sample_rate_hz * window_ms / 1000)
        self.hop = round(sample_rate_hz * hop_ms / 1000)
        self.transform = 2 ** math.ceil(math.log2(self.window)) if transform is None else transform
        self.low_hz, self.high_hz = low_hz, sample_rate_hz / 2 if high_hz is None else high_hz
        self.emphasis, self.floor, self.start = emphasis, floor, start
        if not 1 <= self.hop <= self.window <= self.transform or self.transform % 4:
            got = f"hop {self.hop}, window {self.window}, transform {self.transform}"
            raise ValueError(
                f"The samples of a LogMel must be hop <= window <= transform, that a multiple of 4. Got {got} instead."
            )
        if not 0 <= self.low_hz < self.high_hz <= sample_rate_hz / 2:
            got = f"{self.low_hz} and {self.high_hz}"
            raise ValueError(f"The 'low_hz' and 'high_hz' must lie from 0 to {sample_rate_hz / 2}. Got {got} instead.")
        self.width = len(mean)
        self.causal = start == "padded"
        self.least = self.hop if self.causal else self.window
        # Known from the options: not in the file of weights.
        self.register_buffer("waves", self._waves(), persistent=False)
        self.register_buffer("bands", self._bands(), persistent=False)
        self.standardize = Standardize(mean, std)
        self.count = WholeFrames(self.hop)

    def read(self, inputs: Tensor, lengths: Tensor) -> Framed:
        before = self.overlap if self.causal else 1
        return Framed(self._frames(F.pad(inputs, (before, 0))), self.frames(lengths))

    def frames(self, lengths: Tensor) -> Tensor:
        used = lengths if self.causal else lengths - (self.window - self.hop)
        return self.count(used)

    @property
    def overlap(self) -> int:
        """Samples before a hop that its frame reads; one of them for the pre-emphasis."""
        return self.window - self.hop + 1

    def initial_state(self, batch: int) -> State:
        if not self.causal:
            raise NotCausal(self, "its first frame waits for a full window")
        return {"samples": self.get_buffer("waves").new_zeros(batch, self.overlap)}

    def advance(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:  # (B, n, hop) -> (B, n, bands)
        if not self.causal:
            raise NotCausal(self, "its first frame waits for a full window")
        window = torch.cat([state["samples"], inputs.flatten(1)], dim=1)
        return self._frames(window), {"samples": window[:, -self.overlap :]}

    def _frames(self, samples: Tensor) -> Tensor:
        waves = F.conv1d(samples.unsqueeze(1), self.get_buffer("waves"), stride=self.hop).transpose(1, 2)
        power = (waves * waves) @ self.get_buffer("bands")
        return self.standardize(torch.log(power + self.floor))

    def _waves(self) -> Tensor:
        """(2 * bins, 1, window + 1): cosines, then sines, under the window, of the signal after pre-emphasis."""
        turns = torch.arange(self.transform // 2 + 1).unsqueeze(1) * torch.arange(self.window)
        turns = torch.cat([turns, turns + self.transform * 3 // 4]) % self.transform  # a sine is a cosine, turned
        plain = self.cosines()[turns] * self.hann()
        emphasized = F.pad(plain, (1, 0)) - self.emphasis * F.pad(plain, (0, 1))
        return emphasized.float().unsqueeze(1)

    def _bands(self) -> Tensor:
        """(2 * bins, bands): what the squares of cosines and sines add to each triangle; its height is 1."""
        corners, frequencies = self.corners_hz(), self.frequencies_hz()
        left, middle, right = corners[:-2], corners[1:-1], corners[2:]
        rising, falling = (frequencies - left) / (middle - left), (right - frequencies) / (right - middle)
        once = torch.minimum(rising, falling).clamp(min=0).float()
        return torch.cat([once, once])

    def cosines(self) -> Tensor:
        """One turn in ``transform`` steps, float64."""
        return torch.cos(2 * math.pi * torch.arange(self.transform, dtype=torch.float64) / self.transform)

    def hann(self) -> Tensor:
        """(window,) float64."""
        return 0.5 - 0.5 * torch.cos(2 * math.pi * torch.arange(self.window, dtype=torch.float64) / self.window)

    def frequencies_hz(self) -> Tensor:
        """(bins, 1) float64: 0 to half the rate."""
        bins = torch.arange(self.transform // 2 + 1, dtype=torch.float64)
        return (bins * self.sample_rate_hz / self.transform).unsqueeze(1)

    def corners_hz(self) -> Tensor:
        """(bands + 2,) float64, evenly spaced on the mel scale ``2595 log10(1 + f / 700)``."""
        corners_mel = torch.linspace(_mel(self.low_hz), _mel(self.high_hz), self.width + 2, dtype=torch.float64)
        return 700 * (10 ** (corners_mel / 2595) - 1)
