#include "firmware/recording/replay.h"

#include <algorithm>
#include <deque>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <unordered_map>

#include "contract/items.h"
#include "contract/message.h"
#include "core/store_clock.h"

namespace welcome::recording {

namespace fs = std::filesystem;
namespace chr = std::chrono;
using nlohmann::json;

namespace {

// Other rules may want to be woken when the recorded day was asleep. The box itself wakes within
// 50 ms.
constexpr chr::milliseconds kSleptFor{200};

WallTime wall(const json& j) { return WallTime{chr::milliseconds{j.get<std::int64_t>()}}; }
std::optional<WallTime> optional_wall(const json& j) {
  return j.is_null() ? std::nullopt : std::optional(wall(j));
}

template <class E>
E need(std::optional<E> value) {
  if (!value) throw std::invalid_argument("word");
  return *value;
}

Profile profile_of(const CustomerId& customer, const json& j) {
  Profile p;
  p.customer = customer;
  // Texts are made, so that a value that is missing shows; nobody reads them.
  if (j.at("named").get<bool>()) p.name = "…";
  if (j.at("greeted").get<bool>()) p.greeting = "…";
  p.language = j.at("language").get<std::string>();
  p.tier = j.at("tier").get<std::string>();
  p.points = j.at("points").get<std::int64_t>();
  p.next_reward_points = j.at("next_reward_points").get<std::int64_t>();
  p.segments = j.at("segments").get<std::vector<std::string>>();
  p.tags = j.at("tags").get<std::vector<std::string>>();
  for (const json& x : j.at("preferences")) {
    p.preferences.push_back({x.at(0).get<std::string>(), x.at(1).get<std::string>(),
                             x.at(2).get<double>(), x.at(3).get<int>(), optional_wall(x.at(4)),
                             x.at(5).get<std::string>()});
  }
  return p;
}

ConsentRecord record_of(const CustomerId& customer, const std::string& purpose, const json& given,
                        const json& withdrawn, const json& expires) {
  ConsentRecord r;
  r.customer = customer;
  r.purpose = need(purpose_from_string(purpose));
  if (!given.is_null()) r.history.push_back({ConsentState::given, wall(given), ""});
  if (!withdrawn.is_null()) r.history.push_back({ConsentState::withdrawn, wall(withdrawn), ""});
  r.expires_at = optional_wall(expires);
  return r;
}

struct Made {  // a decision, as far as it can be compared
  DecisionId id;
  DecisionKind kind;
  Reason reason;
  CustomerId customer;
  CampaignId campaign;
  std::string variant;
  std::string survey;

  bool same(const Made& o) const {
    return std::tie(kind, reason, customer, campaign, variant, survey) ==
           std::tie(o.kind, o.reason, o.customer, o.campaign, o.variant, o.survey);
  }
};

std::string words(const Made& m) {
  std::string out(to_string(m.kind));
  out += m.reason == Reason::made ? " made" : " suppressed: " + std::string(to_string(m.reason));
  if (!m.campaign.empty()) out += ", campaign " + m.campaign.str();
  if (!m.variant.empty()) out += ", variant " + m.variant;
  if (!m.survey.empty()) out += ", survey " + m.survey;
  return out;
}

// What one campaign did, then or now.
struct Deeds {
  int offers = 0;
  std::set<CustomerId> customers;
  std::map<std::string, int> suppressed;  // by reason

  void count(const Made& m) {
    if (m.reason == Reason::made) {
      ++offers;
      customers.insert(m.customer);
    } else {
      ++suppressed[std::string(to_string(m.reason))];
    }
  }
  json to_json() const {
    return {{"offers", offers}, {"customers", customers.size()}, {"suppressed", suppressed}};
  }
  std::string to_text() const {
    std::string out = std::to_string(offers) + " offered to " + std::to_string(customers.size()) +
                      (customers.size() == 1 ? " customer" : " customers");
    std::string not_made;
    for (const auto& [reason, n] : suppressed) {
      not_made += (not_made.empty() ? "; not made: " : ", ") + reason + " " + std::to_string(n);
    }
    return out + not_made;
  }
};

// The world of one file: what the directory and the store would answer.
struct World : Pipeline::Directory, Pipeline::IdSource {
  const Profile* profile(const CustomerId& c) override {
    const auto it = profiles.find(c);
    return it == profiles.end() ? nullptr : &it->second;
  }
  std::optional<std::string> facts(const CustomerId& c) override {
    const auto it = rows.find(c);
    return it == rows.end() ? std::nullopt : std::optional(it->second);
  }
  std::string next() override {
    if (decisions.empty()) return "replay-" + std::to_string(++count);
    std::string id = std::move(decisions.front());
    decisions.pop_front();
    return id;
  }
  std::string visit(const CustomerId& customer) override {
    const auto it = visits.find(customer);
    return it == visits.end() ? "replay-" + std::to_string(++count) : it->second;
  }

