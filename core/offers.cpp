// SPDX-License-Identifier: Apache-2.0
#include "core/offers.h"

#include <algorithm>
#include <cmath>

#include "core/hash.h"

namespace welcome {

namespace chr = std::chrono;

namespace {

void tell(Steps* steps, std::string rule, bool passed, std::string detail) {
  if (steps) steps->push_back({std::move(rule), passed, std::move(detail)});
}

std::string join(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& w : words) out += (out.empty() ? "" : ", ") + w;
  return out.empty() ? "nothing" : out;
}

// ---- audience

std::optional<double> days_since(WallTime now, const std::optional<WallTime>& t) {
  if (!t) return std::nullopt;
  return static_cast<double>((now - *t).count()) / 86'400'000.0;
}

template <class T, class F>
double count_within(const std::vector<T>& all, WallTime now, int days, F&& time) {
  return static_cast<double>(std::count_if(
      all.begin(), all.end(), [&](const T& v) { return now - time(v) <= chr::days{days}; }));
}

std::optional<double> number_field(const std::string& field, const OfferContext& c) {
  const Profile& p = *c.profile;
  const CustomerFacts& f = *c.facts;
  const auto visit_time = [](WallTime t) { return t; };
  const auto purchase_time = [](const PurchaseFact& x) { return x.at; };
  if (field == "points") return static_cast<double>(p.points);
  if (field == "points_to_reward") {
    if (p.next_reward_points <= 0) return std::nullopt;
    return static_cast<double>(std::max<std::int64_t>(p.next_reward_points - p.points, 0));
  }
  if (field == "visits") return static_cast<double>(f.visits_total);
  if (field == "visits_30d") return count_within(f.visits, c.wall, 30, visit_time);
  if (field == "visits_90d") return count_within(f.visits, c.wall, 90, visit_time);
  if (field == "days_since_visit") {
    return days_since(c.wall, f.visits.empty() ? std::nullopt : std::optional(f.visits.back()));
  }
  if (field == "purchases_90d") return count_within(f.purchases, c.wall, 90, purchase_time);
  if (field == "value_90d") {
    double sum = 0;
    for (const PurchaseFact& x : f.purchases) {
      if (c.wall - x.at <= chr::days{90}) sum += x.value;
    }
    return sum;
  }
  if (field == "days_since_purchase") {
    return days_since(c.wall,
                      f.purchases.empty() ? std::nullopt : std::optional(f.purchases.back().at));
  }
  return std::nullopt;
}

constexpr std::string_view kPreference = "preference.";

// Calls `f` with each value of a text field until it returns true.
template <class F>
bool any_text(const std::string& field, const OfferContext& c, F&& f) {
  const Profile& p = *c.profile;
  if (field == "tier") return f(p.tier);
  if (field == "language") return f(p.language);
  if (field == "segments") return std::any_of(p.segments.begin(), p.segments.end(), f);
  if (field == "tags") return std::any_of(p.tags.begin(), p.tags.end(), f);
  for (const Preference& x : c.preferences) {
    if (std::string_view(field).substr(kPreference.size()) == x.key && f(x.value)) return true;
  }
  return false;
}

bool matches(const Condition& k, const OfferContext& c) {
  if (k.op == Condition::Op::at_least || k.op == Condition::Op::at_most) {
    const std::optional<double> v = number_field(k.field, c);
    if (!v) return false;
    return k.op == Condition::Op::at_least ? *v >= k.number : *v <= k.number;
  }
  const auto holds = [&](const std::string& wanted) {
    return any_text(k.field, c, [&](const std::string& v) { return v == wanted; });
  };
  return k.op == Condition::Op::in ? std::any_of(k.values.begin(), k.values.end(), holds)
                                   : std::all_of(k.values.begin(), k.values.end(), holds);
}

void tell_condition(Steps* steps, std::string_view group, const Condition& k, const OfferContext& c,
                    bool passed) {
  if (!steps) return;
  std::string rule = "audience (" + std::string(group) + "): " + k.field;
  std::string value;
  if (k.op == Condition::Op::at_least || k.op == Condition::Op::at_most) {
    rule += (k.op == Condition::Op::at_least ? " at least " : " at most ") + number_text(k.number);
    const auto v = number_field(k.field, c);
    value = v ? number_text(*v) : "not known";
  } else {
    rule += (k.op == Condition::Op::in ? " in " : " has ") + join(k.values);
    std::vector<std::string> have;
    any_text(k.field, c, [&](const std::string& v) {
      if (!v.empty()) have.push_back(v);
      return false;
    });
    value = join(have);
  }
  tell(steps, std::move(rule), passed, "is " + value);
}

bool in_audience(const Audience& a, const OfferContext& c, Steps* steps) {
  bool ok = true;
  for (const Condition& k : a.all) {
    const bool m = matches(k, c);
    tell_condition(steps, "all", k, c, m);
    ok = ok && m;
    if (!ok && !steps) return false;
  }
  if (!a.any.empty()) {
    bool one = false;
    for (const Condition& k : a.any) {
      const bool m = matches(k, c);
      tell_condition(steps, "any", k, c, m);
      one = one || m;
      if (one && !steps) break;
    }
    ok = ok && one;
  }
  for (const Condition& k : a.none) {
    const bool m = matches(k, c);
    tell_condition(steps, "none", k, c, !m);
    ok = ok && !m;
    if (!ok && !steps) return false;
  }
  return ok;
}

// ---- schedule

bool on_schedule(const Schedule& s, const OfferContext& c, Steps* steps) {
  const bool dates = (!s.from || c.wall >= *s.from) && (!s.until || c.wall < *s.until);
  const bool day = s.days[c.local.weekday];
  const bool hour = s.hours.empty() || std::any_of(s.hours.begin(), s.hours.end(), [&](auto& h) {
                      return within(h, c.local.time);
                    });
  const auto& holidays = c.policy->holidays;
  const bool holiday =
      s.skip_holidays && std::find(holidays.begin(), holidays.end(), c.local.day) != holidays.end();
  const bool ok = dates && day && hour && !holiday;
  if (steps) {
    std::string detail = day_text(c.local.day) + " " + clock_text(c.local.time) + " local";
    if (!dates) detail += ", outside the campaign's dates";
    if (!day) detail += ", not on this weekday";
    if (!hour) detail += ", not at this hour";
    if (holiday) detail += ", a holiday";
    tell(steps, "schedule", ok, detail);
  }
  return ok;
}

// ---- caps

bool waiting(const OfferFact& o, WallTime now) {
  return o.state == OfferFact::State::pending && now < o.expires_at + chr::minutes{5};
}

// Offers that count on this local day and the `before` days before it. A waiting one counts
// wherever it may still land.
template <class F>
int count_days(const OfferContext& c, int before, F&& which) {
  int n = 0;
  for (const OfferFact& o : c.facts->offers) {
    if (!which(o)) continue;
    if (o.state == OfferFact::State::pending) {
      if (waiting(o, c.wall)) ++n;
      continue;
    }
    const auto age = c.local.day - c.clock->local(o.at).day;
    if (age <= chr::days{before}) ++n;
  }
  return n;
}

std::string of(int n, int limit) { return std::to_string(n) + " of " + std::to_string(limit); }

int ignored_in_a_row(const OfferContext& c, WallTime* last) {
  int n = 0;
  const auto& offers = c.facts->offers;
  for (auto it = offers.rbegin(); it != offers.rend(); ++it) {
    if (it->state == OfferFact::State::holdout || it->state == OfferFact::State::pending) continue;
    const bool open_still = it->state == OfferFact::State::sent && c.wall < it->expires_at;
    if (open_still) continue;
    if (it->state == OfferFact::State::opened || it->state == OfferFact::State::redeemed) break;
    if (n++ == 0) *last = it->at;
  }
  return n;
}

// ---- what depends on the customer alone

bool always(const OfferContext&) { return true; }

bool rested_after_complaint(const OfferContext& c) {
  return c.wall - *c.facts->complaint_at >= c.policy->complaint_rest;
}

// The rest doubles with each offer more that is ignored, three times at most.
bool not_tired(const OfferContext& c) {
  WallTime last;
  const int over = ignored_in_a_row(c, &last) - c.policy->fatigue_after;
  return over < 0 || c.wall - last >= c.policy->fatigue_rest * (1 << std::min(over, 3));
}

bool gap_is_over(const OfferContext& c) {
  const auto& offers = c.facts->offers;
  return std::none_of(offers.begin(), offers.end(), [&](const OfferFact& o) {
    if (!counts(o)) return false;
    return o.state == OfferFact::State::pending ? waiting(o, c.wall)
                                                : c.wall - o.at < c.policy->caps.min_gap;
  });
}

bool quiet(const OfferContext& c) { return within(c.policy->quiet_hours->hours, c.local.time); }

// A rule, and what `welcomectl why` says of it: its texts are made only then.
struct CustomerRule {
  Reason reason;                        // where it does not pass
  bool (*asked)(const OfferContext&);   // whether the policy, or what is known, asks it at all
  bool (*passes)(const OfferContext&);  // the following only where it is asked
  std::string (*title)(const OfferContext&);
  std::string (*detail)(const OfferContext&);
};

// In the order in which they are asked.
constexpr CustomerRule kCustomerRules[] = {
    {Reason::paused, always, [](const OfferContext& c) { return !c.offers_paused; },
     [](const OfferContext&) -> std::string { return "offers are not paused"; },
     [](const OfferContext& c) -> std::string { return c.offers_paused ? "paused" : "running"; }},
    {Reason::no_consent, always,
     [](const OfferContext& c) { return c.purposes.has(Purpose::proximity_offers); },
     [](const OfferContext&) -> std::string { return "consent: proximity_offers"; },
     [](const OfferContext& c) -> std::string {
       return c.purposes.has(Purpose::proximity_offers) ? "in force" : "not in force";
     }},
    {Reason::clock_untrusted, always, [](const OfferContext& c) { return c.wall_trusted; },
     [](const OfferContext&) -> std::string { return "the box's clock can be trusted"; },
     [](const OfferContext& c) { return utc_text(c.wall); }},
    {Reason::no_policy, [](const OfferContext& c) { return !c.has_policy; },
     [](const OfferContext&) { return false; },
     [](const OfferContext&) -> std::string { return "a policy is in force"; },
     [](const OfferContext&) -> std::string { return "none: no caps, and no quiet hours"; }},
    {Reason::not_today, [](const OfferContext& c) { return c.not_today; },
     [](const OfferContext&) { return false; },
     [](const OfferContext&) -> std::string { return "not left alone today"; },
     [](const OfferContext&) -> std::string { return "said so today"; }},
    {Reason::complaint, [](const OfferContext& c) { return c.facts->complaint_at.has_value(); },
     rested_after_complaint,
     [](const OfferContext&) -> std::string { return "no complaint lately"; },
     [](const OfferContext& c) { return "complained " + utc_text(*c.facts->complaint_at); }},
    {Reason::fatigue, [](const OfferContext& c) { return c.policy->fatigue_after > 0; }, not_tired,
     [](const OfferContext&) -> std::string { return "not tired of offers"; },
     [](const OfferContext& c) {
       WallTime last;
       return std::to_string(ignored_in_a_row(c, &last)) + " ignored in a row";
     }},
    {Reason::cap_customer_day,
     [](const OfferContext& c) { return c.policy->caps.per_customer_day.has_value(); },
     [](const OfferContext& c) {
       return count_days(c, 0, counts) < *c.policy->caps.per_customer_day;
     },
     [](const OfferContext&) -> std::string { return "cap per customer and day"; },
     [](const OfferContext& c) {
       return of(count_days(c, 0, counts), *c.policy->caps.per_customer_day);
     }},
    {Reason::cap_customer_week,
     [](const OfferContext& c) { return c.policy->caps.per_customer_week.has_value(); },
     [](const OfferContext& c) {
       return count_days(c, 6, counts) < *c.policy->caps.per_customer_week;
     },
     [](const OfferContext&) -> std::string { return "cap per customer and seven days"; },
     [](const OfferContext& c) {
       return of(count_days(c, 6, counts), *c.policy->caps.per_customer_week);
     }},
    {Reason::min_gap,
     [](const OfferContext& c) { return c.policy->caps.min_gap > chr::seconds{0}; }, gap_is_over,
     [](const OfferContext&) -> std::string { return "minimum gap between offers"; },
     [](const OfferContext& c) { return duration_text(c.policy->caps.min_gap); }},
    {Reason::cap_store,
     [](const OfferContext& c) { return c.policy->caps.per_store_day.has_value(); },
     [](const OfferContext& c) { return c.sent_today < *c.policy->caps.per_store_day; },
     [](const OfferContext&) -> std::string { return "cap per store and day"; },
     [](const OfferContext& c) { return of(c.sent_today, *c.policy->caps.per_store_day); }},
    {Reason::quiet_hours, [](const OfferContext& c) { return c.policy->quiet_hours.has_value(); },
     [](const OfferContext& c) { return !quiet(c) || held_until(c).has_value(); },
     [](const OfferContext& c) {
       const DayHours& h = c.policy->quiet_hours->hours;
       return "quiet hours " + clock_text(h.from) + " to " + clock_text(h.to);
     },
     [](const OfferContext& c) {
       return clock_text(c.local.time) + " local" + (held_until(c) ? ", held until they end" : "");
     }},
};

}  // namespace

