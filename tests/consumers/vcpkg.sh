#!/bin/bash
# SPDX-License-Identifier: MIT
# The port for vcpkg, as far as that goes without vcpkg: see vcpkg/stubs.cmake. vcpkg.sh BUILD_DIR
source "$(dirname "$0")/common.sh"
begin vcpkg
# librdkafka's port with static linkage, vcpkg's default on Linux, has a module of another name.
mkdir "$work/modules"
IFS=: read -ra folders < <(pkg-config --variable pc_path pkg-config)
for folder in "${folders[@]}"; do
  [ ! -d "$folder" ] || find "$folder" -name '*.pc' ! -name 'rdkafka*.pc' -exec ln -sf -t "$work/modules" {} +
done
cp "$(pkg-config --variable pcfiledir rdkafka)/rdkafka.pc" "$work/modules/rdkafka-static.pc"
export PKG_CONFIG_LIBDIR=$work/modules
quietly "$work/port.log" cmake -DWORK="$work" -DLINKAGE=static -P "$consumers/vcpkg/stubs.cmake"
configure -S "$consumers/vcpkg" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/packages"
build "$work/build"
"$work/build/consumer"
"$work/build/consumer_sqlite"
for file in copyright usage; do [ -s "$work/packages/share/action-triggers/$file" ] || fail "the port installs no $file"; done
rm -rf "$work"
