#!/bin/bash
# SPDX-License-Identifier: MIT
# The recipe for Conan, without ConanCenter: recipes of the system's libraries stand in for those that it has.
# conan.sh BUILD_DIR
source "$(dirname "$0")/common.sh"
begin conan
PATH=$("$source_dir/scripts/setup" --where conan)/bin:$PATH
command -v conan >/dev/null || fail "there is no Conan: scripts/setup conan installs it"
export CONAN_HOME=$work/home CCACHE_BASEDIR=$work CCACHE_NOHASHDIR=1
step() { quietly "$work/step.log" "$@"; }
step conan profile detect
sed -i 's/^build_type=Release$/build_type=Debug/' "$CONAN_HOME/profiles/default" # Conan has flags of its own: quick to compile
step conan remote disable '*'
{
  echo 'tools.cmake.cmaketoolchain:generator=Ninja'
  echo 'tools.cmake.cmaketoolchain:user_presets=' # which would be written beside the sources
  echo 'tools.cmake.cmake_layout:test_folder=$TMP'
  echo 'tools.build:jobs=2'
  echo 'tools.cmake.cmaketoolchain:extra_variables={"CMAKE_UNITY_BUILD": "ON"}' # quick to compile, too
} >"$CONAN_HOME/global.conf"
for library in librdkafka:rdkafka rabbitmq-c:librabbitmq openssl:openssl sqlite3:sqlite3; do
  step conan create "$consumers/conan/system.py" --name "${library%:*}" --version "$(pkg-config --modversion "${library#*:}")"
done
step conan create "$consumers/conan/system.py" --name nlohmann_json --version 3.11.2

# As documented.
command=$(grep -h '^conan create' "$source_dir/docs/install.md")
(cd "$source_dir" && step bash -ec "$command")
mkdir "$work/project"
cp -r "$consumers/conan" "$consumers"/{main,sqlite}.cpp "$work/project"
step conan install "$work/project/conan" -s compiler.cppstd=20 --output-folder "$work/project/conan"
configure -S "$work/project/conan" -B "$work/build" -DCMAKE_BUILD_TYPE=Debug \
  -DCMAKE_TOOLCHAIN_FILE="$(find "$work/project" -name conan_toolchain.cmake)"
build "$work/build"
"$work/build/consumer"
"$work/build/consumer_sqlite"
rm -rf "$work"
