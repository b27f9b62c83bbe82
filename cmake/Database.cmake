# SPDX-License-Identifier: MIT
# Sources of the core, relative to src/, of which `target` has copies where the core is a shared library: it hides them.
function(action_triggers_copies_of_core target)
  get_target_property(type action_triggers TYPE)
  if(type STREQUAL SHARED_LIBRARY)
    list(TRANSFORM ARGN PREPEND ${PROJECT_SOURCE_DIR}/src/)
    target_sources(${target} PRIVATE ${ARGN})
  endif()
endfunction()

# What makes a library of its own of a database's folder. All that the build knows of it stands in the folder's call.
#
#   action_triggers_database(NAME PACKAGES pkg-config module… HEADERS file… DEBIAN package… SOURCES file…
#                            [CORE_SOURCES file…])
#
# There is an option ACTION_TRIGGERS_WITH_<NAME>: ON where the packages are found, and always in a developer's build.
# Where it is on, action_triggers_<NAME> is the library, action_triggers::<NAME> to its users (a component of the
# installed package), and the core has the definition of the option's name. As the core, the library is made of objects,
# so that tests see what it hides. CORE_SOURCES: of the core, for action_triggers_copies_of_core().
function(action_triggers_database name)
  cmake_parse_arguments(PARSE_ARGV 1 database "" "" "PACKAGES;HEADERS;DEBIAN;SOURCES;CORE_SOURCES")
  string(TOUPPER ${name} upper)
  set(packages ACTION_TRIGGERS_${upper})
  find_package(PkgConfig)
  if(PkgConfig_FOUND)
    pkg_check_modules(${packages} QUIET IMPORTED_TARGET GLOBAL ${database_PACKAGES})
  endif()
  set(default ${ACTION_TRIGGERS_DEVELOPER})
  if(TARGET PkgConfig::${packages})
    set(default ON)
  endif()
  list(JOIN database_PACKAGES ", " needs)
  option(ACTION_TRIGGERS_WITH_${upper} "Build action_triggers::${name} (needs ${needs}; ON where it is found)" ${default})
  set_property(GLOBAL APPEND PROPERTY ACTION_TRIGGERS_DATABASES ${name})
  if(NOT ACTION_TRIGGERS_WITH_${upper})
    return()
  endif()
  action_triggers_find_client(${upper} WHAT "action_triggers::${name}" PACKAGES ${database_PACKAGES}
    HEADERS ${database_HEADERS} DEBIAN ${database_DEBIAN})
  target_compile_definitions(action_triggers_objects PUBLIC ACTION_TRIGGERS_WITH_${upper})
  set_property(GLOBAL PROPERTY ACTION_TRIGGERS_PACKAGES_${upper} ${database_PACKAGES})

  set(objects action_triggers_${name}_objects)
  add_library(${objects} OBJECT ${database_SOURCES})
  target_compile_features(${objects} PUBLIC cxx_std_20)
  set_target_properties(${objects} PROPERTIES
    CXX_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  target_include_directories(${objects} PUBLIC ${PROJECT_SOURCE_DIR}/include PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(${objects} PRIVATE PkgConfig::${packages})
  action_triggers_developer_flags(${objects})

  add_library(action_triggers_${name})
  action_triggers_copies_of_core(action_triggers_${name} ${database_CORE_SOURCES})
  add_library(action_triggers::${name} ALIAS action_triggers_${name})
  target_link_libraries(action_triggers_${name} PRIVATE $<BUILD_INTERFACE:${objects}> PUBLIC action_triggers
                        PRIVATE PkgConfig::${packages})
  target_include_directories(action_triggers_${name} PRIVATE ${PROJECT_SOURCE_DIR}/src)
  action_triggers_developer_flags(action_triggers_${name})
  set_target_properties(action_triggers_${name} PROPERTIES
    CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    EXPORT_NAME ${name} LINKER_LANGUAGE CXX CXX_EXTENSIONS OFF
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
endfunction()
