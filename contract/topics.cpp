// SPDX-License-Identifier: Apache-2.0
#include "contract/topics.h"

#include <algorithm>
#include <vector>

namespace welcome::contract {

namespace {

constexpr std::string_view kRoot = "welcome/v1/";
constexpr std::string_view kFloor = "welcome/v1/floor/";
constexpr std::size_t kLongestTopic = 600;

std::string box_topic(const BoxAddress& box, std::string_view leaf) {
  return std::string(kRoot).append(address_text(box)).append("/").append(leaf);
}

std::string floor_topic(std::string_view kind, std::string_view leaf) {
  std::string topic{kFloor};
  topic.append(kind).append("/").append(leaf);
  return topic;
}

std::vector<std::string_view> split(std::string_view topic) {
  std::vector<std::string_view> levels;
  for (;;) {
    const std::size_t slash = topic.find('/');
    levels.push_back(topic.substr(0, slash));
    if (slash == std::string_view::npos) return levels;
    topic.remove_prefix(slash + 1);
  }
}

}  // namespace

std::string_view to_string(Collection collection) {
  switch (collection) {
    case Collection::profiles:
      return "profiles";
    case Collection::consents:
      return "consents";
    case Collection::identities:
      return "identities";
    case Collection::campaigns:
      return "campaigns";
    case Collection::policy:
      return "policy";
    case Collection::staff:
      return "staff";
  }
  return "";
}

std::optional<Collection> collection_from_string(std::string_view text) {
  for (const Collection c : kAllCollections) {
    if (to_string(c) == text) return c;
  }
  return std::nullopt;
}

bool valid_level(std::string_view level) {
  if (level.empty() || level.size() > 64) return false;
  for (const char c : level) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F || c == '/' || c == '+' || c == '#' || c == '$') return false;
  }
  return true;
}

std::string address_text(const BoxAddress& box) {
  return box.tenant + "/" + box.store + "/" + box.box;
}

std::string state_topic(const BoxAddress& box) { return box_topic(box, "state"); }
std::string hello_topic(const BoxAddress& box) { return box_topic(box, "hello"); }
std::string feed_topic(const BoxAddress& box, Collection collection) {
  return box_topic(box, "feed/").append(to_string(collection));
}
std::string event_topic(const BoxAddress& box) { return box_topic(box, "event"); }
std::string taken_topic(const BoxAddress& box) { return box_topic(box, "taken"); }
std::string command_topic(const BoxAddress& box) { return box_topic(box, "command"); }
std::string lookup_topic(const BoxAddress& box) { return box_topic(box, "lookup"); }
std::string found_topic(const BoxAddress& box) { return box_topic(box, "found"); }
std::string response_topic(const BoxAddress& box) { return box_topic(box, "response"); }

bool is_response_topic(const BoxAddress& box, std::string_view topic) {
  const std::string own = response_topic(box);
  if (topic == own) return true;
  if (!topic.starts_with(own + "/") || topic.size() > kLongestTopic) return false;
  const auto below = split(topic.substr(own.size() + 1));
  return std::all_of(below.begin(), below.end(), valid_level);
}

std::string control_topic(std::string_view tenant, std::string_view store) {
  return std::string(kRoot).append(tenant).append("/").append(store).append("/control");
}

std::string prompt_topic(std::string_view visit) { return floor_topic("prompt", visit); }
std::string offer_topic(std::string_view decision) { return floor_topic("offer", decision); }
std::string floor_status_topic(std::string_view box) { return floor_topic("status", box); }

std::string ranging_topic(std::string_view box) { return floor_topic("ranging", box); }
std::string staff_topic(std::string_view box) { return floor_topic("staff", box); }

std::string action_topic(std::string_view tablet, std::string_view visit) {
  return floor_topic("tablet", tablet).append("/action/").append(visit);
}
std::string enrol_topic(std::string_view tablet, std::string_view session) {
  return floor_topic("tablet", tablet).append("/enrol/").append(session);
}
std::string sign_in_topic(std::string_view tablet) {
  return floor_topic("tablet", tablet).append("/session");
}
std::string manage_topic(std::string_view tablet) {
  return floor_topic("tablet", tablet).append("/manage");
}
std::string to_enrol_topic(std::string_view tablet, std::string_view session) {
  return floor_topic("to", tablet).append("/enrol/").append(session);
}
std::string session_topic(std::string_view tablet) {
  return floor_topic("to", tablet).append("/session");
}
std::string refused_topic(std::string_view tablet) {
  return floor_topic("to", tablet).append("/refused");
}
std::string managed_topic(std::string_view tablet) {
  return floor_topic("to", tablet).append("/managed");
}

