// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "core/campaign.h"
#include "core/store_clock.h"
#include "core/text.h"

namespace welcome {

namespace chr = std::chrono;

namespace {

constexpr std::array<std::string_view, 9> kNumberFields{
    "points",           "points_to_reward", "visits",    "visits_30d",         "visits_90d",
    "days_since_visit", "purchases_90d",    "value_90d", "days_since_purchase"};
constexpr std::array<std::string_view, 4> kTextFields{"tier", "language", "segments", "tags"};
constexpr std::string_view kPreferenceField = "preference.";
constexpr std::array<std::string_view, 7> kTextNames{
    "code", "name", "greeting", "tier", "points", "next_reward_points", "points_to_reward"};

template <std::size_t N>
bool one_of(const std::array<std::string_view, N>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// Shown to people: names from outside are cut and cleaned.
std::string in_quotes(std::string_view text) { return "\"" + plain_text(text, 40) + "\""; }

tl::unexpected<Error> refuse(std::string message) {
  return fail(ErrorCode::refused, std::move(message));
}

Result<void> check_hours(const DayHours& h, const std::string& where) {
  constexpr chr::minutes kDay{24 * 60};
  if (h.from < chr::minutes{0} || h.to < chr::minutes{0} || h.from > kDay || h.to > kDay) {
    return refuse(where + ": an hour is not between 00:00 and 24:00");
  }
  if (h.from == h.to) return refuse(where + ": from and to are the same");
  return {};
}

Result<void> check_schedule(const Schedule& s) {
  if (s.from && s.until && *s.from >= *s.until) return refuse("schedule: ends before it begins");
  if (std::none_of(s.days.begin(), s.days.end(), [](bool d) { return d; })) {
    return refuse("schedule: no weekday is left");
  }
  if (s.hours.size() > 24) return refuse("schedule: more than 24 stretches of hours");
  for (const DayHours& h : s.hours) {
    if (auto ok = check_hours(h, "schedule"); !ok) return ok;
  }
  return {};
}

Result<void> check_condition(const Condition& k) {
  const std::string where = "audience: " + in_quotes(k.field);
  const bool number = one_of(kNumberFields, k.field);
  const bool text = one_of(kTextFields, k.field) ||
                    (k.field.starts_with(kPreferenceField) &&
                     k.field.size() > kPreferenceField.size() && k.field.size() <= 64);
  if (!number && !text) return refuse(where + " is not a field that exists");
  const bool compares = k.op == Condition::Op::at_least || k.op == Condition::Op::at_most;
  if (number != compares) {
    return refuse(where + (number ? " is a number: at_least or at_most" : " is a word: in or has"));
  }
  if (compares) {
    if (!std::isfinite(k.number)) return refuse(where + ": not a number");
    return {};
  }
  if (k.values.empty()) return refuse(where + ": no value to compare with");
  if (k.values.size() > 200) return refuse(where + ": more than 200 values");
  for (const std::string& v : k.values) {
    if (v.empty() || v.size() > 200) return refuse(where + ": a value is empty or too long");
  }
  return {};
}

Result<void> check_audience(const Audience& a) {
  if (a.all.size() + a.any.size() + a.none.size() > 50) {
    return refuse("audience: more than 50 conditions");
  }
  for (const auto* group : {&a.all, &a.any, &a.none}) {
    for (const Condition& k : *group) {
      if (auto ok = check_condition(k); !ok) return ok;
    }
  }
  return {};
}

Result<void> check_text(const std::string& where, const std::string& language,
                        const std::string& text) {
  if (language.empty() || language.size() > 35) return refuse(where + ": not a language");
  auto parsed = TextTemplate::parse(text);
  if (!parsed)
    return refuse(where + " (" + plain_text(language, 35) + "): " + parsed.error().message);
  for (const std::string& name : parsed->names()) {
    if (!one_of(kTextNames, name) && !name.starts_with(kPreferenceField)) {
      return refuse(where + ": there is no value " + in_quotes(name));
    }
  }
  return {};
}

Result<void> check_variants(const std::vector<Variant>& variants) {
  if (variants.empty()) return refuse("variants: none");
  if (variants.size() > 20) return refuse("variants: more than 20");
  std::set<std::string> ids;
  double weight = 0.0;
  for (const Variant& v : variants) {
    const std::string where = "variant " + in_quotes(v.id);
    if (v.id.empty() || v.id.size() > 64) return refuse("variants: an id is empty or too long");
    if (!ids.insert(v.id).second) return refuse(where + ": is there twice");
    if (!std::isfinite(v.weight) || v.weight < 0.0 || v.weight > 1e6) {
      return refuse(where + ": weight must be between 0 and 1,000,000");
    }
    weight += v.weight;
    if (v.text.empty()) return refuse(where + ": no text");
    if (v.text.size() > 50 || v.title.size() > 50)
      return refuse(where + ": more than 50 languages");
    for (const auto& [language, text] : v.text) {
      if (text.empty()) return refuse(where + ": a text is empty");
      if (auto ok = check_text(where + ", text", language, text); !ok) return ok;
    }
    for (const auto& [language, title] : v.title) {
      if (!v.text.contains(language)) return refuse(where + ": a title without its text");
      if (auto ok = check_text(where + ", title", language, title); !ok) return ok;
    }
  }
  if (weight <= 0.0) return refuse("variants: all weights are 0");
  return {};
}

Result<void> check_languages(const std::string& where,
                             const std::map<std::string, std::string>& texts) {
  for (const auto& [language, text] : texts) {
    if (language.empty() || language.size() > 35 || text.empty() || text.size() > 2000) {
      return refuse(where + ": a language or text is empty or too long");
    }
  }
  return {};
}

}  // namespace

Result<void> validate(const Campaign& c) {
  if (c.id.empty() || c.id.str().size() > 128) return refuse("campaign: id is empty or too long");
  if (c.name.size() > 200) return refuse("name: longer than 200 bytes");
  if (c.priority < -1000 || c.priority > 1000)
    return refuse("priority: not between -1000 and 1000");
  if (c.trigger.dwell < chr::milliseconds{0} || c.trigger.dwell > chr::hours{24}) {
    return refuse("trigger: dwell_ms is not between 0 and a day");
  }
  if (c.trigger.zone == Zone::away) return refuse("trigger: nobody can be met away");
  if (auto ok = check_schedule(c.schedule); !ok) return ok;
  if (auto ok = check_audience(c.audience); !ok) return ok;
  if (c.cap.per_customer < 1 || c.cap.per_customer > 1000) {
    return refuse("cap: per_customer is not between 1 and 1,000");
  }
  if (c.budget && (*c.budget < 0 || *c.budget > (std::int64_t{1} << 53))) {
    return refuse("budget: not between 0 and 2^53");
  }
  if (!std::isfinite(c.holdout_percent) || c.holdout_percent < 0.0 || c.holdout_percent > 100.0) {
    return refuse("holdout_percent: not between 0 and 100");
  }
  if (c.expires < chr::seconds{1} || c.expires > chr::days{90}) {
    return refuse("expires_s: not between 1 s and 90 days");
  }
  if (c.code.size() > 64) return refuse("code: longer than 64 bytes");
  if (c.product.size() > 200) return refuse("product: longer than 200 bytes");
  return check_variants(c.variants);
}

Result<void> validate(const Policy& p) {
  if (auto clock = StoreClock::open(p.time_zone); !clock) {
    return refuse("time_zone: " + in_quotes(p.time_zone) + " is not in the tz database");
  }
  if (p.quiet_hours) {
    if (auto ok = check_hours(p.quiet_hours->hours, "quiet_hours"); !ok) return ok;
  }
  const auto cap_ok = [](const std::optional<int>& n) {
    return !n || (*n >= 0 && *n <= 100'000'000);
  };
  if (!cap_ok(p.caps.per_customer_day) || !cap_ok(p.caps.per_customer_week) ||
      !cap_ok(p.caps.per_store_day)) {
    return refuse("caps: not between 0 and 100,000,000");
  }
  if (p.caps.min_gap < chr::seconds{0} || p.caps.min_gap > chr::days{366}) {
    return refuse("caps: min_gap_s is not between 0 and a year");
  }
  if (p.consent_max_age < chr::hours{1} || p.consent_max_age > chr::days{366}) {
    return refuse("consent_max_age_h: not between an hour and a year");
  }
  if (p.prompt_min_level == Level::near) return refuse("prompt_min_level: present or confirmed");
  if (p.fatigue_after < 0 || p.fatigue_after > 1000) return refuse("fatigue_after: not 0 to 1,000");
  for (chr::days d : {p.fatigue_rest, p.complaint_rest, p.purchase_rest}) {
    if (d < chr::days{0} || d > chr::days{3660}) return refuse("rest: not between 0 and 3660 days");
  }
  if (p.holidays.size() > 1000) return refuse("holidays: more than 1,000");
  if (p.surveys.size() > 50) return refuse("surveys: more than 50");
  for (const SurveyRule& s : p.surveys) {
    const std::string where = "survey " + in_quotes(s.id);
    if (s.id.empty() || s.id.size() > 128) return refuse("surveys: an id is empty or too long");
    if (!std::isfinite(s.percent) || s.percent < 0.0 || s.percent > 100.0) {
      return refuse(where + ": percent is not between 0 and 100");
    }
    if (s.gap < chr::days{0} || s.min_visit < chr::minutes{0} || s.expires < chr::seconds{1}) {
      return refuse(where + ": a time is negative");
    }
    if (auto ok = check_languages(where, s.question); !ok) return ok;
  }
  if (!std::isfinite(p.learn_floor) || p.learn_floor < 0.0 || p.learn_floor > 1.0) {
    return refuse("learn_floor: not between 0 and 1");
  }
  if (p.learn_segments.size() > 200) return refuse("learn_segments: more than 200");
  for (const std::string& s : p.learn_segments) {
    const auto& guarded = p.protected_attributes;
    if (std::find(guarded.begin(), guarded.end(), s) != guarded.end()) {
      return refuse("learn_segments: " + in_quotes(s) + " is a protected attribute");
    }
  }
  return {};
}

}  // namespace welcome
