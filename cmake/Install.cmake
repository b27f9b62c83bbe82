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
endif()
install(DIRECTORY include/action_triggers DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT action_triggers_targets NAMESPACE action_triggers:: DESTINATION ${package_dir})

configure_package_config_file(cmake/action_triggersConfig.cmake.in action_triggersConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
# Before 1.0 a minor version may break users.
write_basic_package_version_file(action_triggersConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/action_triggersConfig.cmake ${PROJECT_BINARY_DIR}/action_triggersConfigVersion.cmake
        DESTINATION ${package_dir})

# For a static library pkg-config must name what it is made of.
set(pc_private "")
if(ACTION_TRIGGERS_WITH_KAFKA)
  string(APPEND pc_private " rdkafka")
endif()
if(ACTION_TRIGGERS_WITH_RABBITMQ)
  string(APPEND pc_private " librabbitmq openssl")
endif()
configure_file(cmake/action_triggers.pc.in action_triggers.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/action_triggers.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