bool counts(const OfferFact& offer) { return offer.state != OfferFact::State::holdout; }

Result<CompiledCampaign> compile(Campaign campaign) {
  if (auto ok = validate(campaign); !ok) return tl::unexpected(ok.error());
  CompiledCampaign out;
  for (const Variant& v : campaign.variants) {
    std::map<std::string, CampaignText> texts;
    for (const auto& [language, text] : v.text) {
      CampaignText t;
      t.text = *TextTemplate::parse(text);
      const auto title = v.title.find(language);
      if (title != v.title.end()) t.title = *TextTemplate::parse(title->second);
      texts.emplace(language, std::move(t));
    }
    out.texts.push_back(std::move(texts));
  }
  const Trigger& t = campaign.trigger;
  const Zone zone = t.on == TriggerOn::pass_by ? Zone::street
                    : t.on == TriggerOn::dwell ? Zone::desk
                                               : Zone::inside;
  out.trigger_zone = t.zone.value_or(zone);
  out.trigger_key = stable_hash(
      0, {to_string(t.on), to_string(out.trigger_zone), std::to_string(t.dwell.count())});
  out.campaign = std::move(campaign);
  return out;
}

Result<void> check_protected(const Campaign& campaign, const Policy& policy) {
  const auto guarded = [&](const std::string& word) {
    const auto& p = policy.protected_attributes;
    return std::find(p.begin(), p.end(), word) != p.end();
  };
  for (const auto* group :
       {&campaign.audience.all, &campaign.audience.any, &campaign.audience.none}) {
    for (const Condition& k : *group) {
      if (guarded(k.field) || std::any_of(k.values.begin(), k.values.end(), guarded)) {
        return fail(ErrorCode::refused,
                    "audience: asks for a protected attribute (" + k.field + ")");
      }
    }
  }
  return {};
}

