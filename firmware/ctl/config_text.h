// SPDX-License-Identifier: Apache-2.0
#pragma once
// One value put into, or taken out of, the text of a configuration file; everything else stays as
// somebody wrote it. Pure.

#include <optional>
#include <string>
#include <string_view>

namespace welcome::ctl {

// Section and key of "camera.desk.fps"; nothing: it is no such name.
struct KeyName {
  std::string section, key;
};
std::optional<KeyName> key_name(std::string_view name);

// A comment behind the value stays. A key that is not there comes to the end of its section, or
// with a new one to the end of the file.
std::string with_value(const std::string& text, const KeyName& name, const std::string& value);
// A section whose last line goes with it goes, too. Nothing: it is not there.
std::optional<std::string> without_value(const std::string& text, const KeyName& name);

// Whether a file can say this value: one line, without what would be cut off.
bool can_be_said(std::string_view value);

}  // namespace welcome::ctl
