# SPDX-License-Identifier: MIT
# An overlay port: it builds the checkout that it lies in. In a registry vcpkg_from_github() takes the place of this line.
get_filename_component(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)

vcpkg_check_features(OUT_FEATURE_OPTIONS FEATURE_OPTIONS
  FEATURES
    kafka      ACTION_TRIGGERS_WITH_KAFKA
    rabbitmq   ACTION_TRIGGERS_WITH_RABBITMQ
    postgresql ACTION_TRIGGERS_WITH_POSTGRESQL
    sqlite     ACTION_TRIGGERS_WITH_SQLITE)
vcpkg_find_acquire_program(PKGCONFIG)
vcpkg_cmake_configure(
  SOURCE_PATH "${SOURCE_PATH}"
  OPTIONS
    ${FEATURE_OPTIONS}
    -DACTION_TRIGGERS_BUILD_CLI=OFF
    -DACTION_TRIGGERS_BUILD_TESTING=OFF
    "-DPKG_CONFIG_EXECUTABLE=${PKGCONFIG}")
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(PACKAGE_NAME action_triggers CONFIG_PATH lib/cmake/action_triggers)
vcpkg_fixup_pkgconfig()

file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug/include")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
file(INSTALL "${CMAKE_CURRENT_LIST_DIR}/usage" DESTINATION "${CURRENT_PACKAGES_DIR}/share/${PORT}")
