"""Hidden states of all calibration tokens between two layers, on disk so that memory does not grow with tokens."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np
import torch
from torch import Tensor
from typing_extensions import override

from schemas.errors import ConfigError


class States(Protocol):
    """Stores one tensor [tokens, hidden] for each batch, which is overwritten layer after layer."""

    def append(self, states_TD: Tensor) -> None:
        """Store the states of one further batch."""
        ...

    def read(self, batch: int) -> Tensor:
        """Return the states of a batch, by its number from 0."""
        ...

    def write(self, batch: int, states_TD: Tensor) -> None:
        """Overwrite the states of a batch with others of the same shape."""
        ...


class MemoryStates(States):
    """Keeps the states in memory: quick, for calibration sets that fit."""

    def __init__(self) -> None:
        self._batches: list[Tensor] = []

    @override
    def append(self, states_TD: Tensor) -> None:
        """Keep the tensor itself, not a copy."""
        self._batches.append(states_TD)

    @override
    def read(self, batch: int) -> Tensor:
        """Return the stored tensor itself, not a copy: changing it changes the states."""
        return self._batches[batch]

    @override
    def write(self, batch: int, states_TD: Tensor) -> None:
        """Keep the new tensor in the old one's place, without a copy; its shape is not checked."""
        self._batches[batch] = states_TD


class FileStates(States):
    """Keeps the states in one file of tokens x hidden x itemsize bytes, which is deleted when it is closed."""

    def __init__(self, path: Path) -> None:
        """Create `path`; it is deleted when the states are closed."""
        self._path, self._file = path, path.open("w+b", buffering=0)
        self._places: list[tuple[int, torch.Size]] = []
        self._end, self._dtype, self._device = 0, torch.float32, torch.device("cpu")

    @override
    def append(self, states_TD: Tensor) -> None:
        """Raises ConfigError when the disk is full."""
        self._dtype, self._device = states_TD.dtype, states_TD.device
        self._places.append((self._end, states_TD.shape))
        self.write(len(self._places) - 1, states_TD)
        self._end += states_TD.nbytes

    @override
    def read(self, batch: int) -> Tensor:
        """Read the batch into a new tensor, on the device of the tensor appended last."""
        begin, shape = self._places[batch]
        self._file.seek(begin)
        size = shape.numel() * self._dtype.itemsize
        flat = torch.from_numpy(np.fromfile(self._file, dtype=np.uint8, count=size))
        return flat.view(self._dtype).view(shape).to(self._device)

    @override
    def write(self, batch: int, states_TD: Tensor) -> None:
        """Raises ConfigError when the disk is full."""
        self._file.seek(self._places[batch][0])
        data = states_TD.detach().cpu().contiguous().view(torch.uint8).numpy().reshape(-1).data
        try:
            while data:
                data = data[self._file.write(data) :]
        except OSError as error:
            raise ConfigError(
                f"no room for hidden states in {self._path.parent}: {error}; give another --scratch or fewer --tokens"
            ) from error

    def __enter__(self) -> Self:
        """Return these states."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close and delete the file."""
        self._file.close()
        self._path.unlink(missing_ok=True)
