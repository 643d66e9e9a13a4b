// The part of the Engine that decides which consent records count: signed by a key that is pinned,
// not older than what is known, not of somebody who was erased.

#include <spdlog/spdlog.h>
#include <stdexcept>
#include <utility>

#include "contract/items.h"
#include "firmware/daemon/convert.h"
#include "firmware/daemon/engine.h"

namespace welcome::daemon {

namespace {

// Register that holds the key ring by which the stored consents were checked; public keys only.
constexpr std::string_view kPinnedRegister = "crm_keys";
constexpr std::size_t kReasons = 16;  // that are counted apart

}  // namespace

bool Engine::pinned_before() const {
  const auto before = store_.registers().get(kPinnedRegister);
  return before && before->value_or("") == keys_.to_text();
}

// The stored consents are checked against the ring: the next start need not do it again.
Result<void> Engine::note_pinned(const Now& now) {
  if (pinned_before()) return {};
  return store_.transaction([&] {
    (void)store_.registers().put(kPinnedRegister, keys_.to_text());
    (void)store_.audit().append(now, "config", "technician", {}, "the CRM's keys");
  });
}

// Records were checked when they came. With another key ring than then, they are checked again.
void Engine::load_consents() {
  ConsentGate& gate = pipeline_.gate_for_loading();
  const bool check = settings_.crm_keys && !pinned_before();
  const auto withdrawals = store_.people().withdrawals();
  if (!withdrawals)
    throw std::runtime_error("cannot read who withdrew: " + withdrawals.error().message);
  // A withdrawal whose record could not be stored still holds.
  const auto withdrawn = [&](const ConsentRecord& record) {
    if (withdrawals->empty()) return false;
    const auto found =
        withdrawals->find({store_.audit().subject_of(record.customer), record.purpose});
    const ConsentStanding said = standing(record);
    return found != withdrawals->end() && said.given() && *said.given_at <= found->second;
  };
  const auto must = [](const auto& done) {
    if (!done) throw std::runtime_error("cannot read the consents: " + done.error().message);
  };
  if (!check) {
    const auto count = store_.replica().count(store::Collection::consents);
    must(count);
    std::int64_t known = 0;
    const auto read =
        store_.replica().load_briefs(store::Collection::consents, [&](store::FeedItem&& stored) {
          const auto record = consent_of_brief(stored.customer, stored.brief);
          if (!record) return;
          ++known;
          if (!withdrawn(*record)) gate.put(*record);
        });
    must(read);
    if (known == *count) return;
    // Some came without a brief, by an older version. To say it twice changes nothing.
  }
  std::vector<std::string> unsigned_ones;
  const auto report =
      store_.replica().load(store::Collection::consents, [&](store::FeedItem&& stored) {
        const auto item = contract::decode_item(contract::Collection::consents, stored.body);
        if (!item) {
          ++counters_.feed_set_aside;
        } else if (check && !keys_.verify(stored.body)) {
          unsigned_ones.push_back(stored.key);
        } else if (const auto& record = std::get<ConsentRecord>(*item); !withdrawn(record)) {
          gate.put(record);
        }
      });
  must(report);
  if (unsigned_ones.empty()) return;
  spdlog::warn("{} stored consents are not signed by a pinned key: the CRM is asked for them again",
               unsigned_ones.size());
  const auto asked = store_.replica().distrust(store::Collection::consents, unsigned_ones);
  if (!asked) {
    throw std::runtime_error("cannot ask for the consents again: " + asked.error().message);
  }
  receiver_.forget(contract::Collection::consents);
}

Result<void> Engine::set_crm_keys(const std::optional<std::string>& text, const Now& now) {
  auto keys = contract::KeyRing::parse(text.value_or(""));
  if (!keys) return tl::unexpected(keys.error());
  settings_.crm_keys = text;
  keys_ = std::move(*keys);
  if (pinned_before()) return {};

  Effects effects;
  std::vector<std::string> unsigned_ones;
  if (text) {
    const auto report =
        store_.replica().load(store::Collection::consents, [&](store::FeedItem&& stored) {
          if (keys_.verify(stored.body)) return;
          unsigned_ones.push_back(stored.key);
          tell_removed_body(
              contract::Collection::consents, stored.key, stored.body,
              [&](const Event& e, std::string_view) { effects.append(this->ask(e, now)); });
        });
    if (!report) return tl::unexpected(report.error());
  }
  const bool ask = !unsigned_ones.empty();
  carry_out(std::move(effects), now, [&] {
    if (ask) (void)store_.replica().distrust(store::Collection::consents, unsigned_ones);
    (void)note_pinned(now);
  });
  if (!ask) return {};
  receiver_.forget(contract::Collection::consents);
  say_hello();
  return {};
}

// Why a record may not count although it is well formed and signed.
std::optional<std::string> Engine::refuse_consent(const ConsentRecord& record) {
  ConsentStanding known = pipeline_.gate().standing(record.customer, record.purpose);
  const ConsentStanding said = standing(record);
  if (said.given()) {
    const auto withdrawn = store_.people().withdrawn_at(record.customer, record.purpose);
    if (!withdrawn) {
      store_failed(withdrawn.error());
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

void Engine::note_refused(const std::string& why) {
  auto& counts = counters_.consents_refused;
  ++counts[counts.size() < kReasons || counts.contains(why) ? why : "other"];
}

// A consent given after the erasure. What was withheld since is missing here: all is asked for.
bool Engine::come_back(const ConsentRecord& record, const Now& now) {
  ConsentGate& gate = pipeline_.gate_for_loading();
  if (!gate.forgotten(record.customer)) return false;
  const ConsentStanding said = standing(record);
  const auto erased = store_.erasure().erased_at(record.customer);
  if (!said.given() || !erased || (*erased && *said.given_at <= **erased)) return false;
  const auto lifted = store_.transaction([&] {
    (void)store_.erasure().lift(record.customer, now);
    for (const auto collection : {store::Collection::consents, store::Collection::profiles,
                                  store::Collection::identities}) {
      (void)store_.replica().distrust(collection);
    }
  });
  if (!lifted) {
    store_failed(lifted.error());
    return false;
  }
  gate.lift(record.customer);
  return true;
}

}  // namespace welcome::daemon
