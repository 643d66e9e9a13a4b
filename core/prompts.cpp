// SPDX-License-Identifier: Apache-2.0
#include "core/prompts.h"

#include <algorithm>
#include <cmath>

#include "core/hash.h"
#include "core/store_clock.h"
#include "core/text.h"

namespace welcome {

namespace chr = std::chrono;

namespace {

constexpr std::size_t kShownPreferences = 5;
constexpr double kSureEnough = 0.3;  // below, a preference is rather asked than offered

double worth(const Preference& p, WallTime now) {
  if (!p.last_confirmed) return p.confidence * 0.5;
  const double age =
      static_cast<double>(std::max<std::int64_t>((now - *p.last_confirmed).count(), 0));
  const double half = static_cast<double>(chr::milliseconds{kPreferenceHalfLife}.count());
  return p.confidence * std::exp2(-age / half);
}

std::string detail(const Preference& p, WallTime now) {
  std::string out = p.source.empty() ? "" : "from " + plain_text(p.source, 64) + ", ";
  out += p.confirmed <= 0   ? "not confirmed yet"
         : p.confirmed == 1 ? "confirmed once"
         : p.confirmed == 2 ? "confirmed twice"
                            : "confirmed " + std::to_string(p.confirmed) + " times";
  if (!p.last_confirmed) return out;
  const chr::year_month_day then{chr::floor<chr::days>(*p.last_confirmed)};
  const chr::year_month_day today{chr::floor<chr::days>(now)};
  if (then == today) return out + ", last today";
  out += ", last in " + std::string(month_name(static_cast<unsigned>(then.month())));
  if (then.year() != today.year()) out += " " + std::to_string(static_cast<int>(then.year()));
  return out;
}

Suggestion suggest(const Profile& profile, const std::vector<Preference>& preferences,
                   WallTime now) {
  for (const Preference& p : preferences) {
    if (worth(p, now) >= kSureEnough) return {Suggestion::Kind::offer, plain_text(p.value)};
  }
  const std::int64_t left = profile.next_reward_points - profile.points;
  if (profile.next_reward_points > 0 && left > 0 && left * 5 <= profile.next_reward_points) {
    return {Suggestion::Kind::points, {}, left};
  }
  if (!preferences.empty()) {
    return {Suggestion::Kind::ask, plain_text(preferences.front().value)};
  }
  return {};
}

std::string in_english(const Suggestion& s) {
  switch (s.kind) {
    case Suggestion::Kind::offer:
      return "Offer: " + s.value;
    case Suggestion::Kind::points:
      return "Mention: " + std::to_string(s.points) + " points to the next reward";
    case Suggestion::Kind::ask:
      return "Ask: still " + s.value + "?";
    case Suggestion::Kind::open:
      break;
  }
  return "Ask what would be welcome today";
}

// What may be read out: it names only who wishes to be named.
std::string headline(const Presence& presence, const std::string& name) {
  return presence.level == Level::confirmed ? "This may be " + name : name + " may be here";
}

}  // namespace

void confirm(Preference& p, WallTime at) {
  p.confidence += (1.0 - p.confidence) * 0.3;
  ++p.confirmed;
  p.last_confirmed = at;
}

void change(Preference& p, std::string value, WallTime at) {
  p.value = std::move(value);
  p.confidence = 0.6;
  p.confirmed = 1;
  p.last_confirmed = at;
}

std::vector<std::string> noticed_by(const Presence& p) {
  const auto heard = [&](ClaimSource s) {
    return p.heard[static_cast<std::size_t>(s)].has_value();
  };
  std::vector<std::string> by;
  if (heard(ClaimSource::eddystone_eid) || heard(ClaimSource::rotating_uuid) ||
      heard(ClaimSource::resolvable_address)) {
    by.emplace_back("phone");
  }
  if (heard(ClaimSource::static_beacon)) by.emplace_back("beacon");
  if (heard(ClaimSource::app_report)) by.emplace_back("app");
  if (p.face_at && p.face_evidence > 0.0) by.emplace_back("face");
  return by;
}

std::vector<Preference> ranked_preferences(const Profile& profile, const CustomerFacts& facts,
                                           WallTime now) {
  std::vector<Preference> all = profile.preferences;
  for (const Preference& learnt : facts.learnt) {
    const auto it = std::find_if(all.begin(), all.end(),
                                 [&](const Preference& p) { return p.key == learnt.key; });
    if (it == all.end()) {
      all.push_back(learnt);
    } else if (!it->last_confirmed || learnt.last_confirmed >= it->last_confirmed) {
      *it = learnt;
    }
  }
  std::stable_sort(all.begin(), all.end(), [now](const Preference& a, const Preference& b) {
    return worth(a, now) > worth(b, now);
  });
  return all;
}

std::vector<Preference> lasting_preferences(const Profile& profile, const CustomerFacts& facts,
                                            WallTime now) {
  std::vector<Preference> all = ranked_preferences(profile, facts, now);
  std::erase_if(all, [now](const Preference& p) { return worth(p, now) < kFaded; });
  return all;
}

std::string learn_preference(CustomerFacts& facts, const Profile* profile, const std::string& key,
                             const std::string& value, bool said_again, WallTime at) {
  const auto by_key = [&](const Preference& p) { return p.key == key; };
  Preference next;
  next.key = key;
  const auto learnt = std::find_if(facts.learnt.begin(), facts.learnt.end(), by_key);
  if (learnt != facts.learnt.end()) {
    next = *learnt;
  } else if (profile) {
    const auto& known = profile->preferences;
    if (const auto it = std::find_if(known.begin(), known.end(), by_key); it != known.end()) {
      next = *it;
    }
  }
  if (said_again && (value.empty() || value == next.value)) {
    confirm(next, at);
  } else {
    change(next, value, at);
  }
  next.source = "staff";
  std::string value_now = next.value;
  if (value_now.empty()) return value_now;
  if (learnt != facts.learnt.end()) {
    *learnt = std::move(next);
  } else {
    facts.learnt.push_back(std::move(next));
  }
  return value_now;
}

Prompt make_prompt(const Presence& presence, const Profile& profile, const CustomerFacts& facts,
                   WallTime now) {
  Prompt p;
  p.visit = presence.visit;
  p.decision = presence.prompt;
  p.customer = presence.customer;
  p.level = presence.level;
  p.by = noticed_by(presence);
  p.name = plain_text(profile.name);
  p.met = profile.met;
  if (profile.met == Met::by_name) {
    p.greeting = plain_text(profile.greeting);
    p.pronunciation = plain_text(profile.pronunciation);
  }
  p.tier = profile.tier;
  p.points = profile.points;
  p.next_reward_points = profile.next_reward_points;
  const bool named = profile.met == Met::by_name && !p.name.empty();
  p.headline = headline(presence, named ? p.name : std::string("a member"));
  const std::vector<Preference> preferences = ranked_preferences(profile, facts, now);
  for (const Preference& x : preferences) {
    if (p.preferences.size() == kShownPreferences) break;
    p.preferences.push_back({x.key, plain_text(x.value), detail(x, now), plain_text(x.source, 64),
                             x.confirmed, x.last_confirmed});
  }
  p.last_conversation = profile.last_conversation;
  if (facts.note && (!p.last_conversation || facts.note->at >= p.last_conversation->at)) {
    p.last_conversation = facts.note;
  }
  p.suggest = suggest(profile, preferences, now);
  p.suggestion = in_english(p.suggest);
  p.avoid = profile.avoid;
  p.zone = presence.zone;
  p.since = presence.prompt_since;
  p.state = presence.prompt_state;
  p.claimed_by = presence.claimed_by;
  return p;
}

std::uint64_t print_of(const Prompt& p) {
  std::uint64_t h = 1;
  const auto add = [&h](std::string_view text) { h = stable_hash(h, {text}); };
  add(to_string(p.level));
  add(to_string(p.met));
  for (const auto& b : p.by) add(b);
  for (const auto* s : {&p.name, &p.greeting, &p.pronunciation, &p.tier, &p.headline, &p.suggestion,
                        &p.claimed_by.str(), &p.decision.str()}) {
    add(*s);
  }
  add(std::to_string(p.points));
  add(std::to_string(p.next_reward_points));
  for (const auto& x : p.preferences) h = stable_hash(h, {x.key, x.text, x.detail});
  if (p.last_conversation) add(p.last_conversation->text);
  for (const auto& a : p.avoid) add(a);
  add(to_string(p.zone));
  add(to_string(p.state));
  return h;
}

}  // namespace welcome
