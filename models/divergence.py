"""How far two probabilities of one thing are apart: Kullback-Leibler divergence of two-valued distributions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

LEAST = 1e-12
"""The logit of a smaller probability is that of this one: a server's p_yes is fp32 and may be 0."""


def logit(p: Floats) -> Floats:
    """The logits of probabilities; nan where `p` is nan."""
    found: Floats = np.log(np.maximum(p, LEAST)) - np.log(np.maximum(1 - p, LEAST))
    return found


def binary_kl(p_logit: Floats, q_logit: Floats) -> Floats:
    """KL(p ‖ q) of two-valued distributions by their logits, in nats, elementwise; finite for every finite logit."""
    p = 0.5 * (1 + np.tanh(p_logit / 2))
    yes = np.logaddexp(0, -q_logit) - np.logaddexp(0, -p_logit)
    no = np.logaddexp(0, q_logit) - np.logaddexp(0, p_logit)
    found: Floats = np.maximum(p * yes + (1 - p) * no, 0.0)
    return found