  std::unordered_map<CustomerId, Profile> profiles;
  std::unordered_map<CustomerId, std::string> rows;
  std::map<CustomerId, std::string> visits;  // that begin in this event
  std::deque<std::string> decisions;         // of this event
  std::uint64_t count = 0;
};

class Player {
 public:
  Player(const ReplayOrder& order, const std::stop_token& stop) : order_(order), stop_(stop) {}

  Result<void> play(const fs::path& path) {
    std::ifstream in(path);
    if (!in) return fail(ErrorCode::unavailable, "cannot read " + path.filename().string());
    // What customers were told by other rules stays told from one day to the next.
    World fresh;
    if (order_.rules.any()) fresh.rows = std::move(world_.rows);
    fresh.count = world_.count;
    world_ = std::move(fresh);
    people_.clear();
    aliases_.clear();
    head_ = json();
    pipeline_.reset();
    wake_.reset();
    own_.clear();
    std::size_t number = 0;
    for (std::string line; std::getline(in, line);) {
      if (++number % 4096 == 0 && stop_.stop_requested()) {
        return fail(ErrorCode::refused, "welcomed is stopping");
      }
      const json j = json::parse(line, nullptr, false);
      if (j.is_discarded() && in.peek() == std::ifstream::traits_type::eof()) break;  // torn end
      try {
        take(j);
      } catch (const std::exception&) {
        return fail(ErrorCode::malformed, path.filename().string() + ", line " +
                                              std::to_string(number) + ": not of a recording");
      }
    }
    return {};
  }

  json report() const;

 private:
  void take(const json& j) {
    if (j.contains("card") && j.contains("key")) return meet(j);
    if (j.contains("recording")) {
      head_ = j;
      return;
    }
    if (!pipeline_) begin();
    happen(j);
  }

  // A card. Who cannot be read stays a number without a person.
  void meet(const json& j) {
    const auto key = order_.keys.find(j.at("key").get_ref<const std::string&>());
    const auto plain = key == order_.keys.end()
                           ? std::nullopt
                           : open_card(key->second.second, j.at("card").get<std::string>());
    if (!plain) {
      left_out_.insert(j.at("key").get<std::string>());
      return;
    }
    const CustomerId customer = key->second.first;
    people_[j.at("who").get<int>()] = key->second;
    const json card = json::parse(*plain);
    aliases_[card.at("alias").get<std::uint64_t>()] = customer;
    if (!card.at("profile").is_null()) {
      world_.profiles[customer] = profile_of(customer, card["profile"]);
    }
    if (!card.at("facts").is_null()) {
      auto [facts, first] = world_.rows.try_emplace(customer);
      if (first || !order_.rules.any()) facts->second = card["facts"].dump();
    }
    for (const json& c : card.at("consents")) {
      ConsentRecord record =
          record_of(customer, c.at(0).get<std::string>(), c.at(1), c.at(2), c.at(3));
      if (pipeline_) {
        pipeline_->gate_for_loading().put(record);
      } else {
        consents_.push_back(std::move(record));
      }
    }
  }

  const CustomerId* person(const json& number) const {
    const auto it = people_.find(number.get<int>());
    return it == people_.end() ? nullptr : &it->second.first;
  }