std::optional<WallTime> held_until(const OfferContext& c) {
  const auto& hours = c.policy->quiet_hours;
  if (!hours || hours->mode != QuietHours::Mode::hold || !quiet(c)) return std::nullopt;
  const WallTime end = c.clock->end_of(hours->hours, c.wall);
  // Hours from 00:00 to 24:00 have no end to wait for.
  if (within(hours->hours, c.clock->local(end).time)) return std::nullopt;
  return end;
}

Reason judge_customer(const OfferContext& context) {
  for (const CustomerRule& rule : kCustomerRules) {
    if (rule.asked(context) && !rule.passes(context)) return rule.reason;
  }
  return Reason::made;
}

void explain_customer(const OfferContext& context, Steps& steps) {
  for (const CustomerRule& rule : kCustomerRules) {
    if (!rule.asked(context)) continue;
    steps.push_back({rule.title(context), rule.passes(context), rule.detail(context)});
  }
}

Reason judge_campaign(const CompiledCampaign& compiled, const OfferContext& c,
                      std::int64_t budget_used, Steps* steps) {
  const Campaign& k = compiled.campaign;
  if (!k.audience.everybody()) {
    // The audience is a question about the profile: it may be asked only with consent.
    if (!c.purposes.has(Purpose::personalised_offers)) {
      tell(steps, "consent: personalised_offers", false, "the audience needs the profile");
      return Reason::no_consent;
    }
    tell(steps, "consent: personalised_offers", true, "in force");
    if (!c.profile || !in_audience(k.audience, c, steps)) return Reason::not_in_audience;
  } else {
    tell(steps, "audience", true, "everybody");
  }
  if (!on_schedule(k.schedule, c, steps)) return Reason::schedule;
  if (k.budget) {
    const bool ok = budget_used < *k.budget;
    tell(steps, "budget", ok, std::to_string(budget_used) + " of " + std::to_string(*k.budget));
    if (!ok) return Reason::budget;
  }
  if (!k.product.empty()) {
    const auto& bought = c.facts->purchases;
    const bool just = std::any_of(bought.begin(), bought.end(), [&](const PurchaseFact& x) {
      return x.product == k.product && c.wall - x.at < c.policy->purchase_rest;
    });
    tell(steps, "not just bought", !just, k.product);
    if (just) return Reason::just_bought;
  }
  const int n = count_days(c, k.cap.per == Period::day ? 0 : 6,
                           [&](const OfferFact& o) { return o.campaign == k.id; });
  const bool ok = n < k.cap.per_customer;
  tell(steps, "cap of the campaign per customer and " + std::string(to_string(k.cap.per)), ok,
       of(n, k.cap.per_customer));
  return ok ? Reason::made : Reason::cap_campaign;
}

