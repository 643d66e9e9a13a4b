// SPDX-License-Identifier: Apache-2.0
#pragma once
// Where a browser can be reached: an address at its maker's push service. A page says it, and what
// a page says may be anything: so only services that the company knows are spoken to, by name and
// port.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace welcome::crm {

struct Endpoint {
  std::string host;
  std::uint16_t port = 443;
  std::string target;  // from the first slash on
  std::string origin() const;
  std::string service() const;  // HOST, or HOST:PORT
};

// Of https://HOST[:PORT]/…; nothing: it is no such address.
std::optional<Endpoint> endpoint_of(std::string_view url);

// Those of the makers of browsers: Google, Mozilla, Apple, Microsoft.
bool is_public_service(const Endpoint& endpoint);
// `known`: HOST or HOST:PORT each.
bool is_one_of(const Endpoint& endpoint, const std::vector<std::string>& known);

}  // namespace welcome::crm
