# SPDX-License-Identifier: MIT
# What holds for our own build and never reaches a user's: warnings as errors, sanitizers.
function(action_triggers_developer_flags target)
  if(NOT ACTION_TRIGGERS_DEVELOPER)
    return()
  endif()
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion
    -Wnon-virtual-dtor -Woverloaded-virtual -Wcast-qual -Wold-style-cast -Wextra-semi -Werror)
  if(CMAKE_UNITY_BUILD)
    target_compile_options(${target} PRIVATE -Wno-shadow)  # of another file's constants
    if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
      target_compile_options(${target} PRIVATE -Wno-subobject-linkage)  # takes the sources that it includes for headers
    endif()
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    target_compile_options(${target} PRIVATE -Wno-restrict)  # false alarms on std::string: GCC bug 105651
  endif()
endfunction()

# Of sources with coroutines, in the folder that calls it: Clang 14 cannot put in front of them what this check needs.
function(action_triggers_coroutine_sources)
  if(CMAKE_CXX_COMPILER_ID STREQUAL Clang AND ACTION_TRIGGERS_SANITIZE MATCHES undefined)
    set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS -fno-sanitize=function)
  endif()
endfunction()

if(ACTION_TRIGGERS_SANITIZE)
  add_compile_options(-fsanitize=${ACTION_TRIGGERS_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${ACTION_TRIGGERS_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL Clang AND ACTION_TRIGGERS_SANITIZE MATCHES address)
    add_compile_definitions(__SANITIZE_ADDRESS__)  # as GCC does by itself
  endif()
endif()
# What makes a bug that corrupts memory end the process rather than run an attacker's code. Sanitizers find more, and do
# not go together with it.
if(ACTION_TRIGGERS_HARDEN AND NOT ACTION_TRIGGERS_SANITIZE)
  add_compile_options(-fstack-protector-strong -fstack-clash-protection -U_FORTIFY_SOURCE
    $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    add_compile_options(-fcf-protection)
  endif()
  add_link_options(LINKER:-z,relro,-z,now,-z,noexecstack)
endif()

if(ACTION_TRIGGERS_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
