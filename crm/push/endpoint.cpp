// SPDX-License-Identifier: Apache-2.0
#include "crm/push/endpoint.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace welcome::crm {
namespace {

constexpr std::string_view kScheme = "https://";
constexpr std::size_t kMostChars = 1000, kHostMost = 253;
constexpr std::uint16_t kHttps = 443;
constexpr std::array<std::string_view, 3> kServices{
    "fcm.googleapis.com", "updates.push.services.mozilla.com", "web.push.apple.com"};
constexpr std::string_view kServicesBelow = ".notify.windows.com";

bool is_name(std::string_view host) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyz0123456789-.";
  return !host.empty() && host.size() <= kHostMost &&
         host.find_first_not_of(kAllowed) == std::string_view::npos;
}

}  // namespace

std::string Endpoint::service() const {
  return port == kHttps ? host : host + ":" + std::to_string(port);
}

std::string Endpoint::origin() const { return std::string(kScheme) + service(); }

std::optional<Endpoint> endpoint_of(std::string_view url) {
  if (url.size() > kMostChars || !url.starts_with(kScheme)) return std::nullopt;
  const bool printable =
      std::all_of(url.begin(), url.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (!printable || url.find('#') != std::string_view::npos) return std::nullopt;
  url.remove_prefix(kScheme.size());
  const auto slash = url.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  Endpoint out;
  std::string_view host = url.substr(0, slash);
  if (const auto colon = host.find(':'); colon != std::string_view::npos) {
    const std::string_view port = host.substr(colon + 1);
    const auto [end, wrong] = std::from_chars(port.data(), port.data() + port.size(), out.port);
    if (wrong != std::errc() || end != port.data() + port.size() || out.port == 0) {
      return std::nullopt;
    }
    host = host.substr(0, colon);
  }
  if (!is_name(host)) return std::nullopt;
  out.host = host;
  out.target = url.substr(slash);
  return out;
}

bool is_public_service(const Endpoint& endpoint) {
  if (endpoint.port != kHttps) return false;
  return std::find(kServices.begin(), kServices.end(), endpoint.host) != kServices.end() ||
         endpoint.host.ends_with(kServicesBelow);
}

bool is_one_of(const Endpoint& endpoint, const std::vector<std::string>& known) {
  return std::find(known.begin(), known.end(), endpoint.service()) != known.end();
}

}  // namespace welcome::crm
