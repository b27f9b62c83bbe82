# SPDX-License-Identifier: MIT
# Writes a copy of a source file with one line made wrong: -DSOURCE= -DCOPY= -DRIGHT= -DWRONG=
file(READ "${SOURCE}" text)
string(REGEX REPLACE "[.]$" ";" RIGHT "${RIGHT}")  # a semicolon would end an argument on the way here
string(REGEX REPLACE "[.]$" ";" WRONG "${WRONG}")
string(FIND "${text}" "${RIGHT}" at)
if(at EQUAL -1)
  message(FATAL_ERROR "${SOURCE} does not contain: ${RIGHT}")
endif()
string(REPLACE "${RIGHT}" "${WRONG}" text "${text}")
file(WRITE "${COPY}" "${text}")
