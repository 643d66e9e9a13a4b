// SPDX-License-Identifier: Apache-2.0
#pragma once
// The INI files of the configuration as text: which value stands where. Knows no key; see
// settings.h. Start-up only, any thread.

#include <filesystem>
#include <string>
#include <vector>

namespace welcome::daemon {

struct Given {
  std::string section, key, value;
  std::string where;  // "/etc/welcomed/welcomed.conf:7" or "command line"

  std::string name() const { return section + "." + key; }
};

struct ConfigText {
  std::vector<Given> values;       // in their order
  std::vector<Given> sections;     // headers: key and value are empty
  std::vector<std::string> wrong;  // complete sentences, with file and line
  std::vector<std::string> notes;  // the same, of what may be meant otherwise
};

// What welcomectl config set writes, in conf.d.
inline constexpr const char* kLocalFile = "90-local.conf";

struct ConfigFile {
  std::filesystem::path name;  // as complaints call it
  std::filesystem::path text;  // where it is read
};

// A '#' begins a comment at the start of a line and after white space; elsewhere it is part of the
// value. `name`: what complaints call the file.
void read_config_file(const std::filesystem::path& file, const std::filesystem::path& name,
                      ConfigText& out);

// The file itself, then conf.d/*.conf beside it in name order. `instead`: read in the place of
// kLocalFile, be that there or not; empty: nothing is.
std::vector<ConfigFile> config_files(const std::filesystem::path& main_file,
                                     const std::filesystem::path& instead);

}  // namespace welcome::daemon
