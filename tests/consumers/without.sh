#!/bin/bash
# SPDX-License-Identifier: MIT
# Without a client library, as on a machine that does not have it: without.sh BUILD_DIR kafka|rabbitmq|all
source "$(dirname "$0")/common.sh"
begin "without-$2"
declare -A headers=([KAFKA]="librdkafka/rdkafka.h" [RABBITMQ]="amqp.h rabbitmq-c/amqp.h openssl/ssl.h"
  [POSTGRESQL]="libpq-fe.h" [SQLITE]="sqlite3.h")
case $2 in
  kafka | rabbitmq) names=("${2^^}") ;;
  all) names=("${!headers[@]}") ;;
esac
options=()
for name in "${names[@]}"; do
  options+=("-DACTION_TRIGGERS_WITH_$name=OFF")
  read -ra hidden <<<"${headers[$name]}"
  hide_headers "${hidden[@]}"
done
install_library "${options[@]}"
configure -S "$consumers/package" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix"
build "$work/build" --target consumer
"$work/build/consumer"
if [ "$2" != all ]; then
  # What is not built in says so when it is configured.
  said=$("$work/build/consumer" "{\"brokers\": {\"orders\": {\"broker_type\": \"$2\"}}}" 2>&1) && fail "there is a backend for $2"
  [[ $said == *"ACTION_TRIGGERS_WITH_${2^^}=ON"* ]] || fail "it does not say how to build it: $said"
else
  # Why a component of the package is missing.
  package=(-S "$consumers/package" -DCMAKE_PREFIX_PATH="$work/prefix")
  expect_message "there is no component 'tseting'" "${package[@]}" -DCOMPONENT=tseting
  for database in "${databases[@]}"; do
    expect_message "installed without the component '$database'" "${package[@]}" "-DDATABASES=$database"
  done
  expect_message "needs GoogleTest and GoogleMock, which are not found" "${package[@]}" -DCMAKE_DISABLE_FIND_PACKAGE_GTest=ON
  expect_message "needs prometheus-cpp-core and pkg-config" "${package[@]}" -DWITH_PROMETHEUS=ON \
    -DCMAKE_DISABLE_FIND_PACKAGE_PkgConfig=ON
  rm -rf "$work/prefix"
  install_library "${options[@]}" -DACTION_TRIGGERS_BUILD_TESTING=OFF
  expect_message "installed without the component 'testing'" "${package[@]}"
fi
rm -rf "$work"
