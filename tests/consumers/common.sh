# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the ways to consume the library share: BUILD_DIR is the first argument of each. A way works in a folder of its own
# there, $work, which is removed when it has passed.
set -euo pipefail
consumers=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source_dir=$(cd "$consumers/../.." && pwd)
root=$1/consumers
databases=(postgresql sqlite)
if command -v ccache >/dev/null; then export CMAKE_CXX_COMPILER_LAUNCHER=ccache; fi

fail() { printf '%s\n' "$*" >&2; exit 1; }

begin() { # WAY
  work=$root/$1
  rm -rf "$work"
  mkdir -p "$work"
}

# Prints the end of a command's output only if it fails.
quietly() { # LOG COMMAND…
  local log=$1
  shift
  "$@" >"$log" 2>&1 || { tail -n 60 "$log" >&2; fail "failed: $*"; }
}

# Release, as the preset of that name: the objects then come from ccache.
configure() { quietly "$work/configure.log" cmake -G Ninja -DCMAKE_BUILD_TYPE=Release "$@"; }
build() { quietly "$work/build.log" cmake --build "$@" --parallel 2; }

install_library() { # OPTIONS…
  configure -S "$source_dir" -B "$work/library" -DCMAKE_INSTALL_PREFIX="$work/prefix" -DACTION_TRIGGERS_BUILD_CLI=OFF "$@"
  build "$work/library"
  quietly "$work/install.log" cmake --install "$work/library"
  rm -rf "$work/library" # the package must stand alone
}

# Configuring fails, and says so: PATTERN in it, with the line breaks of CMake's messages undone.
expect_message() { # PATTERN CMAKE_OPTIONS…
  local pattern=$1
  shift
  rm -rf "$work/build"
  if cmake -G Ninja -B "$work/build" "$@" >"$work/why.log" 2>&1; then fail "it is configured: $*"; fi
  tr -s ' \n' ' ' <"$work/why.log" | grep -qF -e "$pattern" || { cat "$work/why.log"; fail "it does not say: $pattern"; }
}

# As on a machine without these headers: whoever includes one of them fails.
hide_headers() { # HEADER…
  local header
  for header; do
    mkdir -p "$(dirname "$work/absent/$header")"
    echo "#error \"$header is hidden\"" >"$work/absent/$header"
  done
  export CXXFLAGS=-I$work/absent
}
