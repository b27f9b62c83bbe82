#!/bin/bash
# SPDX-License-Identifier: MIT
# What configuring says where something is missing, and what to install then: missing.sh BUILD_DIR
source "$(dirname "$0")/common.sh"
begin missing
library=(-S "$source_dir")
# Not installed at all.
expect_message "needs nlohmann_json 3.11 or later, which is not found. Install it (Debian: nlohmann-json3-dev)." \
  "${library[@]}" -DCMAKE_DISABLE_FIND_PACKAGE_nlohmann_json=ON
expect_message "(Debian: libcli11-dev), or build without it: -DACTION_TRIGGERS_BUILD_CLI=OFF." \
  "${library[@]}" -DCMAKE_DISABLE_FIND_PACKAGE_CLI11=ON
expect_message "(Debian: libgtest-dev libgmock-dev), or build without it: -DACTION_TRIGGERS_BUILD_TESTING=OFF." \
  "${library[@]}" -DCMAKE_DISABLE_FIND_PACKAGE_GTest=ON -DACTION_TRIGGERS_BUILD_TESTING=ON
expect_message "the kafka backend needs pkg-config, which is not found. Install it (Debian: pkg-config librdkafka-dev)" \
  "${library[@]}" -DCMAKE_DISABLE_FIND_PACKAGE_PkgConfig=ON

# A client library: known to pkg-config or not, with its header or without.
missing_client() { # NAME HEADER… -- DEBIAN_PACKAGES
  local name=$1 headers=() way_out others=()
  shift
  while [ "$1" != -- ]; do headers+=("$1"); shift; done
  way_out="Install it (Debian: $2), or build without it: -DACTION_TRIGGERS_WITH_$name=OFF."
  for other in KAFKA RABBITMQ POSTGRESQL SQLITE; do
    [ "$other" = "$name" ] || others+=("-DACTION_TRIGGERS_WITH_$other=OFF")
  done
  (
    export PKG_CONFIG_LIBDIR=$work/nothing
    expect_message "and pkg-config does not find all of it. $way_out" "${library[@]}" "${others[@]}" "-DACTION_TRIGGERS_WITH_$name=ON"
  )
  hide_headers "${headers[@]}"
  expect_message "> cannot be included. $way_out" "${library[@]}" "${others[@]}"
  rm -rf "$work/absent" # there again, it is found, although the folder was configured without
  quietly "$work/again.log" cmake -B "$work/build" "${library[@]}" "${others[@]}"
  unset CXXFLAGS
}
missing_client KAFKA librdkafka/rdkafka.h -- librdkafka-dev
missing_client RABBITMQ amqp.h rabbitmq-c/amqp.h -- "librabbitmq-dev libssl-dev"
missing_client RABBITMQ openssl/ssl.h -- "librabbitmq-dev libssl-dev"
missing_client POSTGRESQL libpq-fe.h -- libpq-dev
missing_client SQLITE sqlite3.h -- libsqlite3-dev
rm -rf "$work"