  // As the engine loads: consents, policy, campaigns, pauses, rows.
  void begin() {
    if (head_.is_null()) throw std::invalid_argument("no head");
    const Now now = now_of(head_);
    if (!from_) from_ = now.wall;
    pipeline_.emplace(settings_of(head_.at("settings")), world_, world_);
    ConsentGate& gate = pipeline_->gate_for_loading();
    for (const ConsentRecord& r : std::exchange(consents_, {})) gate.put(r);
    if (order_.rules.policy) {
      pipeline_->handle(event::PolicyReplaced{*order_.rules.policy}, now);
    } else if (!head_.at("policy").is_null()) {
      pipeline_->handle(event::PolicyReplaced{std::get<Policy>(
                            item(contract::Collection::policy, head_["policy"]))},
                        now);
    }
    std::vector<Campaign> campaigns = order_.rules.campaigns;
    for (const json& j : head_.at("campaigns")) {
      // What the box set aside is set aside here too.
      auto decoded = contract::decode_item(contract::Collection::campaigns, j.dump());
      if (!decoded) continue;
      Campaign c = std::get<Campaign>(std::move(*decoded));
      if (!replaced(c.id)) campaigns.push_back(std::move(c));
    }
    pipeline_->handle(event::CampaignsReplaced{std::move(campaigns)}, now);
    for (const json& f : head_.at("paused")) {
      pipeline_->handle(event::PauseChanged{need(function_from_string(f.get<std::string>())), true},
                        now);
    }
    std::vector<StateRow> rows;
    for (const json& r : head_.at("rows")) {
      StateRow row;
      row.kind = need(state_row_kind_from_string(r.at(0).get<std::string>()));
      row.key = r.at(1).get<std::string>();
      row.value = r.at(3).get<std::string>();
      if (!r.at(2).is_null()) {
        const CustomerId* customer = person(r[2]);
        if (!customer) continue;
        row.customer = *customer;
        if (row.kind == StateRow::Kind::visit) {
          json visit = json::parse(*row.value);
          visit["customer"] = customer->str();
          row.value = visit.dump();
        }
      }
      rows.push_back(std::move(row));
    }
    pipeline_->restore(rows, now);
    if (!head_.at("heard").is_null()) gate.heard_from_crm(wall(head_["heard"]));
  }

  static contract::Item item(contract::Collection collection, const json& j) {
    auto decoded = contract::decode_item(collection, j.dump());
    if (!decoded) throw std::invalid_argument("item");
    return std::move(*decoded);
  }

  bool replaced(const CampaignId& id) const {
    const auto& campaigns = order_.rules.campaigns;
    return std::any_of(campaigns.begin(), campaigns.end(),
                       [&](const Campaign& c) { return c.id == id; });
  }

  static Now now_of(const json& j) {
    return {MonoTime{chr::microseconds{j.at("t").get<std::int64_t>()}}, wall(j.at("w")),
            !j.value("u", false)};
  }

  void happen(const json& j) {
    const Now now = now_of(j);
    if (order_.rules.any()) wake_until(now);
    ++events_;
    until_ = now.wall;

    world_.visits.clear();
    world_.decisions.clear();
    for (const json& v : j.value("v", json::array())) {
      if (const CustomerId* c = person(v.at(0))) world_.visits[*c] = v.at(1).get<std::string>();
    }
    std::vector<Made> then;
    for (const json& d : j.value("o", json::array())) {
      const CustomerId* c = person(d.at(3));
      if (!c) continue;
      then.push_back({DecisionId(d.at(0).get<std::string>()),
                      need(decision_kind_from_string(d.at(1).get<std::string>())),
                      need(reason_from_string(d.at(2).get<std::string>())), *c,
                      CampaignId(d.at(4).get<std::string>()), d.at(5).get<std::string>(),
                      d.at(6).get<std::string>()});
      world_.decisions.push_back(then.back().id.str());
    }
    std::optional<Event> event = event_of(j);
    const Effects effects =
        event ? pipeline_->handle(*event, now) : pipeline_->handle(event::Tick{}, now);
    settle(effects, then, now);
  }

  void wake_until(const Now& now) {
    while (wake_ && *wake_ + kSleptFor < now.mono) {
      const Now then{*wake_, now.wall - chr::duration_cast<chr::milliseconds>(now.mono - *wake_),
                     now.wall_trusted};
      wake_.reset();
      world_.visits.clear();
      world_.decisions.clear();
      settle(pipeline_->handle(event::Tick{}, then), {}, then);
    }
  }