bool held_out(const Campaign& k, const OfferContext& c, Steps* steps) {
  if (k.holdout_percent <= 0.0) return false;
  const double u =
      100.0 * unit_interval(stable_hash(c.policy->seed, {"holdout", k.id.str(), c.customer.str()}));
  const bool out = u < k.holdout_percent;
  tell(steps, "not in the hold-out group of " + number_text(k.holdout_percent) + " %", !out,
       "drawn " + number_text(u));
  return out;
}

std::string learning_segment(const OfferContext& c) {
  if (!c.profile) return "";
  for (const std::string& s : c.policy->learn_segments) {
    if (std::find(c.profile->segments.begin(), c.profile->segments.end(), s) !=
        c.profile->segments.end()) {
      return s;
    }
  }
  return "";
}

std::size_t choose_variant(const Campaign& k, const OfferContext& c, const Learner& learner,
                           const std::string& segment, Steps* steps) {
  const std::uint64_t seed = stable_hash(c.policy->seed, {"variant", k.id.str(), c.customer.str()});
  std::size_t chosen = pick_weighted(k.variants, unit_interval(seed));
  std::string how = "by hash";
  if (k.choice == VariantChoice::learn) {
    const auto kept = c.facts->assigned.find(k.id);
    const auto variant = kept == c.facts->assigned.end()
                             ? k.variants.end()
                             : std::find_if(k.variants.begin(), k.variants.end(),
                                            [&](auto& v) { return v.id == kept->second; });
    if (variant != k.variants.end()) {
      chosen = static_cast<std::size_t>(variant - k.variants.begin());
      how = "drawn before and kept";
    } else {
      const Learner::Draw draw = learner.draw(k, segment, c.policy->learn_floor, seed);
      chosen = draw.variant;
      how = draw.explored ? "explored evenly"
                          : "Thompson sample " + number_text(draw.sampled[chosen]) + " is the best";
    }
  } else if (k.choice == VariantChoice::rotate) {
    const auto moved =
        std::count_if(c.facts->offers.begin(), c.facts->offers.end(), [&](const OfferFact& o) {
          return counts(o) && o.campaign == k.id && o.state != OfferFact::State::pending;
        });
    for (auto i = moved; i > 0; --i) {
      do {
        chosen = (chosen + 1) % k.variants.size();
      } while (k.variants[chosen].weight <= 0.0);
    }
    if (moved > 0) how += ", moved on after " + std::to_string(moved) + " sent";
  }
  tell(steps, "variant", true, k.variants[chosen].id + " " + how);
  return chosen;
}

