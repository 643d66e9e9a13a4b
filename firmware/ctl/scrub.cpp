// SPDX-License-Identifier: Apache-2.0
#include "firmware/ctl/scrub.h"

#include <algorithm>
#include <cctype>

namespace welcome::ctl {

namespace {

constexpr std::size_t kHexOfAKey = 24;
constexpr std::size_t kBase64OfAKey = 40;
constexpr std::size_t kBase64InAPath = 24;
constexpr std::size_t kHardwareAddress = 17;  // aa:bb:cc:dd:ee:ff
constexpr std::size_t kUuid = 36;

bool is_hex(char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; }
// Of a word in any alphabet.
bool is_word(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return std::isalnum(byte) != 0 || byte >= 0x80;
}
bool is_token(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
         std::string_view("+/=_-").find(c) != std::string_view::npos;
}

bool is_hardware_address(std::string_view text) {
  if (text.size() < kHardwareAddress) return false;
  const char between = text[2];
  if (between != ':' && between != '-' && between != '_') return false;
  for (std::size_t i = 0; i < kHardwareAddress; ++i) {
    if (i % 3 == 2 ? text[i] != between : !is_hex(text[i])) return false;
  }
  return true;
}

bool is_uuid(std::string_view text) {
  if (text.size() < kUuid) return false;
  for (std::size_t i = 0; i < kUuid; ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !is_hex(text[i])) return false;
  }
  return true;
}

bool may_be_a_key(std::string_view token, std::size_t base64) {
  const auto any = [&](auto is) {
    return std::any_of(token.begin(), token.end(),
                       [&](char c) { return is(static_cast<unsigned char>(c)) != 0; });
  };
  if (token.size() >= kHexOfAKey && std::all_of(token.begin(), token.end(), is_hex)) return true;
  return token.size() >= base64 && any([](int c) { return std::isupper(c); }) &&
         any([](int c) { return std::islower(c); }) && any([](int c) { return std::isdigit(c); });
}

// A path is looked at name by name, and more closely.
std::string without_key(std::string_view token) {
  constexpr const char* kLeftOut = "(key or id)";
  if (!token.starts_with('/'))
    return may_be_a_key(token, kBase64OfAKey) ? kLeftOut : std::string(token);
  std::string out;
  while (!token.empty()) {
    const auto name = token.substr(1, token.find('/', 1) - 1);
    out += "/" + (may_be_a_key(name, kBase64InAPath) ? kLeftOut : std::string(name));
    token.remove_prefix(1 + name.size());
  }
  return out;
}

std::string without_accounts(std::string_view text) {
  std::string out;
  while (true) {
    const auto scheme = text.find("://");
    if (scheme == std::string_view::npos) return out.append(text);
    out.append(text.substr(0, scheme + 3));
    text.remove_prefix(scheme + 3);
    // A password may hold anything but what ends an address.
    const auto host_end = std::min(text.find_first_of(" \t\n\"'<>"), text.size());
    const auto at = text.substr(0, host_end).rfind('@');
    if (at == std::string_view::npos) continue;
    out += "(left out)";
    text.remove_prefix(at);
  }
}

std::string without_keys(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto rest = text.substr(i);
    if (is_hardware_address(rest)) {
      out += "(hardware address)";
      i += kHardwareAddress;
    } else if (is_uuid(rest)) {
      out += "(id)";
      i += kUuid;
    } else if (is_token(text[i]) && (i == 0 || !is_token(text[i - 1]))) {
      std::size_t size = 1;
      while (size < rest.size() && is_token(rest[size]) && !is_uuid(rest.substr(size)) &&
             !is_hardware_address(rest.substr(size))) {
        ++size;
      }
      out += without_key(rest.substr(0, size));
      i += size;
    } else {
      out += text[i++];
    }
  }
  return out;
}

std::string without(const std::string& name, const std::string& text) {
  std::string out;
  std::size_t at = 0;
  for (auto found = text.find(name); found != std::string::npos; found = text.find(name, found)) {
    const auto end = found + name.size();
    const bool whole =
        (found == 0 || !is_word(text[found - 1])) && (end == text.size() || !is_word(text[end]));
    if (whole) {
      out.append(text, at, found - at).append("(name)");
      at = end;
    }
    found = whole ? end : found + 1;
  }
  return out.append(text, at);
}

}  // namespace

void Scrub::add(const std::string& name) {
  if (!name.empty()) names_.insert(name);
}

std::string Scrub::operator()(std::string_view text) const {
  std::string out = without_accounts(text);
  // From behind: a name that begins with another one comes first.
  for (auto name = names_.rbegin(); name != names_.rend(); ++name) out = without(*name, out);
  return without_keys(out);
}

}  // namespace welcome::ctl