  // Nothing: of somebody who cannot be read, or of rules that were replaced.
  std::optional<Event> event_of(const json& j) {
    if (const auto c = j.find("c"); c != j.end()) {
      const CustomerId* customer = person(c->at(0));
      if (!customer) return std::nullopt;
      IdentityClaim claim;
      claim.customer = *customer;
      claim.source = static_cast<ClaimSource>(c->at(1).get<int>());
      claim.fast = static_cast<Zone>(c->at(2).get<int>());
      claim.settled = static_cast<Zone>(c->at(3).get<int>());
      claim.confidence = c->at(4).get<double>();
      claim.track = c->at(5).get<std::uint64_t>();
      claim.at = now_of(j).mono;
      return event::Claim{std::move(claim)};
    }
    const std::string& e = j.at("e").get_ref<const std::string&>();
    const CustomerId* customer = nullptr;
    if (j.contains("who")) {
      customer = person(j["who"]);
      if (!customer) return std::nullopt;
    }
    if (e == "tick") return event::Tick{};
    if (e == "heard") return event::CrmHeard{wall(j.at("at"))};
    if (e == "sent" || e == "expired") {
      const DecisionId id(j.at("d").get<std::string>());
      if (own_.contains(id)) return std::nullopt;  // another offer bears this id now
      if (e == "sent") return event::DecisionSent{id};
      return event::DecisionExpired{id};
    }
    if (e == "campaign") {
      Campaign c = std::get<Campaign>(item(contract::Collection::campaigns, j.at("item")));
      if (replaced(c.id)) return std::nullopt;
      return event::CampaignPut{std::move(c)};
    }
    if (e == "campaign_gone") {
      CampaignId id(j.at("id").get<std::string>());
      if (replaced(id)) return std::nullopt;
      return event::CampaignRemoved{std::move(id)};
    }
    if (e == "policy") {
      if (order_.rules.policy) return std::nullopt;
      if (j.at("item").is_null()) return event::PolicyReplaced{};
      return event::PolicyReplaced{std::get<Policy>(item(contract::Collection::policy, j["item"]))};
    }
    if (e == "pause") {
      return event::PauseChanged{need(function_from_string(j.at("function").get<std::string>())),
                                 j.at("on").get<bool>()};
    }
    if (e == "consents") {
      event::ConsentChanged changed;
      for (const json& r : j.at("r")) {
        const CustomerId* c = person(r.at(0));
        if (c)
          changed.records.push_back(
              record_of(*c, r.at(1).get<std::string>(), r.at(2), r.at(3), r.at(4)));
      }
      return changed;
    }
    if (e == "unconsent") {
      return event::ConsentRemoved{*customer,
                                   need(purpose_from_string(j.at("purpose").get<std::string>()))};
    }
    if (e == "forgotten") return event::CustomerForgotten{*customer};
    if (e == "profile") {
      const auto plain = open_card(people_.at(j["who"]).second, j.at("card").get<std::string>());
      const json profile = json::parse(plain.value_or("null"));
      if (profile.is_null()) {
        world_.profiles.erase(*customer);
      } else {
        world_.profiles[*customer] = profile_of(*customer, profile);
      }
      return event::ProfileChanged{*customer};
    }
    if (e == "elsewhere") {
      return event::OfferElsewhere{*customer, CampaignId(j.at("campaign").get<std::string>()),
                                   j.at("variant").get<std::string>(),
                                   DecisionId(j.at("d").get<std::string>()), wall(j.at("at"))};
    }
    if (e == "told") {
      StoreOffer o;
      o.decision = DecisionId(j.at("d").get<std::string>());
      o.whom = j.at("alias").get<std::uint64_t>();
      // Of others it counts for the store, whoever they are.
      if (const auto who = aliases_.find(o.whom); who != aliases_.end()) {
        o.whom = store_alias(pipeline_->policy(), who->second);
      }
      o.campaign = CampaignId(j.at("campaign").get<std::string>());
      o.at = wall(j.at("at"));
      o.expires_at = wall(j.at("expires"));
      o.sent = j.at("sent").get<bool>();
      return event::OfferTold{std::move(o), j.at("own").get<bool>(), j.at("kept").get<bool>()};
    }
    if (e == "untold") return event::OfferTakenBack{DecisionId(j.at("d").get<std::string>())};
    if (e == "outcome") {
      DecisionId id(j.at("d").get<std::string>());
      if (own_.contains(id)) return std::nullopt;
      return event::ExternalOutcome{*customer,
                                    std::move(id),
                                    need(outcome_from_string(j.at("outcome").get<std::string>())),
                                    j.at("product").get<std::string>(),
                                    j.at("value").get<double>(),
                                    wall(j.at("at"))};
    }
    if (e == "staff") return staff(j);
    throw std::invalid_argument("event");
  }

