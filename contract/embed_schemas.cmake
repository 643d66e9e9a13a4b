# SPDX-License-Identifier: Apache-2.0
# cmake -DOUTPUT=… -DDIR=… -P embed_schemas.cmake
# Writes a C++ file with every schema of DIR as text, so that the program needs no files to check
# what it receives.
file(GLOB files ${DIR}/*.json)
list(SORT files)
set(code "#include \"contract/schema_set.h\"\n\nnamespace welcome::contract {\n\n")
string(APPEND code "const std::vector<SchemaText>& schema_texts() {\n")
string(APPEND code "  static const std::vector<SchemaText> texts{\n")
foreach(file IN LISTS files)
  get_filename_component(name ${file} NAME)
  string(REGEX REPLACE "[.]json$" "" name ${name})
  file(READ ${file} text)
  string(APPEND code "      {\"${name}\", R\"__schema(${text})__schema\"},\n")
endforeach()
string(APPEND code "  };\n  return texts;\n}\n\n}  // namespace welcome::contract\n")
file(WRITE ${OUTPUT} "${code}")
