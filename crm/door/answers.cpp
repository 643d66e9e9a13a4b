// SPDX-License-Identifier: Apache-2.0
#include "crm/door/answers.h"

#include <nlohmann/json.hpp>

namespace welcome::crm {
namespace {

constexpr std::size_t kNameMost = 60;  // bytes
constexpr int kRetryAfterS = 10;

}  // namespace

Response ok(const nlohmann::json& body) {
  Response out;
  out.body = body.dump();
  return out;
}

Response nothing() {
  Response out;
  out.status = 204;
  return out;
}

Response malformed() { return problem(400, "malformed", "The request is not as described"); }

Response again_later(int status, const char* name, const char* title) {
  Response out = problem(status, name, title);
  out.retry_after_s = kRetryAfterS;
  return out;
}

Response tried_too_often() {
  return again_later(429, "too-many-requests", "Too many tries: again a little later");
}

Response step_up_needed() {
  return problem(403, "step-up-needed",
                 "Confirm that it is you first: with a passkey, or a new link on this device");
}

std::string clean_name(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7F) out += c;
  }
  if (out.size() <= kNameMost) return out;
  std::size_t end = kNameMost;
  while (end > 0 && (static_cast<unsigned char>(out[end]) & 0xC0) == 0x80) --end;
  return out.substr(0, end);
}

}  // namespace welcome::crm