namespace {

// `levels` below welcome/v1.
std::optional<ParsedTopic> parse_floor(const std::vector<std::string_view>& levels) {
  const std::size_t n = levels.size();
  if (n < 3) return std::nullopt;
  ParsedTopic parsed;
  const auto is = [&](TopicKind kind) {
    parsed.kind = kind;
    return parsed;
  };
  const bool to = levels[1] == "to";
  if (to || levels[1] == "tablet") {
    parsed.tablet = levels[2];
    if (n == 4 && levels[3] == "session") return is(to ? TopicKind::session : TopicKind::sign_in);
    if (n == 4 && to && levels[3] == "refused") return is(TopicKind::refused);
    if (n == 4 && to && levels[3] == "managed") return is(TopicKind::managed);
    if (n == 4 && !to && levels[3] == "manage") return is(TopicKind::manage);
    if (n != 5) return std::nullopt;
    parsed.leaf = levels[4];
    if (levels[3] == "enrol") return is(to ? TopicKind::to_enrol : TopicKind::enrol);
    if (levels[3] == "action" && !to) return is(TopicKind::action);
    return std::nullopt;
  }
  if (n != 3) return std::nullopt;
  parsed.leaf = levels[2];
  if (levels[1] == "prompt") return is(TopicKind::prompt);
  if (levels[1] == "offer") return is(TopicKind::floor_offer);
  if (levels[1] == "ranging") return is(TopicKind::ranging);
  if (levels[1] == "staff") return is(TopicKind::floor_staff);
  if (levels[1] == "status") return is(TopicKind::floor_status);
  return std::nullopt;
}

}  // namespace

std::optional<ParsedTopic> parse_topic(std::string_view topic) {
  if (!topic.starts_with(kRoot) || topic.size() > kLongestTopic) return std::nullopt;
  const auto levels = split(topic.substr(kRoot.size()));
  for (const auto level : levels) {
    if (!valid_level(level)) return std::nullopt;
  }
  const std::size_t n = levels.size();
  ParsedTopic parsed;
  const auto is = [&](TopicKind kind) {
    parsed.kind = kind;
    return parsed;
  };
  if (levels[0] == "floor") return parse_floor(levels);
  parsed.address.tenant = levels[0];
  if (n == 3 && levels[2] == "control") {
    parsed.address.store = levels[1];
    return is(TopicKind::control);
  }
  if (n < 4) return std::nullopt;
  parsed.address.store = levels[1];
  parsed.address.box = levels[2];
  if (n == 5 && levels[3] == "feed") {
    parsed.leaf = levels[4];
    return is(TopicKind::feed);
  }
  if (n != 4) return std::nullopt;
  if (levels[3] == "state") return is(TopicKind::state);
  if (levels[3] == "hello") return is(TopicKind::hello);
  if (levels[3] == "event") return is(TopicKind::event);
  if (levels[3] == "taken") return is(TopicKind::taken);
  if (levels[3] == "command") return is(TopicKind::command);
  if (levels[3] == "response") return is(TopicKind::response);
  if (levels[3] == "lookup") return is(TopicKind::lookup);
  if (levels[3] == "found") return is(TopicKind::found);
  return std::nullopt;
}

std::string speaking_tablet(std::string_view topic) {
  const std::string before = std::string(kFloor) + "tablet/";
  if (!topic.starts_with(before)) return {};
  topic.remove_prefix(before.size());
  return std::string(topic.substr(0, topic.find('/')));
}

std::array<std::string, 6> Subscriptions::box_uplink(const BoxAddress& box) {
  return {box_topic(box, "feed/+"),
          taken_topic(box),
          command_topic(box),
          found_topic(box),
          control_topic(box.tenant, box.store),
          control_topic(box.tenant, kAllStores)};
}

std::array<std::string, 6> Subscriptions::box_floor() {
  return {action_topic("+", "+"), enrol_topic("+", "+"), sign_in_topic("+"),
          manage_topic("+"),      session_topic("+"),    ranging_topic("+")};
}

std::string Subscriptions::box_floor_echoed() { return offer_topic("+"); }

std::array<std::string, 5> Subscriptions::crm(std::string_view tenant) {
  const BoxAddress every{std::string(tenant), "+", "+"};
  return {state_topic(every), hello_topic(every), event_topic(every), response_topic(every),
          lookup_topic(every)};
}

}  // namespace welcome::contract
