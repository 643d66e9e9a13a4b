// SPDX-License-Identifier: Apache-2.0
#include "firmware/engine/key_watch.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>
#include <string_view>
#include <utility>

#include "contract/items.h"
#include "contract/json_text.h"
#include "contract/message.h"
#include "firmware/engine/convert.h"

namespace welcome::daemon {

namespace {

using nlohmann::json;

// This and the identity's id.
constexpr std::string_view kClockRow = "clock ";

std::int64_t in_ms(WallTime time) { return time.time_since_epoch().count(); }

}  // namespace

bool KeyWatch::load(const StateRow& row) {
  if (!row.key.starts_with(kClockRow)) return false;
  const json value = json::parse(row.value.value_or(""), nullptr, false);
  if (!value.is_object()) return true;
  const auto time = [&](const char* name) {
    return WallTime{std::chrono::milliseconds{value.value(name, std::int64_t{0})}};
  };
  clocks_[row.key.substr(kClockRow.size())] = {time("clock_zero_ms"), time("instead_of_ms")};
  return true;
}

beacon::IdentityKey KeyWatch::with_clock(beacon::IdentityKey key) const {
  const auto set = clocks_.find(key.identity);
  if (set != clocks_.end() && set->second.instead_of == key.clock_zero) {
    key.clock_zero = set->second.clock_zero;
  }
  return key;
}

Result<json> KeyWatch::set_clock(const std::string& identity, const Now& now) {
  const auto stored = shared_.store.replica().find(store::Collection::identities, identity);
  if (!stored) return fail(ErrorCode::not_found, "there is no such identity here");
  const auto item = contract::decode_item(contract::Collection::identities, stored->body);
  if (!item) return tl::unexpected(item.error());
  const auto key = key_of(std::get<IdentityItem>(*item));
  if (key.kind != beacon::IdentityKind::eddystone_eid) {
    return fail(ErrorCode::refused,
                "only an eddystone_eid device has a clock that may begin again");
  }
  if (!shared_.pipeline.gate().permits(key.customer, Purpose::proximity_offers, now)) {
    return fail(ErrorCode::refused, "its customer may not be recognised");
  }
  if (!now.wall_trusted) return fail(ErrorCode::refused, "this box's own clock is not set");
  const auto zero = doubts_.clock_zero_of(key, now);
  if (!zero) {
    return fail(ErrorCode::refused,
                "it is not heard at any other time: hold it near the box and ask again");
  }
  const SetClock set{*zero, key.clock_zero};
  const auto done = shared_.store.transaction([&](store::Tx& tx) {
    tx.journal().put_state({StateRow::Kind::device, std::string(kClockRow) + identity, key.customer,
                            contract::dump(json{{"clock_zero_ms", in_ms(set.clock_zero)},
                                                {"instead_of_ms", in_ms(set.instead_of)}})},
                           now.wall);
    tx.audit().append(now, "radio", "technician", key.customer,
                      "the clock of one of their devices was set again");
    tell_crm(tx, *stored, "clock_zero: it was set at the box", true, now);
  });
  if (!done) return tl::unexpected(done.error());
  clocks_[identity] = set;
  needs_.keys_changed({key.customer}, now);
  delivery_.pump(contract::LinkName::uplink, now);
  return json{{"identity", identity},
              {"clock_zero", contract::to_rfc3339(set.clock_zero)},
              {"instead_of", contract::to_rfc3339(set.instead_of)}};
}

void KeyWatch::report(const Now& now) {
  for (const auto& doubt : doubts_.take()) {
    const auto theirs =
        shared_.store.replica().of_customer(store::Collection::identities, doubt.customer);
    if (!theirs) return needs_.store_failed(theirs.error());
    const auto whose = std::find_if(theirs->begin(), theirs->end(), [&](const auto& item) {
      return beacon::KeyDoubts::identity_tag(item.key) == doubt.identity;
    });
    if (whose == theirs->end()) continue;
    const std::string reason =
        doubt.kind == beacon::KeyDoubts::Kind::reversed_irk
            ? "irk: as it is it resolves nothing, the other way round it resolves what is heard: "
              "its bytes are reversed"
            : "clock_zero: the device's clock has begun again (a new battery?), at " +
                  contract::to_rfc3339(doubt.clock_zero);
    spdlog::warn("an identity does not fit its device: {}", reason);
    const auto done =
        shared_.store.transaction([&](store::Tx& tx) { tell_crm(tx, *whose, reason, false, now); });
    if (!done) return needs_.store_failed(done.error());
    delivery_.pump(contract::LinkName::uplink, now);
  }
}

void KeyWatch::tell_crm(store::Tx& tx, const store::ReplicaItem& identity,
                        const std::string& reason, bool over, const Now& now) {
  delivery_.tell_crm(
      tx,
      {MessageId(shared_.ids.next()),
       now.wall,
       {},
       contract::FeedRejected{contract::Collection::identities, identity.key,
                              static_cast<std::uint64_t>(identity.seq), reason, over},
       {}},
      OutboxKind::feed, {}, now);
}

}  // namespace welcome::daemon
