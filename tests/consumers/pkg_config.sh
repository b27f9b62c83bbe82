#!/bin/bash
# SPDX-License-Identifier: MIT
# Without CMake, by the commands that stand in docs/install.md: pkg_config.sh BUILD_DIR static|shared
source "$(dirname "$0")/common.sh"
begin "pkg-config-$2"
cp -a "$root/$2/prefix" "$work/moved" # the installed tree may be moved
PKG_CONFIG_PATH=$(dirname "$(find "$work/moved" -name action_triggers.pc)")
LD_LIBRARY_PATH=$(dirname "$PKG_CONFIG_PATH")
export PKG_CONFIG_PATH LD_LIBRARY_PATH
if [[ $(pkg-config --cflags --libs action_triggers) == *"$root/$2/prefix"* ]]; then fail "pkg-config names where it was installed"; fi
cp "$consumers/main.cpp" "$work/app.cpp"
cd "$work"

documented() { # BEGINNING: the one command of docs/install.md that begins so
  local found
  found=$(grep -h "^$1" "$source_dir/docs/install.md")
  [ "$(wc -l <<<"$found")" = 1 ] || fail "docs/install.md has not one command '$1'"
  printf '%s\n' "$found"
}

bash -ec "$(documented 'c++ app.cpp -o app \$(pkg-config')"
./app
for database in "${databases[@]}"; do
  read -ra flags < <(pkg-config --cflags --libs "action_triggers_$database")
  c++ "$consumers/$database.cpp" "${flags[@]}" -o "$database"
  "./$database" >/dev/null
done
if [ "$2" = shared ]; then
  # Whoever uses the shared library needs no client library's packages …
  [ -z "$(pkg-config --print-requires --print-requires-private action_triggers)" ] || fail "the shared library asks for more packages"
  # … and not even pkg-config.
  rm app
  CPATH=$work/moved/include LIBRARY_PATH=$LD_LIBRARY_PATH bash -ec "$(documented 'c++ -std=c++20 app.cpp')"
  ./app
fi
rm -rf "$work"
