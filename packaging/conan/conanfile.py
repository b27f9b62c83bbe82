# SPDX-License-Identifier: MIT
"""A recipe for Conan 2 that packages the checkout that it lies in: conan create packaging/conan"""

import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load, rmdir
from conan.tools.gnu import PkgConfigDeps

required_conan_version = ">=2.0.9"

# Option: what it requires, and which of its components the library links.
CLIENTS = {
    "kafka": {"librdkafka/[>=2.0.2 <3]": ["librdkafka::rdkafka"]},
    "rabbitmq": {"rabbitmq-c/[>=0.11 <1]": ["rabbitmq-c::rabbitmq"], "openssl/[>=3 <4]": ["openssl::ssl"]},
    "postgresql": {"libpq/[>=14]": ["libpq::pq"]},
    "sqlite": {"sqlite3/[>=3.35 <4]": ["sqlite3::sqlite"]},
}
DATABASES = ("postgresql", "sqlite")


class ActionTriggersConan(ConanFile):
    name = "action_triggers"
    license = "MIT"
    description = "Trigger-driven messages to Kafka and RabbitMQ, without blocking the hook"
    topics = ("kafka", "rabbitmq", "outbox", "messaging")
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False], "fPIC": [True, False], **{f"with_{name}": [True, False] for name in CLIENTS}}
    default_options = {"shared": False, "fPIC": True, "with_kafka": True, "with_rabbitmq": True,
                       "with_postgresql": False, "with_sqlite": False,
                       "librdkafka/*:ssl": True, "rabbitmq-c/*:ssl": True}
    implements = ["auto_shared_fpic"]

    @property
    def _root(self):
        return os.path.join(self.recipe_folder, "..", "..")

    def _clients(self):
        return [name for name in CLIENTS if self.options.get_safe(f"with_{name}")]

    def set_version(self):
        self.version = re.search(r"project\(action_triggers VERSION ([0-9.]+)", load(self, os.path.join(self._root, "CMakeLists.txt")))[1]

    def export_sources(self):
        for pattern in ("CMakeLists.txt", "LICENSE", "cmake/*", "include/*", "src/*", "packaging/debian/*"):
            copy(self, pattern, src=self._root, dst=self.export_sources_folder)

    def layout(self):
        cmake_layout(self)

    def requirements(self):
        self.requires("nlohmann_json/[>=3.11 <4]")
        for name in self._clients():
            for reference in CLIENTS[name]:
                self.requires(reference)

    def validate(self):
        check_min_cppstd(self, 20)

    def generate(self):
        toolchain = CMakeToolchain(self)
        for name in CLIENTS:
            toolchain.cache_variables[f"ACTION_TRIGGERS_WITH_{name.upper()}"] = name in self._clients()
        toolchain.cache_variables["ACTION_TRIGGERS_BUILD_CLI"] = False
        toolchain.cache_variables["ACTION_TRIGGERS_BUILD_TESTING"] = False
        toolchain.generate()
        CMakeDeps(self).generate()
        PkgConfigDeps(self).generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        CMake(self).install()
        copy(self, "LICENSE", src=self.source_folder, dst=os.path.join(self.package_folder, "licenses"))
        # Conan writes its own.
        rmdir(self, os.path.join(self.package_folder, "lib", "cmake"))
        rmdir(self, os.path.join(self.package_folder, "lib", "pkgconfig"))

    def package_info(self):
        self.cpp_info.set_property("cmake_file_name", "action_triggers")
        core = self.cpp_info.components["action_triggers"]
        core.set_property("cmake_target_name", "action_triggers::action_triggers")
        core.set_property("pkg_config_name", "action_triggers")
        core.libs = ["action_triggers"]
        core.system_libs = ["pthread"]
        core.requires = ["nlohmann_json::nlohmann_json"]
        for name in self._clients():
            linked = [each for components in CLIENTS[name].values() for each in components]
            if name not in DATABASES:
                core.requires += linked
                continue
            database = self.cpp_info.components[name]
            database.set_property("cmake_target_name", f"action_triggers::{name}")
            database.set_property("pkg_config_name", f"action_triggers_{name}")
            database.libs = [f"action_triggers_{name}"]
            database.requires = ["action_triggers", *linked]
