// SPDX-License-Identifier: Apache-2.0
#pragma once
// Texts of campaigns: Mustache (mustache.5) without lambdas, partials, unescaped tags and changed
// delimiters. A variable without a value is an error, so that nobody reads "Hello , …"; sections
// say what to do without it: {{#greeting}}Hello
// {{greeting}}{{/greeting}}{{^greeting}}Hello{{/greeting}}
//
// Values are plain text for plain text: control and direction-changing characters are dropped,
// and a value that looks like a tag stays text.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace welcome {

using TextValues = std::map<std::string, std::string, std::less<>>;

class TextTemplate {
 public:
  static constexpr std::size_t kMaxBytes = 4000;

  // `refused` with the place and reason.
  static Result<TextTemplate> parse(std::string_view source);

  // `not_found` names the first variable that has no value.
  Result<std::string> render(const TextValues& values) const;

  // Every name used, in variables and sections, sorted.
  const std::vector<std::string>& names() const { return names_; }

 private:
  struct Parsed;
  std::shared_ptr<Parsed> parsed_;  // not changed after parse(), but its renderer is not const
  std::vector<std::string> names_;
};

// Drops what a plain-text reader should not meet: control characters become a space, direction
// overrides vanish, length is cut at `max_bytes` between two characters.
std::string plain_text(std::string_view text, std::size_t max_bytes = 200);

// At most two decimals, no trailing zeros: "0.5", "12".
std::string number_text(double value);

}  // namespace welcome
