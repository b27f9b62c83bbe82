#!/bin/bash
# SPDX-License-Identifier: MIT
# The library as a part of another project: source.sh BUILD_DIR subdirectory|fetch_content
source "$(dirname "$0")/common.sh"
begin "$2"
options=(-DACTION_TRIGGERS_HARDEN=ON) # as the release has it, whose objects then come from ccache
[ "$2" = fetch_content ] && options+=(-DFETCHCONTENT_SOURCE_DIR_ACTION_TRIGGERS="$source_dir" -DFETCHCONTENT_FULLY_DISCONNECTED=ON)
configure -S "$consumers/$2" -B "$work/build" "${options[@]}"
build "$work/build"
"$work/build/consumer"
rm -rf "$work"
