#!/bin/bash
# SPDX-License-Identifier: MIT
# Uses the library as a user would: run.sh package-static|package-shared|subdirectory|no-backends BUILD_DIR
set -euo pipefail
how=$1
here=$(cd "$(dirname "$0")" && pwd)
source_dir=$here/../..
work=$2/consumer-$how
rm -rf "$work"
mkdir -p "$work"
launcher=()
command -v ccache >/dev/null && launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
configure() { cmake -G Ninja -DCMAKE_BUILD_TYPE=Debug "${launcher[@]}" "$@" >"$work/configure.log" || { cat "$work/configure.log"; exit 1; }; }
build() { cmake --build "$1" --parallel 2 >"$work/build.log" || { cat "$work/build.log"; exit 1; }; }
install_library() {  # OPTIONS…
  configure -S "$source_dir" -B "$work/library" -DCMAKE_INSTALL_PREFIX="$work/prefix" -DACTION_TRIGGERS_BUILD_TESTING=ON \
    -DACTION_TRIGGERS_BUILD_CLI=OFF "$@"
  build "$work/library"
  cmake --install "$work/library" >/dev/null
}

case $how in
  package-static | package-shared)
    shared=OFF
    [ "$how" = package-shared ] && shared=ON
    install_library "-DBUILD_SHARED_LIBS=$shared"
    rm -rf "$work/library"  # the package must stand alone
    configure -S "$here/package" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix"
    build "$work/build"
    "$work/build/consumer"
    "$work/build/consumer_tests"
    if [ "$how" = package-shared ]; then
      library=$(find "$work/prefix" -name 'libaction_triggers.so')
      [[ $(readelf -d "$library") == *'SONAME'*'libaction_triggers.so.0.1'* ]] || { echo "wrong SONAME"; exit 1; }
      # Hardened: relocations are read-only once loaded, the stack is protected, and not executable.
      [[ $(readelf -dW "$library") == *BIND_NOW* || $(readelf -dW "$library") == *'Flags: NOW'* ]] || { echo "not BIND_NOW"; exit 1; }
      [[ $(readelf -lW "$library") == *GNU_RELRO* ]] || { echo "no RELRO"; exit 1; }
      [[ $(readelf -lW "$library" | grep GNU_STACK) != *E* ]] || { echo "the stack is executable"; exit 1; }
      [[ $(nm -D --undefined-only "$library") == *__stack_chk_fail* ]] || { echo "no stack protection"; exit 1; }
      # Internals are hidden.
      if nm -DC --defined-only "$library" | grep -E 'action_triggers::detail::(Lane|SectionReader)::'; then exit 1; fi
      # … and by pkg-config, without CMake.
      PKG_CONFIG_PATH=$(dirname "$(find "$work/prefix" -name action_triggers.pc)")
      export PKG_CONFIG_PATH
      # shellcheck disable=SC2046
      "${CXX:-c++}" -std=c++20 "$here/main.cpp" -o "$work/consumer" $(pkg-config --cflags --libs action_triggers) \
        -Wl,-rpath,"$(dirname "$library")"
      "$work/consumer"
    fi
    ;;
  subdirectory)
    configure -S "$here/subdirectory" -B "$work/build"
    build "$work/build"
    "$work/build/consumer"
    ;;
  no-backends)
    # As on a machine without the client libraries: whoever includes their headers fails.
    for header in librdkafka/rdkafka.h amqp.h rabbitmq-c/amqp.h openssl/ssl.h; do
      mkdir -p "$(dirname "$work/absent/$header")"
      echo "#error \"a build without backends needs no $header\"" >"$work/absent/$header"
    done
    CXXFLAGS="-I$work/absent" install_library -DACTION_TRIGGERS_WITH_KAFKA=OFF -DACTION_TRIGGERS_WITH_RABBITMQ=OFF
    configure -S "$here/package" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix"
    build "$work/build"
    "$work/build/consumer"
    ;;
  *)
    echo "run.sh: unknown way '$how'" >&2
    exit 2
    ;;
esac
rm -rf "$work"
