// SPDX-License-Identifier: Apache-2.0
#pragma once
// One question over HTTPS, by libcurl: bounded in time and size, no redirect followed, TLS 1.2 at
// least, certificates that the machine trusts. In clear to this machine alone. Any thread; the
// first call is to come before others are started.

#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"

namespace welcome::ctl {

struct Answer {
  long status = 0;
  std::string body;
};

// https://my.example.com of https://my.example.com/phone/#…; nothing: that is no address for us.
std::optional<std::string> origin_of(const std::string& url);

// Sends JSON. Errors: unavailable (says in plain words what is between us and them, and what to
// do), malformed (it answers more than it may).
Result<Answer> post_json(const std::string& url, std::string_view body);

}  // namespace welcome::ctl
