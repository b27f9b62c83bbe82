#!/bin/bash
# SPDX-License-Identifier: MIT
# Installs the library for the ways that use an installed one: install.sh BUILD_DIR static|shared
source "$(dirname "$0")/common.sh"
begin "$2"
if [ "$2" = static ]; then
  install_library -DBUILD_SHARED_LIBS=OFF
  exit
fi
install_library -DBUILD_SHARED_LIBS=ON
for name in action_triggers "${databases[@]/#/action_triggers_}"; do
  library=$(find "$work/prefix" -name "lib$name.so")
  [[ $(readelf -d "$library") == *"SONAME"*"lib$name.so.0.1"* ]] || fail "wrong SONAME"
  # Hardened: relocations are read-only once loaded, the stack is protected, and not executable.
  [[ $(readelf -dW "$library") == *BIND_NOW* || $(readelf -dW "$library") == *'Flags: NOW'* ]] || fail "not BIND_NOW"
  [[ $(readelf -lW "$library") == *GNU_RELRO* ]] || fail "no RELRO"
  [[ $(readelf -lW "$library" | grep GNU_STACK) != *E* ]] || fail "the stack is executable"
  [[ $(nm -D --undefined-only "$library") == *__stack_chk_fail* ]] || fail "no stack protection"
  # Internals are hidden.
  if nm -DC --defined-only "$library" | grep -E 'action_triggers::detail::(Lane|SectionReader|PgSession|SqliteConnection)::'; then
    fail "internals are exported"
  fi
done
