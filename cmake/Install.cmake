# SPDX-License-Identifier: MIT
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/action_triggers)
set(installed_targets action_triggers)
if(ACTION_TRIGGERS_BUILD_TESTING)
  list(APPEND installed_targets action_triggers_testing)
endif()
install(TARGETS ${installed_targets} EXPORT action_triggers_targets)
if(ACTION_TRIGGERS_BUILD_CLI)
  install(TARGETS action_triggers_cli)
  install(FILES src/cli/action-triggers.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
  install(FILES src/cli/completion.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
          RENAME action-triggers)
endif()
install(DIRECTORY include/action_triggers DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT action_triggers_targets NAMESPACE action_triggers:: DESTINATION ${package_dir})

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
        "if(NOT action_triggers_FOUND)\n  return()\nendif()\n")
      string(REPLACE ">=" " >= " packages "${packages}")
      string(APPEND pc_requires " ${packages}")
    endif()
  endif()
endforeach()

configure_package_config_file(cmake/action_triggersConfig.cmake.in action_triggersConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
# Before 1.0 a minor version may break users.
write_basic_package_version_file(action_triggersConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/action_triggersConfig.cmake ${PROJECT_BINARY_DIR}/action_triggersConfigVersion.cmake
        DESTINATION ${package_dir})

set(pc_prefix "${CMAKE_INSTALL_PREFIX}")
set(pc_libdir "${CMAKE_INSTALL_FULL_LIBDIR}")
if(NOT IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")  # then the installed tree may be moved
  file(RELATIVE_PATH up "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
  string(REGEX REPLACE "/$" "" up "${up}")
  set(pc_prefix "\${pcfiledir}/${up}")
  set(pc_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
endif()
configure_file(cmake/action_triggers.pc.in action_triggers.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/action_triggers.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
