from pathlib import Path

import pytest

from models.engine.kernel_cache import KERNEL_CACHE, kernel_cache


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({}, KERNEL_CACHE),
        ({"NEARLINE_CACHE": "", "XDG_CACHE_HOME": ""}, KERNEL_CACHE),
        ({"XDG_CACHE_HOME": "/caches"}, Path("/caches/nearline")),
        ({"XDG_CACHE_HOME": "/caches", "NEARLINE_CACHE": "/here"}, Path("/here")),
    ],
)
def test_the_environment_names_the_folder_of_the_kernels(environ: dict[str, str], folder: Path) -> None:
    assert kernel_cache(environ) == folder