  std::optional<Event> staff(const json& j) {
    StaffAction a;
    a.id = j.at("id").get<std::string>();
    a.visit = VisitId(j.at("visit").get<std::string>());
    a.staff = StaffId(j.at("by").get<std::string>());
    a.kind = need(staff_action_from_string(j.at("kind").get<std::string>()));
    a.at = wall(j.at("at"));
    if (j.at("noted").get<bool>()) a.text = "…";
    if (j.at("changed").get<bool>()) a.verdict = StaffAction::Verdict::change;
    if (a.kind == StaffAction::Kind::preference) {
      for (const VisitView& v : pipeline_->visits()) {
        if (v.visit != a.visit) continue;
        for (const auto& [number, who] : people_) {
          if (who.first != v.customer) continue;
          const auto plain = open_card(who.second, j.at("card").get<std::string>());
          const json pair = json::parse(plain.value_or("[\"\",\"\"]"));
          a.preference_key = pair.at(0).get<std::string>();
          a.preference_value = pair.at(1).get<std::string>();
        }
      }
    }
    return event::Staff{std::move(a)};
  }

  void settle(const Effects& effects, const std::vector<Made>& then, const Now& now) {
    keep(effects);
    std::vector<Made> made;
    for (const Decision& d : effects.decisions) {
      made.push_back({d.id, d.kind, d.reason, d.customer, d.campaign, d.variant, d.survey});
    }
    for (const Made& m : then) tally(m, then_);
    for (const Made& m : made) tally(m, now_);
    for (std::size_t i = 0; i < std::max(then.size(), made.size()); ++i) {
      if (i < then.size() && i < made.size() && then[i].same(made[i])) continue;
      ++differences_;
      if (first_.is_null()) {
        first_ = {{"at", contract::to_rfc3339(now.wall)},
                  {"customer", (i < made.size() ? made[i] : then[i]).customer.str()},
                  {"then", i < then.size() ? words(then[i]) : "nothing"},
                  {"now", i < made.size() ? words(made[i]) : "nothing"},
                  {"steps", json::array()}};
        if (i < made.size()) {
          for (const Step& s : effects.decisions[i].steps) {
            first_["steps"].push_back(
                {{"rule", s.rule}, {"passed", s.passed}, {"detail", s.detail}});
          }
        }
      }
      if (i >= made.size()) continue;
      own_.insert(made[i].id);
      // Nobody knows what would have become of it: it is taken as sent.
      if (made[i].reason == Reason::made)
        keep(pipeline_->handle(event::DecisionSent{made[i].id}, now));
    }
  }

  void keep(const Effects& effects) {
    for (const StateRow& row : effects.rows) {
      if (row.kind != StateRow::Kind::facts) continue;
      if (row.value) {
        world_.rows[row.customer] = *row.value;
      } else {
        world_.rows.erase(row.customer);
      }
    }
    if (effects.wake_at) wake_ = effects.wake_at;
  }

  static void tally(const Made& m, std::map<std::string, Deeds>& deeds) {
    switch (m.kind) {
      case DecisionKind::offer:
        return deeds[m.campaign.str()].count(m);
      case DecisionKind::prompt:
        return deeds["(prompts)"].count(m);
      case DecisionKind::survey:
        return deeds["(survey " + m.survey + ")"].count(m);
    }
  }

  const ReplayOrder& order_;
  const std::stop_token& stop_;
  World world_;
  std::map<int, std::pair<CustomerId, CardKey>> people_;
  std::map<std::uint64_t, CustomerId> aliases_;
  std::vector<ConsentRecord> consents_;  // of cards before the first event
  json head_;
  std::optional<Pipeline> pipeline_;
  std::optional<MonoTime> wake_;
  std::set<DecisionId> own_;  // decided otherwise than then: what became of those is not theirs

