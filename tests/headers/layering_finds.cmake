# SPDX-License-Identifier: MIT
# layering.cmake finds what it is for, in a small house where it is all wrong, and nothing in one where it is right.
# Usage: cmake -DWORK=… -P layering_finds.cmake; WORK is a folder of its own.
cmake_minimum_required(VERSION 3.25)
file(REMOVE_RECURSE ${WORK})
file(WRITE ${WORK}/layers.txt [[
# A comment; with [brackets.
core: core/ action_triggers/core.hpp
left <- core
left: left/
right <- core
right: right/ right/shelf/
top <- left right
top: action_triggers/top.hpp
]])
file(WRITE ${WORK}/include/action_triggers/core.hpp "/// Core.\n")
file(WRITE ${WORK}/include/action_triggers/top.hpp "#include \"action_triggers/core.hpp\"\n")
file(WRITE ${WORK}/src/core/core.cpp "#include <vector>\n#include \"action_triggers/core.hpp\"\n#include \"detail.hpp\"\n")
file(WRITE ${WORK}/src/core/detail.hpp "/// A detail.\n")
file(WRITE ${WORK}/src/left/left.cpp "///   #include <right/right.hpp> is what we do not do\n#include \"core/detail.hpp\"\n")
file(WRITE ${WORK}/src/right/right.hpp "#include \"right/shelf/shelf.hpp\"\n")
file(WRITE ${WORK}/src/right/shelf/shelf.hpp "#include <action_triggers/core.hpp>\n")

function(check result)
  execute_process(COMMAND ${CMAKE_COMMAND} -DROOT=${WORK} -DLAYERS=${WORK}/layers.txt
    -P ${CMAKE_CURRENT_LIST_DIR}/layering.cmake RESULT_VARIABLE status ERROR_VARIABLE said)
  if(NOT status EQUAL result)
    message(FATAL_ERROR "exit status ${status} instead of ${result}:\n${said}")
  endif()
  foreach(line IN LISTS ARGN)
    string(FIND "${said}" "${line}\n" at)
    if(at EQUAL -1)
      message(SEND_ERROR "not found: ${line}\nin:\n${said}")
    endif()
  endforeach()
endfunction()

check(0 "7 files in order")

file(APPEND ${WORK}/layers.txt "left: gone.hpp\nattic <- cellar\nnonsense\n")
file(APPEND ${WORK}/src/core/core.cpp "\n  #  include <action_triggers/top.hpp>\n")
file(APPEND ${WORK}/src/left/left.cpp "#include \"right/right.hpp\"  // \"sideways\"\n")
file(APPEND ${WORK}/src/right/shelf/shelf.hpp "#include \"../../left/left.cpp\"\n")
file(WRITE ${WORK}/src/new/new.hpp "/// Nobody's.\n")
check(1
  "layers.txt:9: there is no gone.hpp in src/ or include/"
  "layers.txt:10: no room 'cellar' stands further up"
  "layers.txt:11: neither ROOM <- ROOM... nor ROOM: PATH..."
  "src/core/core.cpp:5: core may not include top: action_triggers/top.hpp"
  "src/left/left.cpp:3: left may not include right: right/right.hpp"
  "src/right/shelf/shelf.hpp:2: right may not include left: left/left.cpp"
  "src/new/new.hpp:1: no room owns this file: see layers.txt")
file(REMOVE_RECURSE ${WORK})
