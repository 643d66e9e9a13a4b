// The part of the Engine that keeps what the radio learnt of customers' devices: sealed with the
// customer's key, gone with her consent, her identity or after 400 days without news.

#include <charconv>
#include <nlohmann/json.hpp>

#include "core/hex.h"
#include "firmware/daemon/engine.h"

namespace welcome::daemon {

namespace {

using nlohmann::json;

std::string value_of(const beacon::LearntDevice& learnt) {
  json value{{"clock_ahead_s", learnt.clock_ahead_s},
             {"clock_at_s", learnt.clock_at_s},
             {"nearest_tenths_db", learnt.nearest.tenths_db},
             {"visits", learnt.nearest.visits}};
  const auto& addresses = learnt.addresses;
  if (!addresses.current().empty()) {
    json& current = value["addresses"] = json::array();
    for (const auto& one : addresses.current()) current.push_back({one.prand, one.first_minute});
    value["past_addresses"] = to_hex(addresses.past());
  }
  return value.dump();
}

beacon::HeardAddresses addresses_in(const json& row) {
  std::vector<beacon::HeardAddresses::Current> current;
  for (const auto& one : row.value("addresses", json::array())) {
    current.push_back({one.at(0).get<std::uint32_t>(), one.at(1).get<std::uint32_t>()});
  }
  const auto text = row.value("past_addresses", std::string());
  std::vector<std::uint8_t> past(text.size() / 2);
  if (!from_hex(text, past)) past.clear();
  return beacon::HeardAddresses::restored(std::move(current), std::move(past));
}

std::optional<beacon::LearntDevice> read_value(const std::string& text) {
  const json row = json::parse(text, nullptr, false);
  beacon::LearntDevice learnt;
  try {
    row.at("clock_ahead_s").get_to(learnt.clock_ahead_s);
    row.at("clock_at_s").get_to(learnt.clock_at_s);
    row.at("nearest_tenths_db").get_to(learnt.nearest.tenths_db);
    row.at("visits").get_to(learnt.nearest.visits);
    learnt.addresses = addresses_in(row);
  } catch (const json::exception&) {
    return std::nullopt;
  }
  return learnt;
}

}  // namespace

void Engine::load_learnt() {
  const auto rows = store_.journal().states(StateRow::Kind::device);
  if (!rows) return store_failed(rows.error());
  for (const auto& row : *rows) {
    std::uint64_t device = 0;
    const char* end = row.key.data() + row.key.size();
    const bool whole = std::from_chars(row.key.data(), end, device).ptr == end;
    const auto learnt = row.value ? read_value(*row.value) : std::nullopt;
    // One that cannot be read is learnt again.
    if (whole && learnt) learnt_[device] = *learnt;
  }
}

void Engine::keep_learnt(const Now& now) {
  const auto news = tracker_.take_learnt();
  if (news.empty()) return;
  const auto kept = store_.transaction([&] {
    for (const auto& learnt : news) {
      learnt_[learnt.device] = learnt.what;
      (void)store_.journal().put_state({StateRow::Kind::device, std::to_string(learnt.device),
                                        learnt.customer, value_of(learnt.what)},
                                       now.wall);
    }
  });
  if (!kept) store_failed(kept.error());
}

// While nobody consents because the CRM is silent or the clock is not set, everybody may come back.
void Engine::forget_unknown_devices(const Now& now) {
  if (learnt_.empty() || pipeline_.gate().footing(now) != ConsentFooting::firm) return;
  const auto gone = tracker_.drop_unknown(learnt_);
  if (gone.empty()) return;
  const auto done = store_.transaction([&] {
    for (const auto device : gone) {
      (void)store_.journal().put_state({StateRow::Kind::device, std::to_string(device), {}, {}},
                                       now.wall);
    }
  });
  if (!done) store_failed(done.error());
}

}  // namespace welcome::daemon
