# SPDX-License-Identifier: MIT
# The packages that every build needs; those of a backend stand in its folder.
find_package(Threads REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
