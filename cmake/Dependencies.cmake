# SPDX-License-Identifier: MIT
# The packages that every build needs; those of a backend or a database stand in its folder. Where one is missing, the
# error says what to install.
include(CheckIncludeFileCXX)

# action_triggers_missing(NEEDS… [DEBIAN package…] [OPTION name]) ends the configuration. OPTION builds without what needs it.
function(action_triggers_missing needs)
  cmake_parse_arguments(PARSE_ARGV 1 missing "" "OPTION" "DEBIAN")
  list(JOIN missing_DEBIAN " " debian)
  set(way_out "Install it (Debian: ${debian})")
  if(missing_OPTION)
    string(APPEND way_out ", or build without it: -D${missing_OPTION}=OFF")
  endif()
  message(FATAL_ERROR "${needs}. ${way_out}.")
endfunction()

# action_triggers_find_client(NAME WHAT text PACKAGES pkg-config module… HEADERS file… DEBIAN package…)
# finds a client library for what ACTION_TRIGGERS_WITH_<NAME> builds: PkgConfig::ACTION_TRIGGERS_<NAME>. A header that
# has moved is given as new/name.h|name.h.
function(action_triggers_find_client name)
  cmake_parse_arguments(PARSE_ARGV 1 client "" "WHAT" "PACKAGES;HEADERS;DEBIAN")
  set(prefix ACTION_TRIGGERS_${name})
  set(way_out DEBIAN ${client_DEBIAN} OPTION ACTION_TRIGGERS_WITH_${name})
  find_package(PkgConfig QUIET)
  if(NOT PkgConfig_FOUND)
    action_triggers_missing("${client_WHAT} needs pkg-config, which is not found" DEBIAN pkg-config ${client_DEBIAN}
      OPTION ACTION_TRIGGERS_WITH_${name})
  endif()
  list(JOIN client_PACKAGES ", " packages)
  pkg_check_modules(${prefix} IMPORTED_TARGET GLOBAL ${client_PACKAGES})
  if(NOT TARGET PkgConfig::${prefix})
    action_triggers_missing("${client_WHAT} needs ${packages}, and pkg-config does not find all of it" ${way_out})
  endif()
  set(CMAKE_REQUIRED_LIBRARIES PkgConfig::${prefix})
  foreach(header IN LISTS client_HEADERS)
    string(REPLACE "|" ";" spellings ${header})
    set(found FALSE)
    foreach(spelling IN LISTS spellings)
      string(MAKE_C_IDENTIFIER "${prefix}_HAS_${spelling}" has)
      check_include_file_cxx(${spelling} ${has})
      if(${has})
        set(found TRUE)
        break()
      endif()
      unset(${has} CACHE)  # it may be there the next time
    endforeach()
    if(NOT found)
      list(JOIN spellings "> or <" spellings)
      action_triggers_missing("${client_WHAT} needs ${packages}: pkg-config finds it, but <${spellings}> cannot be included"
        ${way_out})
    endif()
  endforeach()
endfunction()

find_package(Threads REQUIRED)
if(NOT TARGET nlohmann_json::nlohmann_json)  # a project that we are part of may have it already
  find_package(nlohmann_json 3.11 QUIET)
endif()
if(NOT TARGET nlohmann_json::nlohmann_json)
  action_triggers_missing("action_triggers needs nlohmann_json 3.11 or later, which is not found" DEBIAN nlohmann-json3-dev)
endif()
