#!/bin/bash
# SPDX-License-Identifier: MIT
# find_package: package.sh BUILD_DIR static|shared
source "$(dirname "$0")/common.sh"
begin "package-$2"
prefix=$root/$2/prefix
configure -S "$consumers/package" -B "$work/build" -DCMAKE_PREFIX_PATH="$prefix" -DWITH_PROMETHEUS=ON \
  "-DDATABASES=$(IFS=';'; echo "${databases[*]}")"
build "$work/build"
"$work/build/consumer"
"$work/build/consumer_tests"
python3 "$consumers/prometheus_test.py" "$work/build/consumer_prometheus"
for database in "${databases[@]}"; do "$work/build/consumer_$database" >/dev/null; done

# The whole projects of README.md and docs/install.md, with the programs that they are for.
whole() { # PROJECT PROGRAM
  mkdir "$work/$1"
  cp "$consumers/$1/CMakeLists.txt" "$work/$1"
  cp "$source_dir/examples/$2" "$work/$1/$1.cpp"
  configure -S "$work/$1" -B "$work/$1/build" -DCMAKE_PREFIX_PATH="$prefix"
  build "$work/$1/build"
}
whole shop quickstart/quickstart.cpp
whole outbox outbox/outbox.cpp
rm -rf "$work"
