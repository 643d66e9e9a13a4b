// SPDX-License-Identifier: Apache-2.0
#pragma once
// Message: one MQTT message as the outbox keeps it and the link sends it.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/envelope.h"
#include "core/ids.h"
#include "core/rfc3339.h"
#include "core/time.h"

namespace welcome::contract {

enum class LinkName : std::uint8_t { uplink, floor };
std::string_view to_string(LinkName link);
std::optional<LinkName> link_from_string(std::string_view text);

// Lower goes first. Order is kept per customer within one priority; consent overtakes the rest.
enum class Priority : std::uint8_t { consent = 0, decision = 1, event = 2 };

struct Message : Envelope {
  MessageId id;  // also the CloudEvents id; receivers drop repeats by it
  LinkName link = LinkName::uplink;
  Priority priority = Priority::event;
  std::optional<WallTime> expires_at;  // after it the message is noise: dropped and counted
  CustomerId customer;                 // empty: about nobody
  std::vector<std::pair<std::string, std::string>> user_properties;
};

// The content type that belongs to a topic, for messages that come back from the outbox.
std::string content_type_of(std::string_view topic);

// A random UUID (version 4) as text. Needs no state; any thread.
std::string new_uuid();

using welcome::from_rfc3339;
using welcome::to_rfc3339;

}  // namespace welcome::contract