  std::set<std::string> left_out_;
  std::int64_t events_ = 0;
  std::optional<WallTime> from_;
  WallTime until_;
  std::map<std::string, Deeds> then_, now_;
  int differences_ = 0;
  json first_;
};

json Player::report() const {
  json lines = json::array();
  json names = json::array();
  for (const fs::path& f : order_.files) names.push_back(f.stem().string());
  lines.push_back(std::to_string(events_) + " events" +
                  (from_ ? " from " + utc_text(*from_) + " to " + utc_text(until_) : ""));
  if (!left_out_.empty()) {
    lines.push_back("customers who have withdrawn or been erased since, and are left out: " +
                    std::to_string(left_out_.size()));
  }
  if (differences_ == 0) {
    lines.push_back("the same decisions as then");
  } else {
    lines.push_back(std::to_string(differences_) + " decisions differ; the first:");
    lines.push_back("  " + first_.at("at").get<std::string>() + "  customer " +
                    first_.at("customer").get<std::string>());
    lines.push_back("    then  " + first_.at("then").get<std::string>());
    lines.push_back("    now   " + first_.at("now").get<std::string>());
    for (const json& s : first_.at("steps")) {
      lines.push_back(
          std::string(s.at("passed").get<bool>() ? "          yes  " : "          no   ") +
          s.at("rule").get<std::string>() + ": " + s.at("detail").get<std::string>());
    }
  }
  json campaigns = json::object();
  std::set<std::string> all;
  for (const auto* deeds : {&then_, &now_}) {
    for (const auto& [name, d] : *deeds) all.insert(name);
  }
  for (const std::string& name : all) {
    const auto of = [&](const std::map<std::string, Deeds>& deeds) {
      const auto it = deeds.find(name);
      return it == deeds.end() ? Deeds{} : it->second;
    };
    const Deeds then = of(then_), now = of(now_);
    campaigns[name] = {{"then", then.to_json()}, {"now", now.to_json()}};
    lines.push_back(name);
    lines.push_back("    then  " + then.to_text());
    if (then.to_text() != now.to_text()) lines.push_back("    now   " + now.to_text());
  }
  return {{"recordings", std::move(names)},
          {"events", events_},
          {"from", from_ ? json(contract::to_rfc3339(*from_)) : json()},
          {"until", contract::to_rfc3339(until_)},
          {"left_out", left_out_.size()},
          {"differences", differences_},
          {"first_difference", first_},
          {"campaigns", std::move(campaigns)},
          {"lines", std::move(lines)}};
}

}  // namespace

Result<OtherRules> other_rules(const json& file) {
  OtherRules rules;
  if (!file.is_object()) {
    return fail(ErrorCode::refused, "not an object with \"campaigns\" or \"policy\"");
  }
  for (const auto& [name, value] : file.items()) {
    if (name != "campaigns" && name != "policy") {
      return fail(ErrorCode::refused,
                  "\"" + name.substr(0, 40) + "\" is neither campaigns nor policy");
    }
  }
  const json campaigns = file.value("campaigns", json::array());
  if (!campaigns.is_array()) return fail(ErrorCode::refused, "campaigns: not a list");
  for (const json& c : campaigns) {
    const auto written = contract::check_written(contract::Collection::campaigns, c.dump());
    if (!written) {
      return fail(ErrorCode::refused, "campaign " + std::to_string(rules.campaigns.size() + 1) +
                                          ": " + written.error().message);
    }
    auto item = contract::decode_item(contract::Collection::campaigns, c.dump());
    rules.campaigns.push_back(std::get<Campaign>(std::move(*item)));
  }
  if (const auto policy = file.find("policy"); policy != file.end()) {
    const auto written = contract::check_written(contract::Collection::policy, policy->dump());
    if (!written) return fail(ErrorCode::refused, "policy: " + written.error().message);
    auto item = contract::decode_item(contract::Collection::policy, policy->dump());
    rules.policy = std::get<Policy>(std::move(*item));
  }
  return rules;
}

Result<json> replay(const ReplayOrder& order, const std::stop_token& stop) {
  Player player(order, stop);
  for (const fs::path& file : order.files) {
    if (auto played = player.play(file); !played) return tl::unexpected(played.error());
  }
  return player.report();
}

}  // namespace welcome::recording
