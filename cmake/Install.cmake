# SPDX-License-Identifier: MIT
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# Components, for who packages: action_triggers_runtime has the shared libraries, action_triggers_development what is
# needed to build against the library, action_triggers_command the command.
function(action_triggers_install_library target export)
  install(TARGETS ${target} EXPORT ${export}
    RUNTIME COMPONENT action_triggers_runtime
    LIBRARY COMPONENT action_triggers_runtime NAMELINK_COMPONENT action_triggers_development
    ARCHIVE COMPONENT action_triggers_development)
endfunction()
set(development COMPONENT action_triggers_development)
set(command COMPONENT action_triggers_command)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/action_triggers)
action_triggers_install_library(action_triggers action_triggers_targets)
if(ACTION_TRIGGERS_BUILD_TESTING)
  action_triggers_install_library(action_triggers_testing action_triggers_targets)
endif()
if(ACTION_TRIGGERS_BUILD_CLI)
  install(TARGETS action_triggers_cli RUNTIME ${command})
  install(FILES src/cli/action-triggers.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 ${command})
  install(FILES src/cli/completion.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
          RENAME action-triggers ${command})
  install(FILES src/cli/completion.zsh DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions
          RENAME _action-triggers ${command})
  install(FILES src/cli/completion.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d
          RENAME action-triggers.fish ${command})
  # To copy and adapt; nothing starts by being installed.
  install(FILES src/cli/action-triggers-relay.service DESTINATION ${CMAKE_INSTALL_DATADIR}/action_triggers ${command})
endif()
install(DIRECTORY include/action_triggers DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} ${development})
install(EXPORT action_triggers_targets NAMESPACE action_triggers:: DESTINATION ${package_dir} ${development})

# What the packages say of the backends: a static library comes without the clients that it is made of, so whoever links
# it links them, too. (Not as Requires.private: that would ask for static clients, and Debian's have no dependencies.)
set(backend_lines "")
set(pc_requires "")
get_property(backends GLOBAL PROPERTY ACTION_TRIGGERS_BACKENDS)
foreach(backend IN LISTS backends)
  string(APPEND backend_lines "set(action_triggers_WITH_${backend} ${ACTION_TRIGGERS_WITH_${backend}})\n")
  if(ACTION_TRIGGERS_WITH_${backend})
    get_property(packages GLOBAL PROPERTY ACTION_TRIGGERS_PACKAGES_${backend})
    list(JOIN packages " " packages)
    if(NOT BUILD_SHARED_LIBS)
      string(APPEND backend_lines "action_triggers_find_clients(ACTION_TRIGGERS_${backend} ${packages})\n"
        "if(NOT action_triggers_CLIENTS_FOUND)\n  set(action_triggers_FOUND FALSE)\n  return()\nendif()\n")
      string(REPLACE ">=" " >= " packages "${packages}")
      string(APPEND pc_requires " ${packages}")
    endif()
  endif()
endforeach()

# Each database is a library of its own, for those who ask for it.
set(database_lines "")
get_property(databases GLOBAL PROPERTY ACTION_TRIGGERS_DATABASES)
foreach(database IN LISTS databases)
  string(TOUPPER ${database} upper)
  if(NOT ACTION_TRIGGERS_WITH_${upper})
    string(APPEND database_lines "list(APPEND action_triggers_OTHER_DATABASES ${database})\n")
    continue()
  endif()
  action_triggers_install_library(action_triggers_${database} action_triggers_${database}_targets)
  install(EXPORT action_triggers_${database}_targets NAMESPACE action_triggers:: DESTINATION ${package_dir} ${development})
  string(APPEND database_lines "list(APPEND action_triggers_DATABASES ${database})\n")
  get_property(packages GLOBAL PROPERTY ACTION_TRIGGERS_PACKAGES_${upper})
  if(NOT BUILD_SHARED_LIBS)
    string(APPEND database_lines "set(action_triggers_CLIENTS_OF_${database} ${packages})\n")
  endif()
endforeach()

configure_package_config_file(cmake/action_triggersConfig.cmake.in action_triggersConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
# Before 1.0 a minor version may break users.
write_basic_package_version_file(action_triggersConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/action_triggersConfig.cmake ${PROJECT_BINARY_DIR}/action_triggersConfigVersion.cmake
        DESTINATION ${package_dir} ${development})

set(pc_prefix "${CMAKE_INSTALL_PREFIX}")
set(pc_libdir "${CMAKE_INSTALL_FULL_LIBDIR}")
if(NOT IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")  # then the installed tree may be moved
  file(RELATIVE_PATH up "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
  string(REGEX REPLACE "/$" "" up "${up}")
  set(pc_prefix "\${pcfiledir}/${up}")
  set(pc_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
endif()
configure_file(cmake/action_triggers.pc.in action_triggers.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/action_triggers.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig ${development})
foreach(database IN LISTS databases)
  string(TOUPPER ${database} upper)
  if(ACTION_TRIGGERS_WITH_${upper})
    set(pc_requires "")
    if(NOT BUILD_SHARED_LIBS)
      get_property(packages GLOBAL PROPERTY ACTION_TRIGGERS_PACKAGES_${upper})
      list(JOIN packages " " packages)
      string(REPLACE ">=" " >= " packages "${packages}")
      set(pc_requires " ${packages}")
    endif()
    configure_file(cmake/action_triggers_database.pc.in action_triggers_${database}.pc @ONLY)
    install(FILES ${PROJECT_BINARY_DIR}/action_triggers_${database}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig ${development})
  endif()
endforeach()

if(PROJECT_IS_TOP_LEVEL)
  include(packaging/debian/packages.cmake)
endif()
