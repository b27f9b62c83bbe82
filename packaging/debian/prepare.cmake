# SPDX-License-Identifier: MIT
# Run by CPack when what goes into the packages has been installed: adds what Debian's policy asks of every package.
file(STRINGS ${CPACK_ACTION_TRIGGERS_DEBIAN_DIR}/changelog newest LIMIT_COUNT 1)
set(expected "(${CPACK_PACKAGE_VERSION})")
string(FIND "${newest}" "${expected}" found)
if(found EQUAL -1)
  message(FATAL_ERROR "packaging/debian/changelog has no entry for version ${expected}: it begins with '${newest}'")
endif()

# gzip without name and time: the same package each time.
function(compress file)
  execute_process(COMMAND gzip -9nf ${file} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

foreach(pair IN LISTS CPACK_ACTION_TRIGGERS_PACKAGES)
  string(REPLACE "=" ";" pair ${pair})
  list(GET pair 0 component)
  list(GET pair 1 package)
  set(usr ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/${component}/usr)
  set(doc ${usr}/share/doc/${package})
  file(COPY ${CPACK_ACTION_TRIGGERS_DEBIAN_DIR}/copyright ${CPACK_ACTION_TRIGGERS_DEBIAN_DIR}/changelog DESTINATION ${doc}
       FILE_PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ
       DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
  compress(${doc}/changelog)
  file(GLOB_RECURSE programs ${usr}/bin/* ${usr}/lib/*.so.*)
  foreach(program IN LISTS programs)
    if(NOT IS_SYMLINK ${program})
      execute_process(COMMAND ${CPACK_ACTION_TRIGGERS_STRIP} --strip-unneeded --remove-section=.comment
        --remove-section=.note ${program} COMMAND_ERROR_IS_FATAL ANY)
    endif()
  endforeach()
endforeach()

set(usr ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/action_triggers_command/usr)
compress(${usr}/share/man/man1/action-triggers.1)
# Elsewhere the unit is a file to copy. Here systemd finds it, and it starts when somebody enables it.
file(COPY ${usr}/share/action_triggers/action-triggers-relay.service DESTINATION ${usr}/lib/systemd/system
     DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
file(REMOVE_RECURSE ${usr}/share/action_triggers)
# Debian's zsh looks for what packages bring along in a folder of its own.
file(COPY ${usr}/share/zsh/site-functions/_action-triggers DESTINATION ${usr}/share/zsh/vendor-completions
     DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
file(REMOVE_RECURSE ${usr}/share/zsh/site-functions)
