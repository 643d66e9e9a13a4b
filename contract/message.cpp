// SPDX-License-Identifier: Apache-2.0
#include "contract/message.h"

#include <array>
#include <sodium.h>
#include <stdexcept>

#include "contract/topics.h"
#include "core/hex.h"

namespace welcome::contract {

std::string_view to_string(LinkName link) { return link == LinkName::uplink ? "uplink" : "floor"; }

std::optional<LinkName> link_from_string(std::string_view text) {
  if (text == "uplink") return LinkName::uplink;
  if (text == "floor") return LinkName::floor;
  return std::nullopt;
}

std::string content_type_of(std::string_view topic) {
  const auto parsed = parse_topic(topic);
  if (parsed && parsed->kind == TopicKind::event) return "application/cloudevents+json";
  return "application/json";
}

std::string new_uuid() {
  static const bool ready = sodium_init() >= 0;
  if (!ready) throw std::runtime_error("libsodium does not start");
  std::array<std::uint8_t, 16> bytes{};
  randombytes_buf(bytes.data(), bytes.size());
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0F) | 0x40);  // version 4
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3F) | 0x80);  // RFC 4122 variant
  std::string text = to_hex(bytes);
  for (const std::size_t at : {20, 16, 12, 8}) text.insert(at, 1, '-');
  return text;
}

}  // namespace welcome::contract
