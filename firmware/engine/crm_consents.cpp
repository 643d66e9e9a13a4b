// SPDX-License-Identifier: Apache-2.0
// The part of CrmFeed that decides which consent records count.

#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>
#include <stdexcept>
#include <utility>

#include "contract/items.h"
#include "contract/json_text.h"
#include "firmware/engine/convert.h"
#include "firmware/engine/crm_feed.h"

namespace welcome::daemon {

namespace {

using nlohmann::json;

// Register that holds the key ring by which the stored consents were checked; public keys only.
constexpr std::string_view kPinnedRegister = "crm_keys";
// Register that holds the key ring under which all that is here of the feed came.
constexpr std::string_view kFeedRegister = "feed_keys";
// Register that holds what the CRM said its keys are: JSON {file, ring, at}. It counts for as long
// as the technician's file is what it was then.
constexpr std::string_view kSaidRegister = "crm_keys_said";
// Register that holds in which region the CRM said that this box is: JSON {region, at}.
constexpr std::string_view kRegionRegister = "crm_region";
constexpr std::string_view kAnybody = "not asked for";  // and no text of a key ring
constexpr std::size_t kReasons = 16;                    // that are counted apart

void must_read(const auto& done) {
  if (!done) throw std::runtime_error("cannot read the consents: " + done.error().message);
}

}  // namespace

void CrmFeed::load_keys() {
  if (!shared_.settings.crm_keys) return;
  auto keys = contract::KeyRing::parse(*shared_.settings.crm_keys);
  if (!keys) throw std::runtime_error("cannot read the CRM's keys: " + keys.error().message);
  auto said = said_keys();
  put_in_force(said ? std::move(said->ring) : std::move(*keys));
}

std::optional<contract::Taken::Keys> CrmFeed::said_keys() const {
  const auto said = shared_.store.registers().get(kSaidRegister);
  if (!said || !*said || !shared_.settings.crm_keys) return std::nullopt;
  const json value = json::parse(**said, nullptr, false);
  if (!value.is_object() || value.value("file", "") != *shared_.settings.crm_keys) {
    return std::nullopt;
  }
  auto ring = contract::KeyRing::parse(value.value("ring", ""));
  if (!ring || ring->empty()) return std::nullopt;
  return contract::Taken::Keys{
      std::move(*ring), WallTime(std::chrono::milliseconds(value.value("at", std::int64_t{0})))};
}

Result<void> CrmFeed::hear_keys(const contract::Taken::Keys& keys, const Now& now) {
  if (!keys_ || keys.ring.empty()) return {};
  const auto before = said_keys();
  if (before && keys.at <= before->at) return {};
  if (keys.ring.to_text() == keys_text()) return {};
  const json value{{"file", *shared_.settings.crm_keys},
                   {"ring", keys.ring.to_text()},
                   {"at", keys.at.time_since_epoch().count()}};
  auto noted = shared_.store.transaction(
      [&](store::Tx& tx) { tx.registers().put(kSaidRegister, contract::dump(value)); });
  if (!noted) return noted;
  spdlog::warn("the CRM has other keys from now on, and one that was believed says so");
  came_further(now);
  return set_keys(shared_.settings.crm_keys, now, "crm");
}

void CrmFeed::load_region() {
  const auto said = shared_.store.registers().get(kRegionRegister);
  if (!said || !*said) return;
  const json value = json::parse(**said, nullptr, false);
  if (!value.is_object()) return;
  region_ = {value.value("region", ""),
             WallTime(std::chrono::milliseconds(value.value("at", std::int64_t{0})))};
}

// What came for the region before is replaced as a whole: each has epochs of its own.
Result<void> CrmFeed::hear_region(const contract::Taken::Region& region, const Now& now) {
  // What an own clock once said of the future holds nobody up.
  const bool ahead = now.wall_trusted && region_.at > now.wall + kClocksAgree;
  if (region.at <= region_.at && !ahead) return {};
  came_further(now);
  const json value{{"region", region.name}, {"at", region.at.time_since_epoch().count()}};
  auto noted = shared_.store.transaction([&](store::Tx& tx) {
    tx.registers().put(kRegionRegister, contract::dump(value));
    if (region.name != region_.name)
      tx.audit().append(now, "config", "crm", {}, "this box is in another region from now on");
  });
  if (noted) region_ = region;
  return noted;
}

std::vector<std::string> CrmFeed::key_ids() const {
  std::vector<std::string> out;
  if (!keys_) return out;
  for (const auto& [id, key] : keys_->keys()) out.push_back(id);
  return out;
}

void CrmFeed::put_in_force(contract::KeyRing keys) {
  std::shared_ptr<const contract::KeyRing> ring;
  if (shared_.settings.crm_keys) ring = std::make_shared<contract::KeyRing>(std::move(keys));
  const std::lock_guard lock(keys_mutex_);
  keys_ = std::move(ring);
}

std::string CrmFeed::keys_text() const {
  return keys_ ? keys_->to_text() : contract::KeyRing().to_text();
}

Result<void> CrmFeed::note_pinned(const Now& now) {
  return shared_.store.transaction([&](store::Tx& tx) { note_pinned(tx, now); });
}

bool CrmFeed::pinned_before() const {
  const auto before = shared_.store.registers().get(kPinnedRegister);
  return before && before->value_or("") == keys_text();
}

bool CrmFeed::vouched_for() const {
  if (!keys_) return true;
  const auto before = shared_.store.registers().get(kFeedRegister);
  if (!before || !*before) return false;
  const auto ring = contract::KeyRing::parse(**before);
  return ring && keys_->includes(*ring);
}

// The stored consents are checked against the ring: the next start need not do it again. What else
// came unsigned, or under a key that is no longer pinned, stays in use until all came again.
void CrmFeed::note_pinned(store::Tx& tx, const Now& now, std::string_view by) {
  if (!vouched_for()) {
    for (const auto collection : contract::kAllCollections) {
      tx.replica().distrust(store_collection(collection));
    }
  }
  const std::string came_under = keys_ ? keys_text() : std::string(kAnybody);
  const auto noted = shared_.store.registers().get(kFeedRegister);
  if (!noted || *noted != came_under) tx.registers().put(kFeedRegister, came_under);
  if (pinned_before()) return;
  tx.registers().put(kPinnedRegister, keys_text());
  tx.audit().append(now, "config", by, {}, "the CRM's keys");
}

Result<void> CrmFeed::set_keys(const std::optional<std::string>& text, const Now& now,
                               std::string_view by) {
  auto keys = contract::KeyRing::parse(text.value_or(""));
  if (!keys) return tl::unexpected(keys.error());
  shared_.settings.crm_keys = text;
  auto said = said_keys();
  put_in_force(said ? std::move(said->ring) : std::move(*keys));
  const bool all_again = !vouched_for();
  if (pinned_before() && !all_again) return {};

  News news;
  std::vector<std::string> unsigned_ones;
  if (text) {
    const auto report =
        shared_.store.replica().load(store::Collection::consents, [&](store::ReplicaItem&& stored) {
          if (keys_->verify(stored.body)) return;
          unsigned_ones.push_back(stored.key);
          removed_body(contract::Collection::consents, stored.key, stored.body, now, news);
        });
    if (!report) return tl::unexpected(report.error());
  }
  const bool again = !unsigned_ones.empty();
  auto stored = needs_.carry_out(std::move(news.effects), now, [&](store::Tx& tx) {
    write(tx, news, now);
    if (again) tx.replica().distrust(store::Collection::consents, unsigned_ones);
    note_pinned(tx, now, by);
  });
  if (!stored) return stored;
  desk_.forget(news.desk_consents);
  if (again) receiver_.forget(contract::Collection::consents);
  if (all_again) {
    for (const auto collection : contract::kAllCollections) receiver_.forget(collection);
  }
  if (again || all_again) say_hello();
  return {};
}

std::optional<std::string> CrmFeed::refuse_consent(const ConsentRecord& record) {
  ConsentStanding known = desk_.standing_without_own(record.customer, record.purpose);
  const ConsentStanding said = standing(record);
  if (said.given()) {
    const auto withdrawn = shared_.store.people().withdrawn_at(record.customer, record.purpose);
    if (!withdrawn) {
      needs_.store_failed(withdrawn.error());
      return "the box cannot say whether it was withdrawn";
    }
    ConsentStanding before;
    before.withdrawn_at = *withdrawn;
    known.merge(before);
  }
  // A grant that ties with a withdrawal: alone, after a restart, it would count.
  if (contract::replayed(known, record) || (said.given() && !known.merge(said).given())) {
    return "older than what the box knows";
  }
  return std::nullopt;
}

void CrmFeed::note_refused(const std::string& why) {
  auto& counts = shared_.counters.consents_refused;
  ++counts[counts.size() < kReasons || counts.contains(why) ? why : "other"];
}

// A consent given after the erasure. What was withheld since is missing here: all is asked for.
bool CrmFeed::come_back(const ConsentRecord& record, const Now& now) {
  ConsentGate& gate = shared_.pipeline.gate_for_loading();
  if (!gate.forgotten(record.customer)) return false;
  const ConsentStanding said = standing(record);
  const auto erased = shared_.store.erasure().erased_at(record.customer);
  if (!said.given() || !erased || (*erased && *said.given_at <= **erased)) return false;
  // Nobody comes back by a grant that does not count yet.
  if (!now.wall_trusted || *said.given_at > now.wall) return false;
  const auto lifted = shared_.store.transaction([&](store::Tx& tx) {
    tx.erasure().lift(record.customer, now);
    for (const auto collection : {store::Collection::consents, store::Collection::profiles,
                                  store::Collection::identities}) {
      tx.replica().distrust(collection);
    }
  });
  if (!lifted) {
    needs_.store_failed(lifted.error());
    return false;
  }
  gate.lift(record.customer);
  return true;
}

// Records were checked when they came. With another key ring than then, they are checked again.
void CrmFeed::load_consents() {
  const auto withdrawals = shared_.store.people().withdrawals();
  if (!withdrawals)
    throw std::runtime_error("cannot read who withdrew: " + withdrawals.error().message);
  const bool check = shared_.settings.crm_keys && !pinned_before();
  if (!check && load_briefs(*withdrawals)) return;
  const auto unsigned_ones = load_bodies(*withdrawals, check);
  if (unsigned_ones.empty()) return;
  spdlog::warn("{} stored consents are not signed by a pinned key: the CRM is asked for them again",
               unsigned_ones.size());
  const auto asked = shared_.store.transaction(
      [&](store::Tx& tx) { tx.replica().distrust(store::Collection::consents, unsigned_ones); });
  if (!asked)
    throw std::runtime_error("cannot ask for the consents again: " + asked.error().message);
  receiver_.forget(contract::Collection::consents);
}

// False: some came without a brief, by an older version. To say one twice changes nothing.
bool CrmFeed::load_briefs(const Withdrawals& withdrawals) {
  const auto count = shared_.store.replica().count(store::Collection::consents);
  must_read(count);
  std::int64_t known = 0;
  must_read(shared_.store.replica().load_briefs(
      store::Collection::consents, [&](store::ReplicaItem&& stored) {
        const auto record = consent_of_brief(stored.customer, stored.brief);
        if (!record) return;
        ++known;
        load_record(*record, withdrawals);
      }));
  return known == *count;
}

// The keys of those that are not signed, if they are to be checked.
std::vector<std::string> CrmFeed::load_bodies(const Withdrawals& withdrawals, bool check) {
  std::vector<std::string> unsigned_ones;
  must_read(
      shared_.store.replica().load(store::Collection::consents, [&](store::ReplicaItem&& stored) {
        const auto item = contract::decode_item(contract::Collection::consents, stored.body);
        if (!item) {
          ++shared_.counters.feed_set_aside;
        } else if (check && !keys_->verify(stored.body)) {
          unsigned_ones.push_back(stored.key);
        } else {
          load_record(std::get<ConsentRecord>(*item), withdrawals);
        }
      }));
  return unsigned_ones;
}

// A withdrawal whose record could not be stored still holds.
void CrmFeed::load_record(const ConsentRecord& record, const Withdrawals& withdrawals) {
  const ConsentStanding said = standing(record);
  if (!withdrawals.empty() && said.given()) {
    const auto found =
        withdrawals.find({shared_.store.audit().subject_of(record.customer), record.purpose});
    if (found != withdrawals.end() && *said.given_at <= found->second) return;
  }
  shared_.pipeline.gate_for_loading().put(record);
}

}  // namespace welcome::daemon
