// SPDX-License-Identifier: Apache-2.0
// Rows of state as JSON: readable by an export, tolerant of fields that a newer version added.

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "core/facts.h"
#include "core/presence.h"

namespace welcome {

namespace {

using Json = nlohmann::json;
namespace chr = std::chrono;

std::int64_t ms(WallTime t) { return t.time_since_epoch().count(); }

// Damaged rows hold any number: what no clock can have said is refused, so that sums of times
// cannot overflow.
chr::milliseconds bounded(const Json& j) {
  constexpr std::int64_t kLimit = 10'000LL * 366 * 86'400'000;
  if (!j.is_number_integer()) throw std::invalid_argument("time");
  const auto v = j.get<std::int64_t>();
  if (v < -kLimit || v > kLimit) throw std::out_of_range("time");
  return chr::milliseconds{v};
}
WallTime wall(const Json& j) { return WallTime{bounded(j)}; }

Json optional_wall(const std::optional<WallTime>& t) { return t ? Json(ms(*t)) : Json(); }
std::optional<WallTime> optional_wall(const Json& j) {
  if (j.is_null()) return std::nullopt;
  return wall(j);
}

template <class E>
E enum_of(const Json& j, std::int64_t count) {
  if (!j.is_number_integer()) throw std::invalid_argument("enum");
  const auto v = j.get<std::int64_t>();
  if (v < 0 || v >= count) throw std::out_of_range("enum");
  return static_cast<E>(v);
}

template <class E>
int number(E e) {
  return static_cast<int>(e);
}

template <class F>
auto guarded(F&& read) -> Result<decltype(read())> {
  try {
    return read();
  } catch (const std::exception&) {
    return fail(ErrorCode::corrupt, "a state row cannot be read");
  }
}

Json preference_json(const Preference& p) {
  return {{"key", p.key},
          {"value", p.value},
          {"confidence", p.confidence},
          {"confirmed", p.confirmed},
          {"last", optional_wall(p.last_confirmed)},
          {"source", p.source}};
}

// Between readings of two runs of the box lies the wall time that passed.
class Ages {
 public:
  explicit Ages(const Now& now) : now_(now) {}
  Ages(const Now& now, WallTime written) : now_(now) {
    if (now.wall_trusted && now.wall > written) gap_ = now.wall - written;
  }
  Json write(MonoTime t) const {
    return chr::duration_cast<chr::milliseconds>(now_.mono - t).count();
  }
  Json write(const std::optional<MonoTime>& t) const { return t ? write(*t) : Json(); }
  MonoTime read(const Json& j) const { return now_.mono - bounded(j) - gap_; }
  std::optional<MonoTime> read_optional(const Json& j) const {
    if (j.is_null()) return std::nullopt;
    return read(j);
  }

