// SPDX-License-Identifier: Apache-2.0
#pragma once
// Every key of the configuration: where it stands, its default, what it takes, what it means. The
// parser, --help, docs/configuration.md and the messages of wrong values are made from this.

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/daemon/config.h"

namespace welcome::daemon {

struct Setting {
  struct WordText {
    std::string_view word, meaning;
  };

  std::string key;
  std::string fallback;         // as it would stand in a file
  std::string what;             // for people
  std::vector<WordText> words;  // the only values it takes; none = anything that `set` accepts
  // Puts a value into the configuration, or says what is wrong with it ("is out of range (1 … 9)").
  std::function<std::optional<std::string>(Config&, const std::string&)> set;
  bool reloads = false;  // a reload is enough for it
};

struct Section {
  std::string name;
  std::vector<Setting> settings;
};

// In the order of the documentation. `cameras`: names of the sections [camera.NAME], whose settings
// go to Config::cameras[1], [2] …; those of [camera] go to cameras[0].
std::vector<Section> config_sections(const std::vector<std::string>& cameras);

}  // namespace welcome::daemon
