// SPDX-License-Identifier: Apache-2.0
#include "firmware/recording/player.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "contract/items.h"

namespace welcome::recording {

namespace fs = std::filesystem;
namespace chr = std::chrono;
using nlohmann::json;

namespace {

// Other rules may want to be woken when the recorded day was asleep. The box itself wakes within
// 50 ms.
constexpr chr::milliseconds kSleptFor{200};

Profile profile_of(const CustomerId& customer, const KnownProfile& known) {
  Profile p;
  p.customer = customer;
  // Texts are made, so that a value that is missing shows; nobody reads them.
  if (known.named) p.name = "…";
  if (known.greeted) p.greeting = "…";
  p.language = known.language;
  p.tier = known.tier;
  p.points = known.points;
  p.next_reward_points = known.next_reward_points;
  p.segments = known.segments;
  p.tags = known.tags;
  p.preferences = known.preferences;
  p.not_today_at = known.not_today_at;
  return p;
}

ConsentRecord record_of(const CustomerId& customer, const Consent& consent) {
  ConsentRecord r;
  r.customer = customer;
  r.purpose = consent.purpose;
  if (consent.given_at) r.history.push_back({ConsentState::given, *consent.given_at, ""});
  if (consent.withdrawn_at) {
    r.history.push_back({ConsentState::withdrawn, *consent.withdrawn_at, ""});
  }
  r.expires_at = consent.expires_at;
  return r;
}

template <class T>
Result<T> item_of(contract::Collection collection, const ItemText& text) {
  auto decoded = contract::decode_item(collection, text.json);
  if (!decoded) return tl::unexpected(decoded.error());
  return std::get<T>(std::move(*decoded));
}

}  // namespace

// ---- the world

const Profile* RecordedWorld::profile(const CustomerId& customer) {
  const auto it = profiles.find(customer);
  return it == profiles.end() ? nullptr : &it->second;
}

std::optional<std::string> RecordedWorld::facts(const CustomerId& customer) {
  const auto it = facts_rows.find(customer);
  return it == facts_rows.end() ? std::nullopt : std::optional(it->second);
}

std::string RecordedWorld::next() {
  if (decisions.empty()) return "replay-" + std::to_string(++count);
  std::string id = std::move(decisions.front());
  decisions.pop_front();
  return id;
}

std::string RecordedWorld::visit(const CustomerId& customer) {
  const auto it = visits.find(customer);
  return it == visits.end() ? "replay-" + std::to_string(++count) : it->second;
}

// ---- a recorded event as the pipeline takes it

// Nothing: of somebody who cannot be read, or of rules that were replaced. Errors: malformed.
class Player::EventOf {
 public:
  EventOf(Player& player, const Now& now) : p_(player), now_(now) {}
  using Said = Result<std::optional<Event>>;

