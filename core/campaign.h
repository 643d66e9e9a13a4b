// SPDX-License-Identifier: Apache-2.0
#pragma once
// Campaigns and the store's policy as the CRM sends them (docs/decide.md has the language). Plain
// structs: the sync codec fills them, validate() judges them before the pipeline takes them.

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/claim.h"
#include "core/ids.h"
#include "core/level.h"
#include "core/result.h"
#include "core/time.h"

namespace welcome {

enum class TriggerOn : std::uint8_t { pass_by, enter, dwell, confirmed, leave };
std::string_view to_string(TriggerOn on);
std::optional<TriggerOn> trigger_on_from_string(std::string_view text);

struct Trigger {
  TriggerOn on = TriggerOn::pass_by;
  std::optional<Zone> zone;  // default: street for pass_by, inside for enter, desk for dwell
  std::chrono::milliseconds dwell{0};
};

// Minutes after local midnight. `to` < `from` runs over midnight; equal means never.
struct DayHours {
  std::chrono::minutes from{0};
  std::chrono::minutes to{0};
};

struct Schedule {
  std::optional<WallTime> from;
  std::optional<WallTime> until;                  // exclusive
  std::array<bool, 7> days{1, 1, 1, 1, 1, 1, 1};  // Monday first, in the store's time zone
  std::vector<DayHours> hours;                    // empty: all day
  bool skip_holidays = false;
};

// One test of one field. Which fields and operators exist: docs/decide.md, "Audience".
struct Condition {
  enum class Op : std::uint8_t { in, has, at_least, at_most };
  std::string field;
  Op op = Op::in;
  std::vector<std::string> values;  // in: one of these; has: all of these
  double number = 0.0;              // at_least, at_most
};

struct Audience {
  std::vector<Condition> all;
  std::vector<Condition> any;
  std::vector<Condition> none;
  bool everybody() const { return all.empty() && any.empty() && none.empty(); }
};

enum class Period : std::uint8_t { day, week };  // local calendar day; that day and the six before
std::string_view to_string(Period period);
std::optional<Period> period_from_string(std::string_view text);

struct CampaignCap {
  int per_customer = 1;
  Period per = Period::day;
};

struct Variant {
  std::string id;
  double weight = 1.0;
  std::map<std::string, std::string> title;  // by language
  std::map<std::string, std::string> text;   // Mustache, by language
};

// How a customer's variant is chosen. Every way starts from a hash of customer and campaign and is
// reproducible: rotate moves on after each one really sent, sticky never changes, learn draws by
// Thompson sampling once per customer and keeps the draw.
enum class VariantChoice : std::uint8_t { rotate, sticky, learn };
std::string_view to_string(VariantChoice choice);
std::optional<VariantChoice> variant_choice_from_string(std::string_view text);

struct Campaign {
  CampaignId id;
  std::string name;
  int priority = 0;  // higher first
  Trigger trigger;
  Schedule schedule;
  Audience audience;
  CampaignCap cap;
  std::optional<std::int64_t> budget;  // offers this box may send in all
  double holdout_percent = 0.0;
  VariantChoice choice = VariantChoice::rotate;
  std::vector<Variant> variants;
  std::chrono::seconds expires{600};
  std::string code;     // redemption code, may be empty
  std::string product;  // what it is about: not offered to somebody who just bought it
};

struct QuietHours {
  enum class Mode : std::uint8_t { drop, hold };
  DayHours hours;
  Mode mode = Mode::drop;
};

struct PolicyCaps {
  std::optional<int> per_customer_day;
  std::optional<int> per_customer_week;
  std::chrono::seconds min_gap{0};
  std::optional<int> per_store_day;
};

enum class SurveyKind : std::uint8_t { nps, csat, ces };
std::string_view to_string(SurveyKind kind);
std::optional<SurveyKind> survey_kind_from_string(std::string_view text);

struct SurveyRule {
  std::string id;
  SurveyKind kind = SurveyKind::nps;
  double percent = 100.0;             // of the visits that qualify, by hash
  std::chrono::minutes min_visit{3};  // shorter visits are not asked about
  std::chrono::days gap{90};          // between two questions to one customer, of any kind
  std::chrono::seconds expires{86400};
  std::map<std::string, std::string> question;  // by language; empty: the published wording
};

struct Policy {
  std::string time_zone = "UTC";  // IANA name
  std::optional<QuietHours> quiet_hours;
  PolicyCaps caps;
  std::chrono::hours consent_max_age{72};
  Level prompt_min_level = Level::present;
  int fatigue_after = 3;                 // offers ignored in a row before a rest; 0 = never rest
  std::chrono::days fatigue_rest{7};     // doubles with each further ignored offer, at most 8 times
  std::chrono::days complaint_rest{90};  // no offers after a complaint
  std::chrono::days purchase_rest{7};    // no offer for a product bought within
  std::vector<std::chrono::local_days> holidays;
  std::vector<SurveyRule> surveys;
  std::vector<std::string> learn_segments;        // the only segments the learner may tell apart
  std::vector<std::string> protected_attributes;  // refused in learn_segments and in audiences
  double learn_floor = 0.1;                       // share of customers assigned evenly
  std::uint64_t seed = 1;                         // of assignment, hold-out and learner
  bool desk_witness = false;  // a consent at the desk: a second member of staff may witness it
};

// Refuses what cannot be meant, and says what and where: `refused` with a message for a person.
Result<void> validate(const Campaign& campaign);
Result<void> validate(const Policy& policy);

}  // namespace welcome
