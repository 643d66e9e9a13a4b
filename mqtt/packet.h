// SPDX-License-Identifier: Apache-2.0
#pragma once
// The part of MQTT 5 that boxes and the CRM speak (OASIS MQTT Version 5.0, chapters 2 and 3): bytes
// to packets and back. Pure; any thread. What breaks the format is an Error (malformed).

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/result.h"

namespace welcome::mqtt {

struct Publish {
  std::string topic;
  std::string payload;
  int qos = 1;
  bool retain = false;
  bool duplicate = false;
  std::uint16_t id = 0;  // QoS 1
  std::optional<std::uint32_t> expiry_s;
  std::string content_type;  // with one, the payload is declared to be text
  std::string response_topic;
  std::string correlation;
};

struct Connect {
  std::string client_id;
  std::string user, password;  // empty user: none
  bool clean_start = false;
  std::uint32_t session_expiry_s = 0;
  std::uint16_t keep_alive_s = 15;
  std::uint16_t receive_maximum = 100;
  std::uint32_t maximum_packet_size = 0;
  std::optional<Publish> will;
};

struct Connack {
  bool session_present = false;
  std::uint8_t reason = 0;
  std::uint16_t receive_maximum = 65535;
  std::optional<std::uint16_t> keep_alive_s;
  std::optional<std::uint32_t> maximum_packet_size;
  int maximum_qos = 2;
  bool retain_available = true;
};

struct Puback {
  std::uint16_t id = 0;
  std::uint8_t reason = 0;
};

struct Subscription {
  std::string filter;     // asked for with QoS 1
  bool no_local = false;  // without what this client sent itself
};

struct Suback {
  std::uint16_t id = 0;
  std::vector<std::uint8_t> reasons;
};

struct Pingresp {};

struct Disconnect {
  std::uint8_t reason = 0;
};

using Packet = std::variant<Connack, Publish, Puback, Suback, Pingresp, Disconnect>;

// Reason codes that somebody decides by; from 0x80 on they are refusals (MQTT 5.0 table 2-6).
inline constexpr std::uint8_t kRefused = 0x80;
inline constexpr std::uint8_t kUnspecified = 0x80;
inline constexpr std::uint8_t kServerBusy = 0x89;
inline constexpr std::uint8_t kBadPassword = 0x86;
inline constexpr std::uint8_t kNotAuthorised = 0x87;
inline constexpr std::uint8_t kSessionTakenOver = 0x8E;
inline constexpr std::uint8_t kPacketTooLarge = 0x95;
inline constexpr std::uint8_t kQuotaExceeded = 0x97;
inline constexpr std::uint8_t kQosNotSupported = 0x9B;
inline constexpr std::uint8_t kRetainNotSupported = 0x9A;

// Of a message: whether the broker would take the very same later, when it has room again; and
// whether it never will. What is neither is worth a second attempt.
constexpr bool broker_is_full(int reason) {
  return reason == kServerBusy || reason == kQuotaExceeded;
}
constexpr bool refused_for_good(int reason) {
  return reason != kUnspecified && !broker_is_full(reason);
}

// For a person: "not authorised".
std::string reason_text(std::uint8_t reason);

std::string encode(const Connect& packet);
std::string encode(const Publish& packet);
std::string encode(const Puback& packet);
std::string encode_subscribe(std::uint16_t id, const std::vector<Subscription>& filters);
std::string encode_pingreq();
std::string encode(const Disconnect& packet);

struct Taken {
  Packet packet;
  std::size_t bytes = 0;  // of the buffer
};

// The first packet of what a server sent; nothing when it is not complete yet.
Result<std::optional<Taken>> take(std::string_view buffer, std::size_t max_packet);

}  // namespace welcome::mqtt
