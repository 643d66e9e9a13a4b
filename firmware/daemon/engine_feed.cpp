// The part of the Engine that takes the CRM's feed.

#include <malloc.h>
#include <spdlog/spdlog.h>
#include <string>
#include <utility>

#include "contract/items.h"
#include "firmware/daemon/convert.h"
#include "firmware/daemon/engine.h"
#include "firmware/daemon/outbox_kinds.h"

namespace welcome::daemon {

namespace {

using namespace std::chrono_literals;

// While the CRM keeps sending what does not fit, it is asked again at most this often.
constexpr auto kHelloEvery = 1s;
constexpr auto kConfirmWithin = 1s;  // many batches are one confirmation

}  // namespace

void Engine::heard_from_crm(const Now& now) {
  if (!uplink_.heard) {
    uplink_.heard = true;
    pump(contract::LinkName::uplink, now);
  }
  if (!now.wall_trusted) return;
  decide(event::CrmHeard{now.wall}, now);
}

void Engine::ask_again(const Now& now) {
  ++counters_.feed_gaps;
  hello_due_ = true;
  hello_if_due(now);
}

void Engine::hello_if_due(const Now& now) {
  if (!hello_due_ || now.mono < next_hello_) return;
  hello_due_ = false;
  next_hello_ = now.mono + kHelloEvery;
  say_hello();
}

void Engine::came_further(const Now& now) {
  if (!confirm_at_) confirm_at_ = now.mono + kConfirmWithin;
}

void Engine::confirm_if_due(const Now& now) {
  if (!confirm_at_ || now.mono < *confirm_at_ || !uplink_.up) return;
  say_hello(true);
}

void Engine::on_feed(contract::FeedBatch batch, const Now& now) {
  heard_from_crm(now);
  sync::FeedPlan plan = receiver_.plan(std::move(batch));
  if (plan.verdict == sync::FeedVerdict::gap) {
    spdlog::info("feed {}: {}", contract::to_string(plan.collection), plan.reason);
    receiver_.committed(plan);
    return ask_again(now);
  }
  if (plan.verdict == sync::FeedVerdict::duplicate) return;

  const auto collection = store_collection(plan.collection);
  auto& replica = store_.replica();
  std::vector<store::FeedChange> changes;
  changes.reserve(plan.items.size());
  Effects effects;
  const auto tell = [&](const Event& event, std::string_view text) {
    effects.append(ask(event, now, text));
  };
  std::vector<contract::FeedRejected> rejected;
  std::vector<ConsentRecord> withdrawn;
  bool came_back = false;
  std::vector<CustomerId> rekeyed;
  const auto keys_change = [&](CustomerId customer) {
    if (collection == store::Collection::identities) rekeyed.push_back(std::move(customer));
  };
  for (const auto& item : plan.items) {
    const auto seq = static_cast<std::int64_t>(item.seq);
    ++counters_.feed_items;
    if (collection == store::Collection::identities) {
      if (const auto old = replica.find(collection, item.key)) keys_change(old->customer);
    }
    if (item.deleted) {
      tell_removed(plan.collection, item.key, tell);
      changes.push_back({.item = {item.key, {}, seq, {}, {}}, .erase = true});
      continue;
    }
    if (item.item) {
      std::string brief;
      if (const auto* record = std::get_if<ConsentRecord>(item.item.get())) {
        came_back = come_back(*record, now) || came_back;
        if (auto old = refuse_consent(*record)) {
          // What is held stays, and counts for the digest as if it were this one.
          note_refused(*old);
          ++counters_.feed_set_aside;
          rejected.push_back({plan.collection, item.key, item.seq, std::move(*old)});
          changes.push_back(
              {.item = {item.key, item.customer, seq, {}, {}}, .withhold = true, .keep = true});
          continue;
        }
        brief = brief_of(*record);
        if (standing(*record).withdrawn_at && !pipeline_.gate().forgotten(record->customer)) {
          withdrawn.push_back(*record);
        }
      }
      if (const auto* identity = std::get_if<IdentityItem>(item.item.get())) {
        brief = brief_of(key_of(*identity));
      }
      changes.push_back({.item = {item.key, item.customer, seq, item.value, std::move(brief)}});
      tell_put(*item.item, item.value, tell);
      keys_change(item.customer);
      continue;
    }
    // A consent that cannot be read may be a withdrawal: the old one no longer counts.
    const bool consent = plan.collection == contract::Collection::consents;
    if (consent) {
      tell_removed(plan.collection, item.key, tell);
      note_refused(item.error);
    }
    ++counters_.feed_set_aside;
    rejected.push_back({plan.collection, item.key, item.seq, item.error});
    changes.push_back({.item = {item.key, {}, seq, {}, {}}, .withhold = true, .keep = !consent});
  }
  // Items that the finished snapshot no longer has are gone.
  for (const auto& name : plan.sweep) {
    if (const auto old = replica.find_named(collection, name)) {
      tell_removed_body(plan.collection, old->key, old->body, tell);
      keys_change(old->customer);
    }
  }

  std::optional<store::FeedState> position;
  if (plan.have && !came_back) position = state_of(*plan.have);
  const bool written = carry_out(std::move(effects), now, [&] {
    (void)replica.apply(collection, position, changes, plan.sweep);
    for (const auto& record : withdrawn) {
      (void)store_.people().note_withdrawal(record.customer, record.purpose,
                                            *standing(record).withdrawn_at);
    }
    for (auto& what : rejected) {
      enqueue(contract::encode_event(settings_.box,
                                     {MessageId(ids_.next()), now.wall, {}, std::move(what), {}}),
              kind::kFeed, {}, {}, {}, now);
    }
  });
  if (written) receiver_.committed(plan);
  if (written && plan.complete) came_further(now);
  // Thousands of items were parsed, and what they took lies free between what stays.
  if (written && plan.complete && plan.part && plan.part->parts > 1) malloc_trim(0);
  // Only now does the directory answer with the new profiles.
  for (auto& customer : std::exchange(changed_profiles_, {})) {
    decide(event::ProfileChanged{std::move(customer)}, now);
  }
  refresh_identities(rekeyed, now);
  if (came_back) {
    // What was withheld meanwhile is asked for.
    for (const auto what : {contract::Collection::consents, contract::Collection::profiles,
                            contract::Collection::identities}) {
      receiver_.forget(what);
    }
    say_hello();
  }
}

std::map<std::string, std::string> Engine::items_of(contract::Collection collection) {
  std::map<std::string, std::string> items;
  const auto loaded = store_.replica().load(store_collection(collection), [&](store::FeedItem&& i) {
    items.emplace(std::move(i.key), std::move(i.body));
  });
  if (!loaded) store_failed(loaded.error());
  return items;
}

void Engine::tell_put(contract::Item item, std::string_view text, const Tell& tell) {
  std::visit(
      [&](auto&& what) {
        using What = std::decay_t<decltype(what)>;
        if constexpr (std::is_same_v<What, Profile>) {
          profiles_.erase(what.customer);
          changed_profiles_.push_back(what.customer);
        } else if constexpr (std::is_same_v<What, ConsentRecord>) {
          desk_consent_superseded(what.customer, what.purpose, &what.history);
          forget_ageing(what);
          tell(event::ConsentChanged{{std::forward<decltype(what)>(what)}}, {});
        } else if constexpr (std::is_same_v<What, Campaign>) {
          tell(event::CampaignPut{std::forward<decltype(what)>(what)}, text);
        } else if constexpr (std::is_same_v<What, Policy>) {
          tell(event::PolicyReplaced{std::forward<decltype(what)>(what)}, text);
        }
      },
      std::move(item));
}

void Engine::tell_removed(contract::Collection collection, const std::string& key,
                          const Tell& tell) {
  std::string body;
  if (collection == contract::Collection::consents) {
    const auto stored = store_.replica().find(store::Collection::consents, key);
    if (!stored) return;
    body = stored->body;
  }
  tell_removed_body(collection, key, body, tell);
}

void Engine::tell_removed_body(contract::Collection collection, const std::string& key,
                               const std::string& body, const Tell& tell) {
  switch (collection) {
    case contract::Collection::consents:
      if (const auto item = contract::decode_item(collection, body)) {
        const auto& record = std::get<ConsentRecord>(*item);
        desk_consent_superseded(record.customer, record.purpose, nullptr);
        tell(event::ConsentRemoved{record.customer, record.purpose}, {});
      }
      break;
    case contract::Collection::campaigns:
      tell(event::CampaignRemoved{CampaignId(key)}, {});
      break;
    case contract::Collection::policy:
      tell(event::PolicyReplaced{Policy{}}, {});
      break;
    case contract::Collection::profiles:
      profiles_.erase(CustomerId(key));
      changed_profiles_.emplace_back(key);
      break;
    case contract::Collection::identities:
      break;  // the key table is made anew
  }
}

}  // namespace welcome::daemon
