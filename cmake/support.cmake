# SPDX-License-Identifier: Apache-2.0
# SUPPORTED and REPORT, as SECURITY.md says them: it is the one place where they stand.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/SECURITY.md)
file(READ ${PROJECT_SOURCE_DIR}/SECURITY.md security)
string(REGEX REPLACE "[ \n]+" " " security "${security}")
if(NOT security MATCHES "\\*\\*Supported\\*\\* is ([^*\"\\]+[.]) \\*\\*")
  message(FATAL_ERROR "SECURITY.md has no paragraph \"**Supported** is …\", which welcomectl support says")
endif()
string(STRIP "${CMAKE_MATCH_1}" SUPPORTED)
if(NOT security MATCHES "\\*\\*Report\\*\\* it ([^*.\"\\]+)[.]")
  message(FATAL_ERROR "SECURITY.md has no paragraph \"**Report** it …\", which welcomectl support says")
endif()
string(STRIP "${CMAKE_MATCH_1}" REPORT)
