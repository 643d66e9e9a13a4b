// SPDX-License-Identifier: Apache-2.0
#include "firmware/engine/convert.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <system_error>
#include <type_traits>

#include "core/hex.h"

namespace welcome::daemon {

namespace {

// What a consent to face recognition calls templates that follow the customer's looks.
constexpr std::string_view kAgeing = "face_template_ageing";
constexpr auto kLastKind = beacon::IdentityKind::eddystone_uid;

// Of a brief, with single spaces between.
class WordReader {
 public:
  explicit WordReader(std::string_view text) : rest_(text) {}
  std::string_view next() {
    const std::string_view word = rest_.substr(0, rest_.find(' '));
    rest_.remove_prefix(std::min(word.size() + 1, rest_.size()));
    return word;
  }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

template <class Int>
std::optional<Int> number(std::string_view word) {
  Int n{};
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), n);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return n;
}

}  // namespace

beacon::IdentityKey key_of(const IdentityItem& item) {
  beacon::IdentityKey key;
  key.identity = item.identity;
  key.customer = item.customer;
  if (item.measured_power_1m_dbm) {
    key.measured_power_1m_dbm =
        static_cast<std::int8_t>(std::clamp(*item.measured_power_1m_dbm, -127, 20));
  }
  std::visit(
      [&](const auto& k) {
        using Kind = std::decay_t<decltype(k)>;
        if constexpr (std::is_same_v<Kind, RotatingKey>) {
          key.kind = k.service_uuid ? beacon::IdentityKind::rotating_uuid
                                    : beacon::IdentityKind::eddystone_eid;
          key.key = k.key;
          key.rotation_exponent = static_cast<std::uint8_t>(k.rotation_exponent);
          key.clock_zero = k.clock_zero;
        } else if constexpr (std::is_same_v<Kind, ResolvingKey>) {
          key.kind = beacon::IdentityKind::irk;
          key.key = k.irk;
        } else if constexpr (std::is_same_v<Kind, IbeaconId>) {
          key.kind = beacon::IdentityKind::ibeacon;
          std::copy(k.uuid.begin(), k.uuid.end(), key.static_id.begin());
          key.static_id[16] = static_cast<std::uint8_t>(k.major >> 8U);
          key.static_id[17] = static_cast<std::uint8_t>(k.major & 0xFFU);
          key.static_id[18] = static_cast<std::uint8_t>(k.minor >> 8U);
          key.static_id[19] = static_cast<std::uint8_t>(k.minor & 0xFFU);
        } else if constexpr (std::is_same_v<Kind, AltBeaconId>) {
          key.kind = beacon::IdentityKind::altbeacon;
          key.static_id = k.id;
        } else {
          key.kind = beacon::IdentityKind::eddystone_uid;
          std::copy(k.name_space.begin(), k.name_space.end(), key.static_id.begin());
          std::copy(k.instance.begin(), k.instance.end(), key.static_id.begin() + 10);
        }
      },
      item.key);
  return key;
}

ConsentRecord record_of(const CustomerId& customer, Purpose purpose,
                        const ConsentStanding& standing) {
  ConsentRecord record;
  record.customer = customer;
  record.purpose = purpose;
  if (standing.given_at) record.history.push_back({ConsentState::given, *standing.given_at, {}});
  if (standing.withdrawn_at) {
    record.history.push_back({ConsentState::withdrawn, *standing.withdrawn_at, {}});
  }
  record.expires_at = standing.expires_at;
  return record;
}

bool names_ageing(const ConsentRecord& record) {
  return record.purpose == Purpose::face_recognition &&
         std::find(record.data_categories.begin(), record.data_categories.end(), kAgeing) !=
             record.data_categories.end();
}

std::string brief_of(const ConsentRecord& record) {
  const ConsentStanding s = standing(record);
  std::string brief(to_string(record.purpose));
  for (const auto& time : {s.given_at, s.withdrawn_at, s.expires_at}) {
    brief += ' ';
    brief += time ? std::to_string(time->time_since_epoch().count()) : "-";
  }
  return brief;
}

std::optional<ConsentRecord> consent_of_brief(const CustomerId& customer, std::string_view brief) {
  WordReader words(brief);
  const auto purpose = purpose_from_string(words.next());
  if (!purpose) return std::nullopt;
  ConsentStanding said;
  for (auto* time : {&said.given_at, &said.withdrawn_at, &said.expires_at}) {
    const std::string_view word = words.next();
    if (word == "-") continue;
    const auto ms = number<std::int64_t>(word);
    if (!ms) return std::nullopt;
    *time = WallTime(std::chrono::milliseconds(*ms));
  }
  return record_of(customer, *purpose, said);
}

std::string brief_of(const beacon::IdentityKey& key) {
  std::string brief = std::to_string(static_cast<int>(key.kind));
  for (const std::string& word :
       {to_hex(key.key), to_hex(key.static_id), std::to_string(key.rotation_exponent),
        std::to_string(key.clock_zero.time_since_epoch().count()),
        key.measured_power_1m_dbm ? std::to_string(*key.measured_power_1m_dbm) : "-",
        key.identity}) {  // last: it may have spaces
    brief += ' ';
    brief += word;
  }
  return brief;
}

std::optional<beacon::IdentityKey> key_of_brief(const CustomerId& customer,
                                                std::string_view brief) {
  WordReader words(brief);
  beacon::IdentityKey key;
  key.customer = customer;
  const auto kind = number<int>(words.next());
  const bool bytes = from_hex(words.next(), key.key) && from_hex(words.next(), key.static_id);
  const auto exponent = number<std::uint8_t>(words.next());
  const auto zero = number<std::int64_t>(words.next());
  const std::string_view power = words.next();
  key.identity = words.rest();
  if (!kind || *kind < 0 || *kind > static_cast<int>(kLastKind) || !bytes || !exponent || !zero) {
    return std::nullopt;
  }
  key.kind = static_cast<beacon::IdentityKind>(*kind);
  key.rotation_exponent = *exponent;
  key.clock_zero = WallTime(std::chrono::milliseconds(*zero));
  if (power != "-") {
    const auto dbm = number<std::int8_t>(power);
    if (!dbm) return std::nullopt;
    key.measured_power_1m_dbm = *dbm;
  }
  return key;
}

store::Link store_link(contract::LinkName link) {
  return link == contract::LinkName::uplink ? store::Link::uplink : store::Link::floor;
}

store::Collection store_collection(contract::Collection collection) {
  return *store::collection_from_string(to_string(collection));
}

}  // namespace welcome::daemon
