// SPDX-License-Identifier: Apache-2.0
#include "crm/cli/door_address.h"

#include "mqtt/loopback.h"

namespace welcome::crm::cli {

namespace {

// https://my.example.com of whatever stands behind it. Empty: it is no address of a door.
std::string door_at(const std::string& url) {
  const bool secure = url.starts_with("https://");
  if (!secure && !url.starts_with("http://")) return {};
  const auto from = url.find("//") + 2;
  const std::string host = url.substr(from, url.find_first_of("/?#", from) - from);
  if (host.empty() || host.find_first_of("@\\\" ") != std::string::npos) return {};
  if (!secure && !mqtt::on_this_machine(host.substr(0, host.rfind(':')))) return {};
  return url.substr(0, from) + host;
}

}  // namespace

std::string door_of(const Call& call, Opened& opened) {
  std::string said = said_last(call, opened, "door", "door");
  if (said.empty()) said = opened.crm.page_address();  // its proxy hands /v1/ to the door
  std::string door = door_at(said);
  if (door.empty()) {
    throw Usage(said.empty() ? "nobody has said where the door is: --door https://my.example.com"
                             : "--door is an address like https://my.example.com");
  }
  return door;
}

}  // namespace welcome::crm::cli
