"""Whether a sampled PID loop is stable, by its characteristic polynomial."""

from collections.abc import Sequence


def is_stable(coefficients: Sequence[float]) -> bool:
    """Whether all roots of a polynomial, highest power first, lie inside the unit circle (Schur and Cohn's test).

    The polynomial is reduced by one degree at a time; it is stable if each last coefficient is smaller than the first.
    """
    left = list(coefficients)
    while len(left) > 1:
        ratio = left[-1] / left[0]
        if not abs(ratio) < 1:
            return False
        left = [a - ratio * b for a, b in zip(left[:-1], left[:0:-1], strict=True)]
    return True


def pid_loop(kp: float, ki_s: float, kd_s: float, gain: float, lag: int) -> list[float]:
    """The characteristic polynomial of a PID in velocity form before a process that answers `gain` after `lag` steps.

    `ki_s`: the integral gain times the step's seconds; `kd_s`: the derivative gain over them. The loop is
    u[k] - u[k-1] = A e[k] + B e[k-1] + C e[k-2] with e[k] = -gain u[k-lag].
    """
    polynomial = [1.0, -1.0] + [0.0] * (lag + 1)
    for place, weight in enumerate((kp + ki_s + kd_s, -(kp + 2 * kd_s), kd_s)):
        polynomial[lag + place] += gain * weight
    return polynomial
