// SPDX-License-Identifier: Apache-2.0
#include "firmware/engine/neighbours.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sodium.h>

#include "core/hex.h"

namespace welcome::daemon {

namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

constexpr auto kSignOfLifeEvery = 2s;
constexpr auto kPeerAway = 6s;        // three signs of life
constexpr auto kForgetSession = 60s;  // a box that lost its database counts from 1 again
constexpr std::size_t kMostPeers = 64;
constexpr std::size_t kMostTold = 1000;  // as the schema says
constexpr std::size_t kDays = 3;
constexpr auto kFobFresh = 2s;
constexpr auto kLedFresh = 2s;  // as long as the tracker counts what was said

std::string date_of(WallTime time) { return contract::to_rfc3339(time).substr(0, 10); }

}  // namespace

Neighbours::Neighbours(contract::BoxAddress box, Zone zone, const StoreKey& key,
                       std::uint64_t session)
    : box_(std::move(box)), zone_(zone), key_(key), session_(session) {}

Neighbours::~Neighbours() { sodium_memzero(key_.data(), key_.size()); }

std::string Neighbours::hash(std::string_view what, std::string_view day,
                             std::string_view of) const {
  std::string text(what);
  text.append(1, '\0').append(day).append(1, '\0').append(of);
  std::array<std::uint8_t, 16> bytes;
  crypto_generichash(bytes.data(), bytes.size(),
                     reinterpret_cast<const unsigned char*>(text.data()), text.size(), key_.data(),
                     key_.size());
  return to_hex(bytes);
}

const Neighbours::Day& Neighbours::ids(const std::string& date, const beacon::Tracker& tracker) {
  auto day = std::find_if(days_.begin(), days_.end(), [&](const Day& d) { return d.date == date; });
  if (day == days_.end()) {
    if (days_.size() >= kDays) days_.pop_front();
    day = days_.insert(days_.end(), Day{date, {}, {}});
  }
  auto here = tracker.present_customers();
  for (const auto& [customer, visit] : visits_) here.push_back(customer);
  std::sort(here.begin(), here.end());
  here.erase(std::unique(here.begin(), here.end()), here.end());
  for (const CustomerId& customer : here) {
    const auto [it, fresh] = day->who.try_emplace(customer);
    if (!fresh) continue;
    it->second = hash("who", date, customer.str());
    day->customer.emplace(it->second, customer);
  }
  if (day->who.size() > here.size()) {  // somebody left, or withdrew
    std::erase_if(day->customer, [&](const auto& entry) {
      return !std::binary_search(here.begin(), here.end(), entry.second);
    });
    std::erase_if(day->who, [&](const auto& entry) {
      return !std::binary_search(here.begin(), here.end(), entry.first);
    });
  }
  return *day;
}

contract::FloorRanging Neighbours::gone(const contract::BoxAddress& box, Zone zone,
                                        std::uint64_t session, WallTime at) {
  contract::FloorRanging out;
  out.store = box.store;
  out.box = box.box;
  out.session = session;
  out.day = date_of(at);
  out.zone = zone;
  out.gone = true;
  return out;
}

std::string Neighbours::hide(const VisitId& visit, std::string_view day,
                             const CustomerId& customer) const {
  std::string digits = visit.str();
  std::erase(digits, '-');
  const std::string pad = hash("visit", day, customer.str());
  const auto value = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  if (digits.size() != pad.size() ||
      digits.find_first_not_of("0123456789abcdef") != std::string::npos) {
    return {};
  }
  for (std::size_t i = 0; i < digits.size(); ++i) {
    digits[i] = "0123456789abcdef"[value(digits[i]) ^ value(pad[i])];
  }
  return digits;
}

std::optional<VisitId> Neighbours::reveal(std::string_view hidden, std::string_view day,
                                          const CustomerId& customer) const {
  std::string digits = hide(VisitId(std::string(hidden)), day, customer);  // twice is not at all
  if (digits.empty()) return std::nullopt;
  for (const std::size_t at : {8U, 13U, 18U, 23U}) digits.insert(at, 1, '-');
  return VisitId(std::move(digits));
}

void Neighbours::heard_leader(const std::string& box, const CustomerId& customer,
                              std::optional<VisitId> visit, const Now& now) {
  const auto known = led_.find(customer);
  const bool fresh = known != led_.end() && now.mono - known->second.heard < kLedFresh;
  if (fresh && known->second.box < box) return;  // as the tracker has it
  if (visit) {
    led_[customer] = {box, std::move(*visit), now.mono};
  } else if (known != led_.end()) {
    led_.erase(known);
  }
}

std::optional<VisitId> Neighbours::visit_elsewhere(const CustomerId& customer,
                                                   const beacon::Tracker& tracker,
                                                   const Now& now) const {
  const auto led = led_.find(customer);
  if (led == led_.end() || now.mono - led->second.heard >= kLedFresh || tracker.leads(customer)) {
    return std::nullopt;
  }
  return led->second.visit;
}

bool Neighbours::is_led_elsewhere(const VisitId& visit, const Now& now) const {
  return std::any_of(led_.begin(), led_.end(), [&](const auto& led) {
    return led.second.visit == visit && now.mono - led.second.heard < kLedFresh;
  });
}

