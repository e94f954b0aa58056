"""A stand-in for SGLang's kernels where there is no GPU: the server imports them and never calls them.

The real package holds CUDA kernels, or CPU kernels that need AMX. SGLang's plain torch code serves without either; its
imports at the top of files must succeed all the same. Whatever is called from here says so.
"""

from collections.abc import Callable
from typing import NoReturn

__version__ = "0.4.10"


def __getattr__(name: str) -> Callable[..., NoReturn]:
    if name.startswith("__"):
        raise AttributeError(name)

    def missing(*_arguments: object, **_options: object) -> NoReturn:
        msg = f"sgl_kernel.{name}: a stand-in without kernels is installed here"
        raise NotImplementedError(msg)

    return missing
