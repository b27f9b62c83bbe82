# SPDX-License-Identifier: MIT
# Processes that die at any statement, and files that fail: a program a database, each with the file that says which.
add_library(action_triggers_fault_shim MODULE fault_shim.cpp)
target_compile_features(action_triggers_fault_shim PRIVATE cxx_std_20)
target_link_libraries(action_triggers_fault_shim PRIVATE ${CMAKE_DL_LIBS})
action_triggers_developer_flags(action_triggers_fault_shim)

add_executable(action_triggers_outbox_process appending_broker.cpp outbox_process.cpp)
target_include_directories(action_triggers_outbox_process PRIVATE ..)
target_link_libraries(action_triggers_outbox_process PRIVATE action_triggers)
action_triggers_developer_flags(action_triggers_outbox_process)

foreach(database postgresql sqlite)
  string(TOUPPER ${database} upper)
  if(ACTION_TRIGGERS_WITH_${upper})
    foreach(target action_triggers_fault_shim action_triggers_outbox_process)
      target_compile_definitions(${target} PRIVATE ACTION_TRIGGERS_WITH_${upper})
      target_link_libraries(${target} PRIVATE PkgConfig::ACTION_TRIGGERS_${upper})
    endforeach()
    target_link_libraries(action_triggers_outbox_process PRIVATE action_triggers_${database})
  endif()
endforeach()

# action_triggers_process_fault_test(DATABASE SOURCES source... LIBRARIES library...)
function(action_triggers_process_fault_test database)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LIBRARIES")
  string(TOUPPER ${database} upper)
  set(program action_triggers_${database}_fault_tests)
  action_triggers_test(${program}
    SOURCES child_program.cpp committed_ledger.cpp dead_letter_kill_test.cpp old_schema_test.cpp outbox_world.cpp statement_kill_test.cpp
      ${database}_under_test.cpp ${arg_SOURCES}
    LIBRARIES PkgConfig::ACTION_TRIGGERS_${upper} GTest::gmock ${arg_LIBRARIES})
  target_include_directories(${program} PRIVATE .. ../../src)
  target_compile_definitions(${program} PRIVATE
    ACTION_TRIGGERS_COMMAND="$<TARGET_FILE:action_triggers_cli>"
    ACTION_TRIGGERS_FAULT_SHIM="$<TARGET_FILE:action_triggers_fault_shim>"
    ACTION_TRIGGERS_OUTBOX_PROCESS="$<TARGET_FILE:action_triggers_outbox_process>")
  add_dependencies(${program} action_triggers_cli action_triggers_fault_shim action_triggers_outbox_process)
endfunction()

if(ACTION_TRIGGERS_WITH_SQLITE)
  action_triggers_process_fault_test(sqlite
    SOURCES sqlite_fault_restore_test.cpp sqlite_fault_test.cpp
    LIBRARIES action_triggers_sqlite_objects action_triggers_objects nlohmann_json::nlohmann_json
      ${ACTION_TRIGGERS_CLIENT_LIBRARIES} GTest::gmock_main)
  gtest_discover_tests(action_triggers_sqlite_fault_tests TEST_PREFIX sqlite. PROPERTIES TIMEOUT 900 LABELS faults)
endif()
if(ACTION_TRIGGERS_WITH_POSTGRESQL)
  action_triggers_process_fault_test(postgresql
    SOURCES ../databases/postgresql/main.cpp ../databases/postgresql/server.cpp
    LIBRARIES action_triggers_postgresql_objects action_triggers_objects nlohmann_json::nlohmann_json
      ${ACTION_TRIGGERS_CLIENT_LIBRARIES})
  gtest_discover_tests(action_triggers_postgresql_fault_tests TEST_PREFIX postgresql.
    PROPERTIES TIMEOUT 900 LABELS faults FIXTURES_REQUIRED postgresql RESOURCE_LOCK postgresql
      ENVIRONMENT "ACTION_TRIGGERS_RUN=${PROJECT_SOURCE_DIR}/build/servers/postgresql")
endif()