bool Neighbours::due(const beacon::Tracker& tracker, const Now& now) const {
  const auto every = tracker.present() > 0 ? beacon::kTellEvery : kSignOfLifeEvery;
  return !told_ || now.mono - *told_ >= every;
}

contract::FloorRanging Neighbours::tell(const beacon::Tracker& tracker, const Visits& visits,
                                        const Now& now) {
  told_ = now.mono;
  visits_ = visits;
  std::erase_if(led_, [&](const auto& led) { return now.mono - led.second.heard >= kLedFresh; });
  contract::FloorRanging out = gone(box_, zone_, session_, now.wall);
  out.gone = false;
  out.seq = ++seq_;
  const Day& day = ids(out.day, tracker);
  std::erase_if(fobs_, [&](const auto& fob) { return now.mono - fob.second.at >= kFobFresh; });
  for (const auto& [customer, say] : tracker.say(now)) {
    if (out.heard.size() >= kMostTold) break;
    contract::FloorRanging::Heard heard;
    heard.who = day.who.at(customer);
    if (say.heard_ago) {
      heard.heard_ago_ms = std::chrono::duration_cast<milliseconds>(*say.heard_ago).count();
      heard.fast_db = say.fast_db;
      heard.settled_db = say.settled_db;
    }
    heard.source = say.source;
    if (say.fob) {
      const std::string identity = std::to_string(say.fob->identity);
      const std::string device(say.fob->device.begin(), say.fob->device.end());
      heard.fob = hash("fob", out.day, identity);
      heard.device = hash("device", out.day, device);
      fobs_[identity] = {device, now.mono};
    }
    heard.leads = say.leads;
    if (const auto visit = visits.find(customer); say.leads && visit != visits.end()) {
      heard.visit = hide(visit->second, out.day, customer);
    }
    heard.fast = say.fast;
    heard.settled = say.settled;
    out.heard.push_back(std::move(heard));
  }
  return out;
}

std::vector<IdentityClaim> Neighbours::hear(const contract::FloorRanging& said,
                                            beacon::Tracker& tracker, const Now& now) {
  if (said.box == box_.box) return {};
  auto known = peers_.find(said.box);
  if (known == peers_.end()) {
    if (peers_.size() >= kMostPeers) return {};
    known = peers_.emplace(said.box, Peer{}).first;
  }
  Peer& peer = known->second;
  const bool silent = peer.session == 0 || now.mono - peer.heard >= kForgetSession;
  const bool older = said.session < peer.session ||
                     (said.session == peer.session && !said.gone && said.seq <= peer.seq);
  if (older && !silent) {
    ++late_;
    return {};
  }
  if (said.gone) {
    peer.gone = true;
    peer.session = said.session;
    tracker.forget_box(said.box);
    return {};
  }
  peer = {said.session, said.seq, said.zone, false, now.mono};
  std::vector<IdentityClaim> out;
  if (said.heard.empty()) return out;
  const Day& day = ids(said.day, tracker);
  // What we hear ourselves, hidden as in the sender's day: identity and device.
  std::unordered_map<std::string, std::pair<std::uint64_t, std::string>> ours;
  for (const auto& [identity, fob] : fobs_) {
    if (now.mono - fob.at < kFobFresh) {
      ours.emplace(hash("fob", said.day, identity),
                   std::pair(std::stoull(identity), hash("device", said.day, fob.device)));
    }
  }
  for (const auto& heard : said.heard) {
    const auto customer = day.customer.find(heard.who);
    if (customer == day.customer.end()) continue;
    beacon::BoxSay say;
    if (heard.heard_ago_ms) {
      say.heard_ago = milliseconds{*heard.heard_ago_ms};
      say.fast_db = heard.fast_db;
      say.settled_db = heard.settled_db;
    }
    say.source = heard.source;
    const auto fob = ours.find(heard.fob);
    if (fob != ours.end()) {
      say.compared = {fob->second.first, fob->second.second == heard.device};
    }
    say.leads = heard.leads;
    if (heard.leads) {
      heard_leader(said.box, customer->second, reveal(heard.visit, said.day, customer->second),
                   now);
    }
    say.fast = heard.fast;
    say.settled = heard.settled;
    for (auto& claim : tracker.hear(said.box, said.zone, customer->second, say, now)) {
      out.push_back(std::move(claim));
    }
  }
  return out;
}

nlohmann::json Neighbours::status(const Now& now) const {
  nlohmann::json boxes = nlohmann::json::array();
  for (const auto& [name, peer] : peers_) {
    const bool there = !peer.gone && now.mono - peer.heard < kPeerAway;
    boxes.push_back(
        {{"box", name},
         {"zone", to_string(peer.zone)},
         {"state", there ? "here" : "away"},
         {"heard_s_ago",
          std::chrono::duration_cast<std::chrono::seconds>(now.mono - peer.heard).count()}});
  }
  return {{"zone", to_string(zone_)}, {"boxes", std::move(boxes)}, {"late", late_}};
}

}  // namespace welcome::daemon
