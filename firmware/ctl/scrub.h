// SPDX-License-Identifier: Apache-2.0
#pragma once
// What leaves the shop for support is looked through once more: whoever it might name, and what
// might open something, is left out. Pure.

#include <set>
#include <string>
#include <string_view>

namespace welcome::ctl {

class Scrub {
 public:
  // Of a person, a tablet, a visit: is left out wherever it stands as a word.
  void add(const std::string& name);
  // Without these names, accounts in addresses (rtsp://user:password@host), hardware addresses, and
  // what is long enough to be a key or an id.
  std::string operator()(std::string_view text) const;

 private:
  std::set<std::string> names_;
};

}  // namespace welcome::ctl
