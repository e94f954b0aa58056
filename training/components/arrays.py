"""Names for NumPy arrays by element type; a suffix of a variable says its shape (`scores_N`)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64] | npt.NDArray[np.float32]
"""float64 or float32, any shape."""
Floats = npt.NDArray[np.float64]
"""float64, any shape."""
Singles = npt.NDArray[np.float32]
"""float32, any shape."""
Ints = npt.NDArray[np.int64]
"""int64, any shape."""
