// The part of the Engine that takes the CRM's feed.

#include <spdlog/spdlog.h>
#include <string>
#include <utility>

#include "firmware/daemon/convert.h"
#include "firmware/daemon/engine.h"
#include "firmware/daemon/outbox_kinds.h"
#include "sync/items.h"

namespace welcome::daemon {

namespace {

using namespace std::chrono_literals;

// While the CRM keeps sending what does not fit, it is asked again at most this often.
constexpr auto kHelloEvery = 1s;

}  // namespace

void Engine::heard_from_crm(const Now& now) {
  if (!now.wall_trusted) return;
  decide(event::CrmHeard{now.wall}, now);
}

void Engine::ask_again(const Now& now) {
  ++counters_.feed_gaps;
  if (now.mono < next_hello_) return;
  next_hello_ = now.mono + kHelloEvery;
  say_hello();
}

void Engine::on_feed(sync::FeedBatch batch, const Now& now) {
  const auto collection = store_collection(batch.collection);
  auto& replica = store_.replica();
  const auto state = replica.state(collection);
  if (!state) return store_failed(state.error());
  heard_from_crm(now);

  const auto to_seq = static_cast<std::int64_t>(batch.to_seq);
  if (!batch.snapshot) {
    if (batch.epoch != state->epoch || static_cast<std::int64_t>(batch.from_seq) > state->seq) {
      return ask_again(now);
    }
    if (to_seq <= state->seq) return;  // all of it is here already
  }

  std::vector<store::FeedChange> changes;
  changes.reserve(batch.items.size());
  Effects effects;
  const auto tell = [&](const Event& event, std::string_view text) {
    effects.append(ask(event, now, text));
  };
  std::vector<sync::FeedRejected> rejected;
  std::vector<ConsentRecord> withdrawn;
  bool came_back = false;
  for (auto& item : batch.items) {
    const auto seq = static_cast<std::int64_t>(item.seq);
    if (!batch.snapshot && seq <= state->seq) continue;  // the batch overlaps what is here
    ++counters_.feed_items;
    if (item.deleted) {
      tell_removed(batch.collection, item.key, tell);
      changes.push_back({{item.key, {}, seq, {}, {}}, true, false});
      continue;
    }
    std::string why = item.error;
    if (why.empty()) {
      std::string brief;
      auto decoded = sync::decode_item(batch.collection, item.value);
      if (const auto* record = decoded ? std::get_if<ConsentRecord>(&*decoded) : nullptr) {
        came_back = come_back(*record, now) || came_back;
        if (auto old = refuse_consent(*record)) {
          // What is held stays, and counts for the digest as if it were this one.
          auto held = replica.find(collection, item.key);
          note_refused(*old);
          ++counters_.feed_set_aside;
          rejected.push_back({batch.collection, item.key, item.seq, std::move(*old)});
          changes.push_back(
              {{item.key, item.customer, seq, held ? held->body : "", {}}, false, !held});
          continue;
        }
        brief = brief_of(*record);
        if (standing(*record).withdrawn_at && !pipeline_.gate().forgotten(record->customer)) {
          withdrawn.push_back(*record);
        }
      }
      if (decoded) {
        tell_put(std::move(*decoded), item.value, tell);
        changes.push_back({{item.key, item.customer, seq, std::move(item.value), std::move(brief)},
                           false,
                           false});
        continue;
      }
      why = decoded.error().message;
    }
    // A consent that cannot be read may be a withdrawal: the old one no longer counts.
    if (batch.collection == sync::Collection::consents) {
      tell_removed(batch.collection, item.key, tell);
      note_refused(why);
    }
    ++counters_.feed_set_aside;
    rejected.push_back({batch.collection, item.key, item.seq, why});
    changes.push_back({{item.key, {}, seq, {}, {}}, false, true});
  }

  // A snapshot stands beside the live items until its last part; then it takes their place.
  if (batch.snapshot) {
    Result<void> staged;
    if (batch.part == 1) staged = replica.snapshot_begin(collection, batch.epoch, to_seq);
    if (staged) {
      const auto added = replica.snapshot_add(collection, changes);
      if (!added) staged = tl::unexpected(added.error());
    }
    if (!staged) {
      // What it says holds at once, though it cannot be kept: the CRM sends it again.
      carry_out(std::move(effects), now, {});
      const bool lost = staged.error().code == ErrorCode::refused;  // its beginning
      return lost ? ask_again(now) : store_failed(staged.error());
    }
    changes.clear();
  }
  const bool last_part = batch.snapshot && batch.part == batch.parts;
  const auto before = last_part ? items_of(batch.collection) : std::map<std::string, std::string>{};
  carry_out(std::move(effects), now, [&] {
    if (!batch.snapshot) {
      (void)replica.apply(collection, batch.epoch, to_seq, changes);
    }
    for (const auto& record : withdrawn) {
      (void)store_.people().note_withdrawal(record.customer, record.purpose,
                                            *standing(record).withdrawn_at);
    }
    for (auto& what : rejected) {
      enqueue(sync::encode_event(settings_.box,
                                 {MessageId(ids_.next()), now.wall, {}, std::move(what), {}}),
              kind::feed, {}, {}, {}, now);
    }
  });
  if (last_part) finish_snapshot(batch, before, now);
  // Only now does the directory answer with the new profiles.
  if (!batch.snapshot || last_part) {
    for (auto& customer : std::exchange(changed_profiles_, {})) {
      profiles_.erase(customer);  // may have been read again between two parts
      decide(event::ProfileChanged{std::move(customer)}, now);
    }
  }
  if (batch.collection == sync::Collection::identities) refresh_identities(now);
  if (came_back) say_hello();  // what was withheld meanwhile
}

// Items that the snapshot no longer has are gone.
void Engine::finish_snapshot(const sync::FeedBatch& batch,
                             const std::map<std::string, std::string>& before, const Now& now) {
  const auto collection = store_collection(batch.collection);
  std::optional<store::Digest> expected;
  if (!batch.digest.empty()) expected = store::digest_from_hex(batch.digest);
  const auto finished = store_.replica().snapshot_finish(collection, expected);
  if (!finished) {
    spdlog::warn("snapshot of {} set aside: {}", sync::to_string(batch.collection),
                 finished.error().message);
    return ask_again(now);
  }
  Effects effects;
  for (const auto& [key, body] : before) {
    if (store_.replica().find(collection, key)) continue;
    tell_removed_body(batch.collection, key, body, [&](const Event& event, std::string_view) {
      effects.append(ask(event, now));
    });
  }
  carry_out(std::move(effects), now, {});
}

std::map<std::string, std::string> Engine::items_of(sync::Collection collection) {
  std::map<std::string, std::string> items;
  const auto loaded = store_.replica().load(store_collection(collection), [&](store::FeedItem&& i) {
    items.emplace(std::move(i.key), std::move(i.body));
  });
  if (!loaded) store_failed(loaded.error());
  return items;
}

void Engine::tell_put(sync::Item item, std::string_view text, const Tell& tell) {
  std::visit(
      [&](auto&& what) {
        using What = std::decay_t<decltype(what)>;
        if constexpr (std::is_same_v<What, Profile>) {
          profiles_.erase(what.customer);
          changed_profiles_.push_back(what.customer);
        } else if constexpr (std::is_same_v<What, ConsentRecord>) {
          desk_consent_superseded(what.customer, what.purpose, &what.history);
          tell(event::ConsentChanged{{std::forward<decltype(what)>(what)}}, {});
        } else if constexpr (std::is_same_v<What, Campaign>) {
          tell(event::CampaignPut{std::forward<decltype(what)>(what)}, text);
        } else if constexpr (std::is_same_v<What, Policy>) {
          tell(event::PolicyReplaced{std::forward<decltype(what)>(what)}, text);
        }
      },
      std::move(item));
}

void Engine::tell_removed(sync::Collection collection, const std::string& key, const Tell& tell) {
  std::string body;
  if (collection == sync::Collection::consents) {
    const auto stored = store_.replica().find(store::Collection::consents, key);
    if (!stored) return;
    body = stored->body;
  }
  tell_removed_body(collection, key, body, tell);
}

void Engine::tell_removed_body(sync::Collection collection, const std::string& key,
                               const std::string& body, const Tell& tell) {
  switch (collection) {
    case sync::Collection::consents:
      if (const auto item = sync::decode_item(collection, body)) {
        const auto& record = std::get<ConsentRecord>(*item);
        desk_consent_superseded(record.customer, record.purpose, nullptr);
        tell(event::ConsentRemoved{record.customer, record.purpose}, {});
      }
      break;
    case sync::Collection::campaigns:
      tell(event::CampaignRemoved{CampaignId(key)}, {});
      break;
    case sync::Collection::policy:
      tell(event::PolicyReplaced{Policy{}}, {});
      break;
    case sync::Collection::profiles:
      profiles_.erase(CustomerId(key));
      changed_profiles_.emplace_back(key);
      break;
    case sync::Collection::identities:
      break;  // the key table is made anew
  }
}

}  // namespace welcome::daemon
