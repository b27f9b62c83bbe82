# SPDX-License-Identifier: MIT
# What makes a backend of a folder. All that the build knows of it stands in the folder's call of this function.
#
#   action_triggers_backend(NAME [PACKAGES pkg-config module… HEADERS file… DEBIAN package…] SOURCES file… ALWAYS file…)
#
# With PACKAGES there is an option ACTION_TRIGGERS_WITH_<NAME>, ON unless set: SOURCES, the packages and the definition of
# the same name are part of the build only where it is on; the installed packages ask for PACKAGES too. HEADERS are looked
# for; DEBIAN is what to install where something is missing. ALWAYS is part of every build and includes no header of a
# package: the backend's type and the reading of its configuration.
function(action_triggers_backend name)
  cmake_parse_arguments(PARSE_ARGV 1 backend "" "" "PACKAGES;HEADERS;DEBIAN;SOURCES;ALWAYS")
  string(TOUPPER ${name} upper)
  action_triggers_load_time_sources(${backend_ALWAYS})
  if(backend_PACKAGES)
    list(JOIN backend_PACKAGES ", " packages)
    option(ACTION_TRIGGERS_WITH_${upper} "Build the ${name} backend (needs ${packages})" ON)
    set_property(GLOBAL APPEND PROPERTY ACTION_TRIGGERS_BACKENDS ${upper})
    if(NOT ACTION_TRIGGERS_WITH_${upper})
      return()
    endif()
    action_triggers_find_client(${upper} WHAT "the ${name} backend" PACKAGES ${backend_PACKAGES}
      HEADERS ${backend_HEADERS} DEBIAN ${backend_DEBIAN})
    target_link_libraries(action_triggers_objects PRIVATE PkgConfig::ACTION_TRIGGERS_${upper})
    target_compile_definitions(action_triggers_objects PUBLIC ACTION_TRIGGERS_WITH_${upper})
    set_property(GLOBAL PROPERTY ACTION_TRIGGERS_PACKAGES_${upper} ${ACTION_TRIGGERS_${upper}_MODULES})
    set_property(GLOBAL APPEND PROPERTY ACTION_TRIGGERS_CLIENT_LIBRARIES PkgConfig::ACTION_TRIGGERS_${upper})
  endif()
  target_sources(action_triggers_objects PRIVATE ${backend_SOURCES})
endfunction()

# Sources that run once, at load: they need not be fast, and small they leave the cache to what runs for every message.
function(action_triggers_load_time_sources)
  target_sources(action_triggers_objects PRIVATE ${ARGN})
  if(NOT CMAKE_UNITY_BUILD)  # which leaves out sources with options of their own
    set_source_files_properties(${ARGN} TARGET_DIRECTORY action_triggers_objects
      PROPERTIES COMPILE_OPTIONS "$<$<CONFIG:Release>:-Os>")
  endif()
endfunction()
