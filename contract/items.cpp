// SPDX-License-Identifier: Apache-2.0
#include "contract/items.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <type_traits>

#include "contract/item_value.h"
#include "contract/json_fields.h"
#include "contract/json_text.h"
#include "contract/quick_items.h"
#include "contract/schema_set.h"

namespace welcome::contract {

namespace {

using nlohmann::json;
using namespace std::chrono;

Profile profile_of(const json& value) {
  Profile profile;
  profile.customer = CustomerId(text(value, "customer"));
  profile.name = text(value, "name");
  profile.greeting = text(value, "greeting");
  profile.pronunciation = text(value, "pronunciation");
  if (value.contains("language")) profile.language = text(value, "language");
  profile.tier = text(value, "tier");
  profile.points = integer(value, "points");
  profile.next_reward_points = integer(value, "next_reward_points");
  for (const json& entry : value.value("preferences", json::array())) {
    Preference preference;
    preference.key = text(entry, "key");
    preference.value = text(entry, "value");
    preference.confidence = entry.value("confidence", preference.confidence);
    preference.confirmed = static_cast<int>(integer(entry, "confirmed"));
    preference.last_confirmed = time(entry, "last_confirmed");
    preference.source = text(entry, "source");
    profile.preferences.push_back(std::move(preference));
  }
  profile.segments = words(value, "segments");
  profile.tags = words(value, "tags");
  profile.avoid = words(value, "avoid");
  // A CRM that does not know of it: nobody is named.
  profile.met = met_from_string(text(value, "met")).value_or(Met::quietly);
  profile.not_today_at = time(value, "not_today_at");
  const auto last = value.find("last_conversation");
  if (last != value.end() && last->is_object()) {
    profile.last_conversation = Conversation{text(*last, "text"), time_of(*last, "at")};
  }
  return profile;
}

ConsentRecord consent_of(const json& value) {
  ConsentRecord record;
  record.record_id = text(value, "record_id");
  record.schema_version = text(value, "schema_version");
  record.tenant = text(value, "tenant");
  record.customer = CustomerId(text(value, "customer"));
  record.purpose = *purpose_from_string(text(value, "purpose"));
  const json& notice = value.at("notice");
  record.notice = {text(notice, "id"), text(notice, "version"), text(notice, "language")};
  record.data_categories = words(value, "data_categories");
  record.controller = text(value, "controller");
  record.storage_location = text(value, "storage_location");
  record.retention_days = static_cast<int>(integer(value, "retention_days"));
  record.jurisdiction = text(value, "jurisdiction");
  record.recipients = words(value, "recipients");
  record.withdraw_how = text(value, "withdraw_how");
  for (const json& step : value.at("history")) {
    record.history.push_back(
        {*consent_state_from_string(text(step, "state")), time_of(step, "at"), text(step, "how")});
  }
  record.expires_at = time(value, "expires_at");
  return record;
}

// The schema has checked the length; dashes of a UUID are skipped.
template <std::size_t N>
std::array<std::uint8_t, N> hex_bytes(const json& value, const char* name) {
  std::array<std::uint8_t, N> bytes{};
  std::size_t nibble = 0;
  for (const char c : value.at(name).get_ref<const std::string&>()) {
    if (c == '-') continue;
    const int digit = c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
    bytes[nibble / 2] = static_cast<std::uint8_t>(bytes[nibble / 2] << 4 | digit);
    ++nibble;
  }
  return bytes;
}

IdentityItem identity_of(const json& value) {
  IdentityItem item;
  item.identity = text(value, "identity");
  item.customer = CustomerId(text(value, "customer"));
  const std::string kind = text(value, "kind");
  if (kind == "eddystone_eid" || kind == "rotating_uuid") {
    item.key = RotatingKey{kind == "rotating_uuid", hex_bytes<16>(value, "key"),
                           static_cast<int>(integer(value, "rotation_exponent")),
                           time_of(value, "clock_zero")};
  } else if (kind == "irk") {
    item.key = ResolvingKey{hex_bytes<16>(value, "irk")};
  } else if (kind == "ibeacon") {
    item.key =
        IbeaconId{hex_bytes<16>(value, "uuid"), static_cast<std::uint16_t>(integer(value, "major")),
                  static_cast<std::uint16_t>(integer(value, "minor"))};
  } else if (kind == "altbeacon") {
    item.key = AltBeaconId{hex_bytes<20>(value, "id")};
  } else {
    item.key = EddystoneUid{hex_bytes<10>(value, "namespace"), hex_bytes<6>(value, "instance")};
  }
  if (value.contains("measured_power_1m_dbm")) {
    item.measured_power_1m_dbm = static_cast<int>(integer(value, "measured_power_1m_dbm"));
  }
  return item;
}

minutes clock_of(const std::string& hhmm) {
  return hours{std::stoi(hhmm.substr(0, 2))} + minutes{std::stoi(hhmm.substr(3, 2))};
}

std::vector<Condition> conditions_of(const json& audience, const char* name) {
  std::vector<Condition> conditions;
  for (const json& entry : audience.value(name, json::array())) {
    Condition condition;
    condition.field = text(entry, "field");
    int operators = 0;
    if (const auto in = entry.find("in"); in != entry.end()) {
      condition.op = Condition::Op::in;
      condition.values = in->get<std::vector<std::string>>();
      ++operators;
    }
    if (const auto has = entry.find("has"); has != entry.end()) {
      condition.op = Condition::Op::has;
      if (has->is_string()) {
        condition.values = {has->get<std::string>()};
      } else {
        condition.values = has->get<std::vector<std::string>>();
      }
      ++operators;
    }
    if (entry.contains("at_least")) {
      condition.op = Condition::Op::at_least;
      condition.number = entry["at_least"].get<double>();
      ++operators;
    }
    if (entry.contains("at_most")) {
      condition.op = Condition::Op::at_most;
      condition.number = entry["at_most"].get<double>();
      ++operators;
    }
    if (operators != 1) {
      throw BadField("audience: a condition needs exactly one of in, has, at_least, at_most");
    }
    conditions.push_back(std::move(condition));
  }
  return conditions;
}

Schedule schedule_of(const json& value) {
  Schedule schedule;
  schedule.from = time(value, "from");
  schedule.until = time(value, "until");
  if (value.contains("days")) {
    static constexpr std::array kDays{"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    schedule.days.fill(false);
    for (const std::string& day : words(value, "days")) {
      for (std::size_t i = 0; i < kDays.size(); ++i) {
        if (day == kDays[i]) schedule.days[i] = true;
      }
    }
  }
  for (const json& pair : value.value("hours", json::array())) {
    schedule.hours.push_back(
        {clock_of(pair[0].get<std::string>()), clock_of(pair[1].get<std::string>())});
  }
  schedule.skip_holidays = value.value("skip_holidays", false);
  return schedule;
}

using Texts = std::map<std::string, std::string>;

Campaign campaign_of(const json& value) {
  Campaign campaign;
  campaign.id = CampaignId(text(value, "campaign"));
  campaign.name = text(value, "name");
  campaign.priority = static_cast<int>(integer(value, "priority"));
  const json& trigger = value.at("trigger");
  campaign.trigger.on = *trigger_on_from_string(text(trigger, "on"));
  if (trigger.contains("zone")) campaign.trigger.zone = zone_from_string(text(trigger, "zone"));
  campaign.trigger.dwell = milliseconds{integer(trigger, "dwell_ms")};
  if (value.contains("schedule")) campaign.schedule = schedule_of(value["schedule"]);
  if (value.contains("audience")) {
    const json& audience = value["audience"];
    campaign.audience = {conditions_of(audience, "all"), conditions_of(audience, "any"),
                         conditions_of(audience, "none")};
  }
  if (value.contains("cap")) {
    const json& cap = value["cap"];
    campaign.cap = {static_cast<int>(integer(cap, "per_customer")),
                    *period_from_string(text(cap, "per"))};
  }
  if (value.contains("budget")) campaign.budget = integer(value, "budget");
  campaign.holdout_percent = value.value("holdout_percent", 0.0);
  if (value.contains("choice")) {
    campaign.choice = *variant_choice_from_string(text(value, "choice"));
  }
  for (const json& entry : value.at("variants")) {
    campaign.variants.push_back({text(entry, "id"), entry.value("weight", 1.0),
                                 entry.at("title").get<Texts>(), entry.at("text").get<Texts>()});
  }
  campaign.expires = seconds{integer(value, "expires_s", campaign.expires.count())};
  campaign.code = text(value, "code");
  campaign.product = text(value, "product");
  return campaign;
}

local_days day_of(const std::string& date) {
  const year_month_day day{year{std::stoi(date.substr(0, 4))},
                           month{static_cast<unsigned>(std::stoi(date.substr(5, 2)))},
                           std::chrono::day{static_cast<unsigned>(std::stoi(date.substr(8, 2)))}};
  if (!day.ok()) throw BadField("holidays: no such day");
  return local_days{day};
}

Policy policy_of(const json& value) {
  Policy policy;
  policy.time_zone = text(value, "time_zone");
  if (const auto quiet = value.find("quiet_hours"); quiet != value.end()) {
    policy.quiet_hours = QuietHours{
        {clock_of(text(*quiet, "from")), clock_of(text(*quiet, "to"))},
        text(*quiet, "mode") == "hold" ? QuietHours::Mode::hold : QuietHours::Mode::drop};
  }
  if (const auto caps = value.find("caps"); caps != value.end()) {
    const auto limit = [&](const char* name) -> std::optional<int> {
      if (!caps->contains(name)) return std::nullopt;
      return static_cast<int>(integer(*caps, name));
    };
    policy.caps = {limit("per_customer_day"), limit("per_customer_week"),
                   seconds{integer(*caps, "min_gap_s")}, limit("per_store_day")};
  }
  policy.consent_max_age =
      hours{integer(value, "consent_max_age_h", policy.consent_max_age.count())};
  if (value.contains("prompt_min_level")) {
    policy.prompt_min_level = *level_from_string(text(value, "prompt_min_level"));
  }
  if (const auto fatigue = value.find("fatigue"); fatigue != value.end()) {
    policy.fatigue_after = static_cast<int>(integer(*fatigue, "after", policy.fatigue_after));
    policy.fatigue_rest = days{integer(*fatigue, "rest_days", policy.fatigue_rest.count())};
  }
  policy.complaint_rest =
      days{integer(value, "complaint_rest_days", policy.complaint_rest.count())};
  policy.purchase_rest = days{integer(value, "purchase_rest_days", policy.purchase_rest.count())};
  for (const std::string& date : words(value, "holidays")) {
    policy.holidays.push_back(day_of(date));
  }
  for (const json& entry : value.value("surveys", json::array())) {
    SurveyRule rule;
    rule.id = text(entry, "id");
    rule.kind = *survey_kind_from_string(text(entry, "kind"));
    rule.percent = entry.value("percent", rule.percent);
    rule.min_visit = minutes{integer(entry, "min_visit_min", rule.min_visit.count())};
    rule.gap = days{integer(entry, "gap_days", rule.gap.count())};
    rule.expires = seconds{integer(entry, "expires_s", rule.expires.count())};
    rule.question = entry.value("question", Texts());
    policy.surveys.push_back(std::move(rule));
  }
  if (const auto learn = value.find("learn"); learn != value.end()) {
    policy.learn_segments = words(*learn, "segments");
    policy.protected_attributes = words(*learn, "protected");
    policy.learn_floor = learn->value("floor", policy.learn_floor);
  }
  policy.desk_witness = value.value("desk_witness", policy.desk_witness);
  policy.seed =
      static_cast<std::uint64_t>(integer(value, "seed", static_cast<std::int64_t>(policy.seed)));
  return policy;
}

StaffMember staff_of(const json& value) {
  StaffMember member;
  member.id = StaffId(text(value, "staff"));
  member.name = text(value, "name");
  for (const std::string& role : words(value, "roles")) {
    member.roles.add(*role_from_string(role));
  }
  member.pin = text(value, "pin");
  return member;
}

std::string schema_of(Collection collection) {
  return std::string("item.").append(to_string(collection));
}

// The first member that `known` no longer has: "/audience/al".
std::optional<std::string> left_out(const json& whole, const json& known) {
  for (const json& step : json::diff(known, whole)) {
    if (step.at("op") == "add") return step.at("path").get<std::string>().substr(0, 80);
  }
  return std::nullopt;
}

// Where a member that this version does not know may be a limit: left out, a campaign would speak
// to more people than it was meant for.
bool limits(std::string_view place) {
  constexpr std::array<std::string_view, 4> kLimits{"/audience/", "/schedule/", "/cap/",
                                                    "/trigger/"};
  return std::any_of(kLimits.begin(), kLimits.end(),
                     [&](std::string_view l) { return place.starts_with(l); });
}

}  // namespace

Result<Item> decode_value(Collection collection, json& value) {
  const std::string schema = schema_of(collection);
  if (auto checked = check_schema(schema, value); !checked) {
    return tl::unexpected(checked.error());
  }
  if (collection == Collection::campaigns) {
    json known = value;
    keep_known(schema, known);
    if (const auto place = left_out(value, known); place && limits(*place)) {
      return fail(ErrorCode::malformed, schema + ": unknown member " + *place);
    }
    value = std::move(known);
  } else if (collection != Collection::consents) {
    keep_known(schema, value);
  }
  try {
    switch (collection) {
      case Collection::profiles:
        return profile_of(value);
      case Collection::consents:
        return consent_of(value);
      case Collection::identities: {
        IdentityItem identity = identity_of(value);
        if (auto fine = validate(identity); !fine) return tl::unexpected(fine.error());
        return identity;
      }
      case Collection::campaigns: {
        Campaign campaign = campaign_of(value);
        if (auto fine = validate(campaign); !fine) return tl::unexpected(fine.error());
        return campaign;
      }
      case Collection::policy: {
        Policy policy = policy_of(value);
        if (auto fine = validate(policy); !fine) return tl::unexpected(fine.error());
        return policy;
      }
      case Collection::staff: {
        StaffMember member = staff_of(value);
        if (!valid_level(member.id.str())) throw BadField("staff: cannot be in a topic");
        if (auto fine = validate(member); !fine) return tl::unexpected(fine.error());
        return member;
      }
    }
  } catch (const BadField& bad) {
    return fail(ErrorCode::malformed, schema + ": " + bad.what());
  }
  return fail(ErrorCode::internal, "no such collection");
}

Result<Item> decode_item(Collection collection, std::string_view text) {
  if (text.size() <= kMaxPayload && valid_utf8(text)) {
    if (auto quick = quick_item(collection, text)) return std::move(quick->item);
  }
  auto value = parse_json(text);
  if (!value) return tl::unexpected(value.error());
  return decode_value(collection, *value);
}

Result<void> check_written(Collection collection, std::string_view text) {
  auto value = parse_json(text);
  if (!value) return tl::unexpected(value.error());
  json known = *value;
  if (auto item = decode_value(collection, known); !item) return tl::unexpected(item.error());
  keep_known(schema_of(collection), known);
  if (const auto place = left_out(*value, known)) {
    return fail(ErrorCode::malformed, schema_of(collection) + ": unknown member " + *place);
  }
  return {};
}

bool replayed(const ConsentStanding& known, const ConsentRecord& incoming) {
  const ConsentStanding said = standing(incoming);
  // std::nullopt is before every time.
  return std::max(said.given_at, said.withdrawn_at) < std::max(known.given_at, known.withdrawn_at);
}

ItemHead head(const Item& item) {
  return std::visit(
      [](const auto& it) -> ItemHead {
        using T = std::decay_t<decltype(it)>;
        if constexpr (std::is_same_v<T, Profile>) {
          return {it.customer.str(), it.customer};
        } else if constexpr (std::is_same_v<T, ConsentRecord>) {
          return {it.record_id, it.customer};
        } else if constexpr (std::is_same_v<T, IdentityItem>) {
          return {it.identity, it.customer};
        } else if constexpr (std::is_same_v<T, Campaign> || std::is_same_v<T, StaffMember>) {
          return {it.id.str(), {}};
        } else {
          return {"policy", {}};
        }
      },
      item);
}

}  // namespace welcome::contract
