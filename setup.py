"""The build step of wheels: the C++ kernels for every processor of this architecture, where there is a compiler."""

import platform
import sys
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py

sys.path.insert(0, str(Path(__file__).parent))

from models.engine.native.build import PACKAGED, SOURCES, Toolchain
from models.engine.native.packaging import can_package, package


class BuildWithKernels(build_py):
    """Copies the packages and compiles the kernels into them; an editable install compiles them at first use."""

    def run(self) -> None:
        """Leave the source tree as it is."""
        super().run()
        if not self.editable_mode:
            place = Path(self.build_lib) / "models" / "engine" / SOURCES.name / PACKAGED.name
            package(place, platform.machine(), Toolchain())


class PlatformDistribution(Distribution):
    """A distribution whose wheel is for one architecture as soon as it holds compiled kernels."""

    def has_ext_modules(self) -> bool:
        """Whether this machine can compile them."""
        return can_package(Toolchain())


setup(distclass=PlatformDistribution, cmdclass={"build_py": BuildWithKernels})
