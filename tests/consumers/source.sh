#!/bin/bash
# SPDX-License-Identifier: MIT
# The library as a part of another project: source.sh BUILD_DIR subdirectory|fetch_content
source "$(dirname "$0")/common.sh"
begin "$2"
# Without our own flags nothing comes from ccache: quick to compile, and as a project has it that builds all of itself so.
options=(-DCMAKE_BUILD_TYPE=None -DCMAKE_UNITY_BUILD=ON)
[ "$2" = fetch_content ] && options+=(-DFETCHCONTENT_SOURCE_DIR_ACTION_TRIGGERS="$source_dir" -DFETCHCONTENT_FULLY_DISCONNECTED=ON)
configure -S "$consumers/$2" -B "$work/build" "${options[@]}"
build "$work/build"
"$work/build/consumer"
rm -rf "$work"