 private:
  Now now_;
  chr::milliseconds gap_{0};
};

template <std::size_t N>
Json ages_json(const Ages& ages, const std::array<std::optional<MonoTime>, N>& times) {
  Json j = Json::array();
  for (const auto& t : times) j.push_back(ages.write(t));
  return j;
}

template <std::size_t N>
void read_ages(const Ages& ages, const Json& j, std::array<std::optional<MonoTime>, N>& times) {
  for (std::size_t i = 0; i < std::min(N, j.size()); ++i) times[i] = ages.read_optional(j[i]);
}

}  // namespace

std::string encode(const CustomerFacts& f) {
  Json j = Json::object();
  for (const OfferFact& o : f.offers) {
    j["offers"].push_back({{"decision", o.decision.str()},
                           {"campaign", o.campaign.str()},
                           {"variant", o.variant},
                           {"segment", o.segment},
                           {"state", number(o.state)},
                           {"at", ms(o.at)},
                           {"expires", ms(o.expires_at)},
                           {"personalised", o.personalised}});
  }
  for (const auto& [campaign, variant] : f.assigned) j["assigned"][campaign.str()] = variant;
  for (WallTime t : f.visits) j["visits"].push_back(ms(t));
  j["visits_total"] = f.visits_total;
  for (const PurchaseFact& p : f.purchases) {
    j["purchases"].push_back({{"product", p.product}, {"value", p.value}, {"at", ms(p.at)}});
  }
  j["complaint_at"] = optional_wall(f.complaint_at);
  j["surveyed_at"] = optional_wall(f.surveyed_at);
  j["face_doubt"] = f.face_doubt;
  j["face_doubt_at"] = optional_wall(f.face_doubt_at);
  for (const Preference& p : f.learnt) j["learnt"].push_back(preference_json(p));
  if (f.note) j["note"] = {{"text", f.note->text}, {"at", ms(f.note->at)}};
  return j.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<CustomerFacts> decode_facts(std::string_view text) {
  return guarded([&] {
    const Json j = Json::parse(text);
    CustomerFacts f;
    for (const Json& o : j.value("offers", Json::array())) {
      f.offers.push_back({DecisionId(o.at("decision").get<std::string>()),
                          CampaignId(o.at("campaign").get<std::string>()),
                          o.at("variant").get<std::string>(), o.value("segment", ""),
                          enum_of<OfferFact::State>(o.at("state"), 6), wall(o.at("at")),
                          wall(o.at("expires")), o.value("personalised", false)});
    }
    const Json assigned = j.value("assigned", Json::object());  // outlives the loop over its items
    for (const auto& [campaign, variant] : assigned.items()) {
      f.assigned[CampaignId(campaign)] = variant.get<std::string>();
    }
    for (const Json& t : j.value("visits", Json::array())) f.visits.push_back(wall(t));
    f.visits_total = j.value("visits_total", std::int64_t{0});
    for (const Json& p : j.value("purchases", Json::array())) {
      f.purchases.push_back(
          {p.at("product").get<std::string>(), p.value("value", 0.0), wall(p.at("at"))});
    }
    f.complaint_at = optional_wall(j.value("complaint_at", Json()));
    f.surveyed_at = optional_wall(j.value("surveyed_at", Json()));
    f.face_doubt = j.value("face_doubt", 0.0);
    f.face_doubt_at = optional_wall(j.value("face_doubt_at", Json()));
    for (const Json& p : j.value("learnt", Json::array())) {
      f.learnt.push_back({p.at("key").get<std::string>(), p.at("value").get<std::string>(),
                          p.value("confidence", 0.5), p.value("confirmed", 0),
                          optional_wall(p.value("last", Json())), p.value("source", "")});
    }
    if (const auto note = j.find("note"); note != j.end()) {
      f.note = Conversation{note->at("text").get<std::string>(), wall(note->at("at"))};
    }
    return f;
  });
}

void CustomerFacts::forget_old(const AgreedTime& agreed) {
  constexpr std::size_t kMost = 200;
  const auto older = [now = agreed.wall()](WallTime t, int days) {
    return now - t > chr::days{days};
  };
  std::erase_if(offers, [&](const OfferFact& o) { return older(o.at, 60); });
  std::erase_if(visits, [&](WallTime t) { return older(t, 366); });
  std::erase_if(purchases, [&](const PurchaseFact& p) { return older(p.at, 366); });
  if (visits.size() > kMost) visits.erase(visits.begin(), visits.end() - kMost);
  if (purchases.size() > kMost) purchases.erase(purchases.begin(), purchases.end() - kMost);
}

std::string encode(const Presence& p, const Now& now) {
  const Ages ages(now);
  Json j{{"visit", p.visit.str()},
         {"customer", p.customer.str()},
         {"at", ms(now.wall)},
         {"stage", number(p.stage)},
         {"started", ms(p.started_at)},
         {"seen", ms(p.last_seen)},
         {"heard_age", ages.write(p.last_heard)},
         {"radio_age", ages.write(p.last_radio)},
         {"in_age", ages.write(p.last_in)},
         {"still_age", ages.write(p.still_since)},
         {"fast", number(p.fast)},
         {"settled", number(p.settled)},
         {"zone", number(p.zone)},
         {"reach", ages_json(ages, p.reach_since)},
         {"settled_since", ages_json(ages, p.settled_since)},
         {"heard", ages_json(ages, p.heard)},
         {"face", p.face_evidence},
         {"face_rival", p.face_rival ? Json(*p.face_rival) : Json()},
         {"face_age", ages.write(p.face_at)},
         {"face_zone", number(p.face_zone)},
         {"not_this", p.not_this_person},
         {"confirmed", p.confirmed},
         {"fired", p.fired},
         {"suppressed", p.suppressed},
         {"actions", p.actions},
         {"prompt", p.prompt.str()},
         {"shown", p.prompt_shown},
         {"state", number(p.prompt_state)},
         {"claimed_by", p.claimed_by.str()},
         {"prompt_since", ms(p.prompt_since)},
         {"renew_age", ages.write(p.prompt_renew_at)},
         {"print", p.prompt_print}};
  return j.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Presence> decode_presence(std::string_view text, const Now& now) {
  return guarded([&] {
    const Json j = Json::parse(text);
    const Ages ages(now, wall(j.at("at")));
    Presence p;
    p.visit = VisitId(j.at("visit").get<std::string>());
    p.customer = CustomerId(j.at("customer").get<std::string>());
    if (p.visit.empty() || p.customer.empty()) throw std::out_of_range("id");
    p.stage = enum_of<Presence::Stage>(j.at("stage"), 3);
    p.started_at = wall(j.at("started"));
    p.last_seen = wall(j.at("seen"));
    p.last_heard = ages.read(j.at("heard_age"));
    p.last_radio = j.contains("radio_age") ? ages.read(j.at("radio_age")) : p.last_heard;
    p.last_in = ages.read(j.at("in_age"));
    p.still_since = ages.read(j.at("still_age"));
    p.fast = enum_of<Zone>(j.at("fast"), static_cast<int>(kZones));
    p.settled = enum_of<Zone>(j.at("settled"), static_cast<int>(kZones));
    p.zone = enum_of<Zone>(j.at("zone"), static_cast<int>(kZones));
    read_ages(ages, j.at("reach"), p.reach_since);
    read_ages(ages, j.at("settled_since"), p.settled_since);
    read_ages(ages, j.at("heard"), p.heard);
    p.face_evidence = j.at("face").get<double>();
    if (!j.at("face_rival").is_null()) p.face_rival = j.at("face_rival").get<double>();
    p.face_at = ages.read_optional(j.at("face_age"));
    p.face_zone = enum_of<Zone>(j.at("face_zone"), static_cast<int>(kZones));
    p.not_this_person = j.at("not_this").get<bool>();
    p.confirmed = j.at("confirmed").get<bool>();
    p.fired = j.at("fired").get<std::vector<std::uint64_t>>();
    p.suppressed = j.at("suppressed").get<std::vector<std::uint64_t>>();
    p.actions = j.at("actions").get<std::vector<std::string>>();
    p.prompt = DecisionId(j.at("prompt").get<std::string>());
    p.prompt_shown = j.at("shown").get<bool>();
    p.prompt_state = enum_of<PromptState>(j.at("state"), 5);
    p.claimed_by = StaffId(j.at("claimed_by").get<std::string>());
    p.prompt_since = wall(j.at("prompt_since"));
    p.prompt_renew_at = ages.read(j.at("renew_age"));
    p.prompt_print = j.at("print").get<std::uint64_t>();
    return p;
  });
}

}  // namespace welcome
