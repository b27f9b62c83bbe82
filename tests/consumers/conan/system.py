# SPDX-License-Identifier: MIT
"""Stands in for a recipe of ConanCenter: what the system has installed, under the names that ConanCenter gives it.
conan create system.py --name NAME --version VERSION"""

from conan import ConanFile
from conan.tools.gnu import PkgConfig

# Name: the components, with the modules that pkg-config has of them.
MODULES = {
    "librdkafka": {"rdkafka": "rdkafka"},
    "rabbitmq-c": {"rabbitmq": "librabbitmq"},
    "openssl": {"ssl": "openssl"},
    "sqlite3": {"sqlite": "sqlite3"},
    "nlohmann_json": {"nlohmann_json": None},
}


class SystemLibrary(ConanFile):
    settings = "os", "arch"

    def package_info(self):
        self.cpp_info.includedirs, self.cpp_info.libdirs, self.cpp_info.bindirs = [], [], []
        for name, module in MODULES[self.name].items():
            component = self.cpp_info.components[name]
            component.includedirs, component.libdirs, component.bindirs = [], [], []
            if module is not None:
                component.set_property("pkg_config_name", module)
                PkgConfig(self, module).fill_cpp_info(component, is_system=True)