  Said operator()(const happened::Claim& e) const {
    return of(e.who, [&](const CustomerId& customer) {
      return event::Claim{IdentityClaim{customer, e.source, e.fast, e.settled, e.similarity,
                                        e.track, e.doubted, now_.mono}};
    });
  }
  Said operator()(const happened::Staff& e) const {
    StaffAction a;
    a.id = e.id;
    a.visit = e.visit;
    a.staff = StaffId(e.by);
    a.kind = e.kind;
    a.at = e.at;
    if (e.noted) a.text = "…";
    if (e.changed) a.verdict = StaffAction::Verdict::change;
    if (e.said) read_preference(*e.said, a);
    return event::Staff{std::move(a)};
  }
  Said operator()(const happened::CampaignPut& e) const {
    auto campaign = item_of<Campaign>(contract::Collection::campaigns, e.item);
    if (!campaign) return tl::unexpected(campaign.error());
    if (p_.replaced(campaign->id)) return std::nullopt;
    return event::CampaignPut{std::move(*campaign)};
  }
  Said operator()(const happened::CampaignGone& e) const {
    if (p_.replaced(e.id)) return std::nullopt;
    return event::CampaignRemoved{e.id};
  }
  Said operator()(const happened::PolicyPut& e) const {
    if (p_.order_.rules.policy) return std::nullopt;
    if (!e.item) return event::PolicyReplaced{};
    auto policy = item_of<Policy>(contract::Collection::policy, *e.item);
    if (!policy) return tl::unexpected(policy.error());
    return event::PolicyReplaced{std::move(*policy)};
  }
  Said operator()(const happened::ConsentsChanged& e) const {
    event::ConsentChanged changed;
    for (const auto& [who, consent] : e.records) {
      const CustomerId* customer = p_.person(who);
      if (customer != nullptr) changed.records.push_back(record_of(*customer, consent));
    }
    return changed;
  }
  Said operator()(const happened::ConsentGone& e) const {
    return of(e.who, [&](const CustomerId& customer) {
      event::ConsentRemoved removed{customer, e.purpose};
      if (e.instead) removed.instead = record_of(customer, *e.instead);
      return removed;
    });
  }
  Said operator()(const happened::Forgotten& e) const {
    return of(e.who, [](const CustomerId& customer) { return event::CustomerForgotten{customer}; });
  }
  Said operator()(const happened::Heard& e) const { return event::CrmHeard{e.at}; }
  Said operator()(const happened::Paused& e) const { return event::PauseChanged{e.function, e.on}; }
  Said operator()(const happened::ProfileChanged& e) const {
    const CustomerId* customer = p_.person(e.who);
    if (customer == nullptr) return std::nullopt;
    const auto plain = open(p_.people_.at(e.who).second, e.profile);
    const auto known = decode_known_profile(plain.value_or("null"));
    if (!known) return tl::unexpected(known.error());
    if (*known) {
      p_.world_.profiles[*customer] = profile_of(*customer, **known);
    } else {
      p_.world_.profiles.erase(*customer);
    }
    return event::ProfileChanged{*customer};
  }
  Said operator()(const happened::Sent& e) const {
    if (p_.own_.contains(e.decision)) return std::nullopt;  // another offer bears this id now
    return event::DecisionSent{e.decision};
  }
  Said operator()(const happened::Expired& e) const {
    if (p_.own_.contains(e.decision)) return std::nullopt;
    return event::DecisionExpired{e.decision};
  }
  Said operator()(const happened::Elsewhere& e) const {
    return of(e.who, [&](const CustomerId& customer) {
      return event::OfferElsewhere{customer, e.campaign, e.variant, e.decision, e.at};
    });
  }
  Said operator()(const happened::Told& e) const {
    // Of others it counts for the store, whoever they are.
    const auto who = p_.aliases_.find(e.alias);
    const auto whom =
        who == p_.aliases_.end() ? e.alias : store_alias(p_.pipeline_->policy(), who->second);
    return event::OfferTold{
        {e.decision, whom, e.campaign, e.at, e.expires_at, e.sent}, e.own, e.kept};
  }
  Said operator()(const happened::TakenBack& e) const { return event::OfferTakenBack{e.decision}; }
  Said operator()(const happened::CameOf& e) const {
    if (p_.own_.contains(e.decision)) return std::nullopt;
    return of(e.who, [&](const CustomerId& customer) {
      return event::ExternalOutcome{customer, e.decision, e.outcome, e.product, e.value, e.at};
    });
  }
  Said operator()(const happened::Tick&) const { return event::Tick{}; }

 private:
  template <class Make>
  Said of(Who who, Make make) const {
    const CustomerId* customer = p_.person(who);
    if (customer == nullptr) return std::nullopt;
    return make(*customer);
  }

  // It is sealed for the customer of the visit.
  void read_preference(const Sealed& said, StaffAction& action) const {
    for (const auto& [number, who] : p_.people_) {
      const auto plain = open(who.second, said);
      if (!plain) continue;
      if (const auto preference = decode_said_preference(*plain)) {
        action.preference_key = preference->key;
        action.preference_value = preference->value;
      }
      return;
    }
  }