namespace {

TextValues values_for(const Campaign& k, const OfferContext& c) {
  TextValues v;
  v["code"] = k.code;
  if (!c.profile) return v;
  const Profile& p = *c.profile;
  v["name"] = p.name;
  v["greeting"] = p.greeting;
  v["tier"] = p.tier;
  v["points"] = std::to_string(p.points);
  if (p.next_reward_points > 0) {
    v["next_reward_points"] = std::to_string(p.next_reward_points);
    v["points_to_reward"] =
        std::to_string(std::max<std::int64_t>(p.next_reward_points - p.points, 0));
  }
  for (const Preference& x : c.preferences) v["preference." + x.key] = x.value;
  return v;
}

// "de-AT" finds "de-AT", then "de", then "en", then whatever there is.
const std::pair<const std::string, CampaignText>& text_in(
    const std::map<std::string, CampaignText>& texts, const std::string& language) {
  for (const std::string& l :
       {language, language.substr(0, language.find('-')), std::string("en")}) {
    const auto it = texts.find(l);
    if (it != texts.end()) return *it;
  }
  return *texts.begin();
}

}  // namespace

Result<Rendered> render(const CompiledCampaign& campaign, std::size_t variant,
                        const OfferContext& c) {
  const auto& [language, text] =
      text_in(campaign.texts[variant], c.profile ? c.profile->language : std::string("en"));
  const TextValues values = values_for(campaign.campaign, c);
  auto title = text.title.render(values);
  if (!title) return tl::unexpected(title.error());
  auto body = text.text.render(values);
  if (!body) return tl::unexpected(body.error());
  return Rendered{language, std::move(*title), std::move(*body)};
}

}  // namespace welcome
