#!/bin/bash
# SPDX-License-Identifier: MIT
# find_package: package.sh BUILD_DIR static|shared
source "$(dirname "$0")/common.sh"
begin "package-$2"
configure -S "$consumers/package" -B "$work/build" -DCMAKE_PREFIX_PATH="$root/$2/prefix" -DWITH_PROMETHEUS=ON \
  "-DDATABASES=$(IFS=';'; echo "${databases[*]}")"
build "$work/build"
"$work/build/consumer"
"$work/build/consumer_tests"
python3 "$consumers/prometheus_test.py" "$work/build/consumer_prometheus"
for database in "${databases[@]}"; do "$work/build/consumer_$database" >/dev/null; done
rm -rf "$work"