  Player& p_;
  const Now& now_;
};

// ---- a file

Result<void> Player::play(const fs::path& path) {
  std::ifstream in(path);
  if (!in) return fail(ErrorCode::unavailable, "cannot read " + path.filename().string());
  begin_file();
  std::size_t number = 0;
  for (std::string text; std::getline(in, text);) {
    if (++number % 4096 == 0 && stop_.stop_requested()) {
      return fail(ErrorCode::refused, "welcomed is stopping");
    }
    auto line = decode_line(text);
    const bool torn_end = !line && line.error().code == ErrorCode::malformed &&
                          in.peek() == std::ifstream::traits_type::eof();
    if (torn_end && number > 1) break;
    const auto taken = line ? take(std::move(*line)) : Result<void>(tl::unexpected(line.error()));
    if (!taken) {
      return fail(taken.error().code, path.filename().string() + ", line " +
                                          std::to_string(number) + ": " + taken.error().message);
    }
  }
  return {};
}

void Player::begin_file() {
  // What customers were told by other rules stays told from one day to the next.
  RecordedWorld fresh;
  if (order_.rules.any()) fresh.facts_rows = std::move(world_.facts_rows);
  fresh.count = world_.count;
  world_ = std::move(fresh);
  people_.clear();
  aliases_.clear();
  before_head_.clear();
  consents_.clear();
  head_.reset();
  pipeline_.reset();
  wake_.reset();
  own_.clear();
}

Result<void> Player::take(Line line) {
  if (auto* head = std::get_if<Head>(&line)) {
    head_ = std::move(*head);
    for (const Card& card : std::exchange(before_head_, {})) {
      if (auto met = meet(card); !met) return met;
    }
    return {};
  }
  if (const auto* card = std::get_if<Card>(&line)) {
    if (head_) return meet(*card);
    before_head_.push_back(*card);  // the head says whether it can be read
    return {};
  }
  if (!head_) return fail(ErrorCode::malformed, "no head before it");
  if (!pipeline_) {
    if (auto begun = begin(*head_); !begun) return begun;
  }
  return happen(std::get<Moment>(line));
}

Result<void> Player::meet(const Card& card) {
  const auto key = order_.keys.find(card.key);
  const auto plain = key == order_.keys.end() ? std::nullopt : open(key->second.second, card.card);
  if (!plain) {
    comparison_.left_out(card.key);
    return {};
  }
  const auto face = decode_card_face(*plain);
  if (!face) return tl::unexpected(face.error());
  const CustomerId customer = key->second.first;
  people_[card.who] = key->second;
  aliases_[face->alias] = customer;
  if (face->profile) world_.profiles[customer] = profile_of(customer, *face->profile);
  if (face->facts) {
    auto [facts, first] = world_.facts_rows.try_emplace(customer);
    if (first || !order_.rules.any()) facts->second = face->facts->json;
  }
  for (const Consent& consent : face->consents) {
    if (pipeline_) {
      pipeline_->gate_for_loading().put(record_of(customer, consent));
    } else {
      consents_.push_back(record_of(customer, consent));
    }
  }
  return {};
}

const CustomerId* Player::person(Who who) const {
  const auto it = people_.find(who);
  return it == people_.end() ? nullptr : &it->second.first;
}

bool Player::replaced(const CampaignId& id) const {
  const auto& campaigns = order_.rules.campaigns;
  return std::any_of(campaigns.begin(), campaigns.end(),
                     [&](const Campaign& c) { return c.id == id; });
}

// As the engine loads: consents, policy, campaigns, pauses, rows.
Result<void> Player::begin(const Head& head) {
  pipeline_.emplace(head.settings, world_, world_);
  ConsentGate& gate = pipeline_->gate_for_loading();
  for (const ConsentRecord& r : std::exchange(consents_, {})) gate.put(r);
  if (auto loaded = load_rules(head); !loaded) return loaded;
  for (const Function f : head.paused) pipeline_->handle(event::PauseChanged{f, true}, head.at);
  pipeline_->restore(rows_of(head), head.at);
  if (head.heard) gate.heard_from_crm(*head.heard);
  return {};
}

Result<void> Player::load_rules(const Head& head) {
  if (order_.rules.policy) {
    pipeline_->handle(event::PolicyReplaced{*order_.rules.policy}, head.at);
  } else if (head.policy) {
    auto policy = item_of<Policy>(contract::Collection::policy, *head.policy);
    if (!policy) return tl::unexpected(policy.error());
    pipeline_->handle(event::PolicyReplaced{std::move(*policy)}, head.at);
  }
  std::vector<Campaign> campaigns = order_.rules.campaigns;
  for (const ItemText& text : head.campaigns) {
    // What the box set aside is set aside here too.
    auto campaign = item_of<Campaign>(contract::Collection::campaigns, text);
    if (campaign && !replaced(campaign->id)) campaigns.push_back(std::move(*campaign));
  }
  pipeline_->handle(event::CampaignsReplaced{std::move(campaigns)}, head.at);
  return {};
}

std::vector<StateRow> Player::rows_of(const Head& head) const {
  std::vector<StateRow> rows;
  for (const Row& recorded : head.rows) {
    StateRow row{recorded.kind, recorded.key, {}, recorded.value};
    if (recorded.who) {
      const CustomerId* customer = person(*recorded.who);
      if (customer == nullptr) continue;
      row.customer = *customer;
    }
    if (recorded.who && row.kind == StateRow::Kind::visit) {
      json visit = json::parse(*row.value, nullptr, false);
      if (!visit.is_object()) continue;
      visit["customer"] = row.customer.str();
      row.value = visit.dump();
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

// ---- an event

Result<void> Player::happen(const Moment& moment) {
  const Now& now = moment.at;
  if (order_.rules.any()) wake_until(now);
  comparison_.happened(now);
  world_.visits.clear();
  world_.decisions.clear();
  for (const VisitBegun& begun : moment.visits) {
    if (const CustomerId* c = person(begun.who)) world_.visits[*c] = begun.visit.str();
  }
  std::vector<Made> then;
  for (const Decided& d : moment.decisions) {
    const CustomerId* c = person(d.who);
    if (c == nullptr) continue;
    then.push_back({d.id, d.kind, d.reason, *c, d.campaign, d.variant, d.survey});
    world_.decisions.push_back(d.id.str());
  }
  const auto event = std::visit(EventOf(*this, now), moment.what);
  if (!event) return tl::unexpected(event.error());
  settle(pipeline_->handle(event->value_or(event::Tick{}), now), then, now);
  return {};
}

void Player::wake_until(const Now& now) {
  while (wake_ && *wake_ + kSleptFor < now.mono) {
    const Now then{*wake_, now.wall - chr::duration_cast<chr::milliseconds>(now.mono - *wake_),
                   now.wall_trusted};
    wake_.reset();
    world_.visits.clear();
    world_.decisions.clear();
    settle(pipeline_->handle(event::Tick{}, then), {}, then);
  }
}

void Player::settle(const Effects& effects, const std::vector<Made>& then, const Now& now) {
  keep(effects);
  const auto differs = comparison_.compare(then, effects.decisions, now.wall);
  for (std::size_t i = 0; i < effects.decisions.size(); ++i) {
    if (!differs[i]) continue;
    const Decision& made = effects.decisions[i];
    own_.insert(made.id);
    // Nobody knows what would have become of it: it is taken as sent.
    if (made.reason == Reason::made) keep(pipeline_->handle(event::DecisionSent{made.id}, now));
  }
}

void Player::keep(const Effects& effects) {
  for (const StateRow& row : effects.rows) {
    if (row.kind != StateRow::Kind::facts) continue;
    if (row.value) {
      world_.facts_rows[row.customer] = *row.value;
    } else {
      world_.facts_rows.erase(row.customer);
    }
  }
  if (effects.wake_at) wake_ = effects.wake_at;
}

}  // namespace welcome::recording
