# SPDX-License-Identifier: MIT
# Debian packages by CPack: the preset `debian` builds them. See docs/install.md.
#   libaction-triggersX.Y   the shared libraries, the databases' too: all have the same soname version
#   libaction-triggers-dev  headers, and the files for CMake and pkg-config
#   action-triggers         the command with its manual page, completion for bash, and the relay's unit for systemd
set(debian ${CMAKE_CURRENT_LIST_DIR})
set(library_package libaction-triggers${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME action-triggers)
set(CPACK_PACKAGE_VENDOR "the action_triggers authors")
set(CPACK_PACKAGE_CONTACT "the action_triggers authors <action-triggers@example.org>" CACHE STRING
  "Who answers for the packages: Name <mail address>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_COMPONENTS_ALL action_triggers_runtime action_triggers_development action_triggers_command)
set(CPACK_PRE_BUILD_SCRIPTS ${debian}/prepare.cmake)
set(CPACK_POST_BUILD_SCRIPTS ${debian}/finish.cmake)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_ENABLE_COMPONENT_DEPENDS ON)
# The first line of each description; what follows is a package's own.
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "trigger-driven messages to Kafka and RabbitMQ")
set(text "What an application does in its hooks becomes messages to Kafka and RabbitMQ:
fire() returns at once, and each message has exactly one report of what became
of it. An outbox in PostgreSQL or SQLite keeps messages with the transaction
that they belong to.
.")

set(CPACK_DEBIAN_ACTION_TRIGGERS_RUNTIME_PACKAGE_NAME ${library_package})
set(CPACK_DEBIAN_ACTION_TRIGGERS_RUNTIME_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_ACTION_TRIGGERS_RUNTIME_PACKAGE_SHLIBDEPS ON)
set(CPACK_COMPONENT_ACTION_TRIGGERS_RUNTIME_DESCRIPTION
  "${text}\nThis package has the shared libraries.")

set(CPACK_DEBIAN_ACTION_TRIGGERS_DEVELOPMENT_PACKAGE_NAME libaction-triggers-dev)
set(CPACK_DEBIAN_ACTION_TRIGGERS_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_ACTION_TRIGGERS_DEVELOPMENT_PACKAGE_SUGGESTS "nlohmann-json3-dev, libgtest-dev, libgmock-dev")
set(CPACK_COMPONENT_ACTION_TRIGGERS_DEVELOPMENT_DEPENDS action_triggers_runtime)
set(CPACK_COMPONENT_ACTION_TRIGGERS_DEVELOPMENT_DESCRIPTION
  "${text}\nThis package has the headers, and what CMake and pkg-config need.")

set(CPACK_DEBIAN_ACTION_TRIGGERS_COMMAND_PACKAGE_NAME action-triggers)
set(CPACK_DEBIAN_ACTION_TRIGGERS_COMMAND_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_ACTION_TRIGGERS_COMMAND_PACKAGE_SHLIBDEPS ON)
set(CPACK_COMPONENT_ACTION_TRIGGERS_COMMAND_DEPENDS action_triggers_runtime)
set(CPACK_COMPONENT_ACTION_TRIGGERS_COMMAND_DESCRIPTION
  "${text}\nThis package has the command action-triggers, which checks configurations,
sends messages and runs the relay of an outbox.")

# The databases' libraries are found where the core's is; what is installed says which package has it.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${PROJECT_BINARY_DIR} ${PROJECT_BINARY_DIR}/src/databases/postgresql
    ${PROJECT_BINARY_DIR}/src/databases/sqlite)
set(ACTION_TRIGGERS_SHLIBS "")
foreach(library action_triggers action_triggers_postgresql action_triggers_sqlite)
  string(APPEND ACTION_TRIGGERS_SHLIBS "lib${library} ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR} "
    "${library_package} (>= ${PROJECT_VERSION})\n")
endforeach()
file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/debian/shlibs CONTENT "${ACTION_TRIGGERS_SHLIBS}"
     FILE_PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
set(CPACK_DEBIAN_ACTION_TRIGGERS_RUNTIME_PACKAGE_CONTROL_EXTRA
  "${PROJECT_BINARY_DIR}/debian/shlibs;${debian}/library/triggers")
set(CPACK_DEBIAN_ACTION_TRIGGERS_COMMAND_PACKAGE_CONTROL_EXTRA
  "${debian}/command/postinst;${debian}/command/prerm;${debian}/command/postrm")

# For prepare.cmake and finish.cmake.
set(CPACK_ACTION_TRIGGERS_DEBIAN_DIR ${debian})
set(CPACK_ACTION_TRIGGERS_STRIP ${CMAKE_STRIP})
set(CPACK_ACTION_TRIGGERS_PACKAGES "action_triggers_runtime=${library_package}"
  "action_triggers_development=libaction-triggers-dev" "action_triggers_command=action-triggers")
include(CPack)
