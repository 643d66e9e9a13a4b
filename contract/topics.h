// SPDX-License-Identifier: Apache-2.0
#pragma once
// The topics of the MQTT contract (docs/protocol.md). A name that becomes part of a topic must pass
// valid_level(); the functions that make topics do not check again.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace welcome::contract {

// Who a box is: welcome/v1/{tenant}/{store}/{box}/…
struct BoxAddress {
  std::string tenant;
  std::string store;
  std::string box;
  friend bool operator==(const BoxAddress&, const BoxAddress&) = default;
};

enum class Collection : std::uint8_t { profiles, consents, identities, campaigns, policy, staff };

// In the order in which they are best sent and applied: consent before everything it allows.
inline constexpr std::array kAllCollections{Collection::policy,    Collection::consents,
                                            Collection::profiles,  Collection::identities,
                                            Collection::campaigns, Collection::staff};

// Whose items are somebody's: a box may be sent a part of them.
constexpr bool about_customers(Collection collection) {
  return collection == Collection::profiles || collection == Collection::consents ||
         collection == Collection::identities;
}

std::string_view to_string(Collection collection);
std::optional<Collection> collection_from_string(std::string_view text);

// One level of a topic: 1…64 bytes of UTF-8 without '/', '+', '#', '$' and control characters.
bool valid_level(std::string_view level);

// TENANT/STORE/BOX: a box in messages, and its account at the central broker.
std::string address_text(const BoxAddress& box);

// Uplink, per box.
std::string state_topic(const BoxAddress& box);
std::string hello_topic(const BoxAddress& box);
std::string feed_topic(const BoxAddress& box, Collection collection);
std::string event_topic(const BoxAddress& box);
std::string taken_topic(const BoxAddress& box);
std::string command_topic(const BoxAddress& box);
std::string lookup_topic(const BoxAddress& box);
std::string found_topic(const BoxAddress& box);
std::string response_topic(const BoxAddress& box);  // default where a command names none
// Whether the box may answer there: its own response topic, or one below it, without wildcards.
bool is_response_topic(const BoxAddress& box, std::string_view topic);

// Uplink, per store.
inline constexpr std::string_view kAllStores = "_all";
std::string control_topic(std::string_view tenant, std::string_view store);

// Floor.
std::string prompt_topic(std::string_view visit);
std::string floor_status_topic(std::string_view box);
std::string offer_topic(std::string_view decision);  // between the boxes of a store
std::string ranging_topic(std::string_view box);
std::string staff_topic(std::string_view box);  // who may sign in
// What a tablet says stands under its own account.
std::string action_topic(std::string_view tablet, std::string_view visit);
std::string enrol_topic(std::string_view tablet, std::string_view session);
std::string sign_in_topic(std::string_view tablet);
std::string manage_topic(std::string_view tablet);
// What it alone is told; boxes write there, and hear each other.
std::string to_enrol_topic(std::string_view tablet, std::string_view session);
std::string session_topic(std::string_view tablet);
std::string refused_topic(std::string_view tablet);
std::string managed_topic(std::string_view tablet);

enum class TopicKind : std::uint8_t {
  state,
  hello,
  feed,
  event,
  taken,
  command,
  response,
  lookup,
  found,
  control,
  prompt,
  action,
  enrol,
  sign_in,
  manage,
  to_enrol,
  session,
  refused,
  managed,
  floor_staff,
  floor_status,
  floor_offer,
  ranging,
};

// A topic taken apart. Only the fields that its kind has are set.
struct ParsedTopic {
  TopicKind kind = TopicKind::state;
  BoxAddress address;  // control: tenant and store
  std::string tablet;  // of what a tablet says or is told alone: its account
  std::string leaf;    // feed: collection as it stands there; prompt, action: visit; enrol,
                       // to_enrol: the enrolment; floor_offer: decision; ranging, floor_status,
                       // floor_staff: box
};

std::optional<ParsedTopic> parse_topic(std::string_view topic);
// Of a topic on which a tablet speaks: which; empty for every other.
std::string speaking_tablet(std::string_view topic);

// What each peer subscribes to.
struct Subscriptions {
  // box: own feed, what was taken of it, own commands, who was looked up, control of its store and
  // of all
  static std::array<std::string, 6> box_uplink(const BoxAddress& box);
  static std::array<std::string, 6> box_floor();
  // A box's own offers count once they have come back (docs/decide.md).
  static std::string box_floor_echoed();
  // CRM: state, hello, event, lookup, response of every box of a tenant
  static std::array<std::string, 5> crm(std::string_view tenant);
};

}  // namespace welcome::contract
