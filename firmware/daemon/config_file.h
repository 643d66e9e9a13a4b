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
};

// A '#' begins a comment at the start of a line and after white space; elsewhere it is part of the
// value.
void read_config_file(const std::filesystem::path& file, ConfigText& out);

// The file itself, then conf.d/*.conf beside it in name order.
std::vector<std::filesystem::path> config_files(const std::filesystem::path& main_file);

}  // namespace welcome::daemon
