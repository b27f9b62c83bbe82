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
databases=(postgresql sqlite)
launcher=()
command -v ccache >/dev/null && launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
configure() { cmake -G Ninja -DCMAKE_BUILD_TYPE=Debug "${launcher[@]}" "$@" >"$work/configure.log" || { cat "$work/configure.log"; exit 1; }; }
build() { cmake --build "$1" --parallel 2 >"$work/build.log" || { cat "$work/build.log"; exit 1; }; }
install_library() {  # OPTIONS…
  configure -S "$source_dir" -B "$work/library" -DCMAKE_INSTALL_PREFIX="$work/prefix" \
    -DACTION_TRIGGERS_BUILD_CLI=OFF "$@"
  build "$work/library"
  cmake --install "$work/library" >/dev/null
}

# The command of docs/install.md for pkg-config.
pkg_config_command() { grep -h 'pkg-config --cflags --libs action_triggers' "$source_dir/docs/install.md"; }

case $how in
  package-static | package-shared)
    shared=OFF
    [ "$how" = package-shared ] && shared=ON
    install_library "-DBUILD_SHARED_LIBS=$shared"
    rm -rf "$work/library"  # the package must stand alone
    configure -S "$here/package" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix" "-DDATABASES=$(IFS=';'; echo "${databases[*]}")"
    build "$work/build"
    "$work/build/consumer"
    "$work/build/consumer_tests"
    for database in "${databases[@]}"; do "$work/build/consumer_$database" >/dev/null; done
    if [ "$how" = package-shared ]; then
      for name in action_triggers "${databases[@]/#/action_triggers_}"; do
        library=$(find "$work/prefix" -name "lib$name.so")
        [[ $(readelf -d "$library") == *"SONAME"*"lib$name.so.0.1"* ]] || { echo "wrong SONAME"; exit 1; }
        # Hardened: relocations are read-only once loaded, the stack is protected, and not executable.
        [[ $(readelf -dW "$library") == *BIND_NOW* || $(readelf -dW "$library") == *'Flags: NOW'* ]] || { echo "not BIND_NOW"; exit 1; }
        [[ $(readelf -lW "$library") == *GNU_RELRO* ]] || { echo "no RELRO"; exit 1; }
        [[ $(readelf -lW "$library" | grep GNU_STACK) != *E* ]] || { echo "the stack is executable"; exit 1; }
        [[ $(nm -D --undefined-only "$library") == *__stack_chk_fail* ]] || { echo "no stack protection"; exit 1; }
        # Internals are hidden.
        if nm -DC --defined-only "$library" | grep -E 'action_triggers::detail::(Lane|SectionReader|PgSession|SqliteConnection)::'; then exit 1; fi
      done
    fi
    # … and by pkg-config, without CMake: as docs/install.md says. Also when the installed tree has been moved.
    mv "$work/prefix" "$work/moved"
    PKG_CONFIG_PATH=$(dirname "$(find "$work/moved" -name action_triggers.pc)")
    LD_LIBRARY_PATH=$(dirname "$PKG_CONFIG_PATH")
    export PKG_CONFIG_PATH LD_LIBRARY_PATH
    (cp "$here/main.cpp" "$work/app.cpp" && cd "$work" && bash -ec "$(pkg_config_command)")
    "$work/app"
    for database in "${databases[@]}"; do
      read -ra flags < <(pkg-config --cflags --libs "action_triggers_$database")
      g++ "$here/$database.cpp" "${flags[@]}" -o "$work/app"
      "$work/app" >/dev/null
    done
    # Whoever uses the shared library needs no client library's packages.
    if [ "$how" = package-shared ] && [ -n "$(pkg-config --print-requires --print-requires-private action_triggers)" ]; then
      echo "the shared library asks for more packages"
      exit 1
    fi
    ;;
  subdirectory)
    configure -S "$here/subdirectory" -B "$work/build"
    build "$work/build"
    "$work/build/consumer"
    ;;
  no-backends)
    # As on a machine without the client libraries: whoever includes their headers fails.
    for header in librdkafka/rdkafka.h amqp.h rabbitmq-c/amqp.h openssl/ssl.h libpq-fe.h sqlite3.h; do
      mkdir -p "$(dirname "$work/absent/$header")"
      echo "#error \"a build without backends needs no $header\"" >"$work/absent/$header"
    done
    CXXFLAGS="-I$work/absent" install_library -DACTION_TRIGGERS_WITH_KAFKA=OFF -DACTION_TRIGGERS_WITH_RABBITMQ=OFF \
      -DACTION_TRIGGERS_WITH_POSTGRESQL=OFF -DACTION_TRIGGERS_WITH_SQLITE=OFF
    configure -S "$here/package" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix"
    build "$work/build"
    "$work/build/consumer"
    # Why a component is missing. (What is left of the package by hand is one without it.)
    expect_message() {  # PATTERN CMAKE_OPTIONS…
      local pattern=$1
      shift
      rm -rf "$work/build"
      if cmake -G Ninja -S "$here/package" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix" "$@" >"$work/why.log" 2>&1; then
        echo "find_package succeeded: $*"
        exit 1
      fi
      tr -s ' \n' ' ' <"$work/why.log" | grep -q "$pattern" || { cat "$work/why.log"; echo "it does not say: $pattern"; exit 1; }
    }
    expect_message "there is no component 'tseting'" -DCOMPONENT=tseting
    for database in "${databases[@]}"; do
      expect_message "installed without the component '$database'" "-DDATABASES=$database"
    done
    expect_message "needs GoogleTest and GoogleMock, which are not found" -DCMAKE_DISABLE_FIND_PACKAGE_GTest=ON
    rm -rf "$work/prefix"
    install_library -DACTION_TRIGGERS_WITH_KAFKA=OFF -DACTION_TRIGGERS_WITH_RABBITMQ=OFF \
      -DACTION_TRIGGERS_WITH_POSTGRESQL=OFF -DACTION_TRIGGERS_WITH_SQLITE=OFF -DACTION_TRIGGERS_BUILD_TESTING=OFF
    expect_message "installed without the component 'testing'"
    ;;
  *)
    echo "run.sh: unknown way '$how'" >&2
    exit 2
    ;;
esac
rm -rf "$work"
