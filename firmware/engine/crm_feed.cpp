// SPDX-License-Identifier: Apache-2.0
#include "firmware/engine/crm_feed.h"

#include <algorithm>
#include <malloc.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>
#include <stdexcept>
#include <utility>

#include "firmware/engine/convert.h"

namespace welcome::daemon {

namespace {

using namespace std::chrono_literals;

// While the CRM keeps sending what does not fit, it is asked again at most this often.
constexpr auto kHelloEvery = 1s;
constexpr auto kConfirmWithin = 1s;  // many batches are one confirmation
constexpr auto kLateBatch = 24h;     // that a batch may take on its way, in a queue of snapshots

}  // namespace

CrmFeed::CrmFeed(Shared& shared, Delivery& delivery, Desk& desk, FaceWatch& faces,
                 DeviceIndex& devices, Witness& witness, Needs& needs)
    : shared_(shared),
      delivery_(delivery),
      desk_(desk),
      faces_(faces),
      devices_(devices),
      witness_(witness),
      needs_(needs),
      stored_feed_(shared.store.replica()),
      receiver_(stored_feed_) {}

void CrmFeed::load_positions() {
  if (!vouched_for()) return;  // note_pinned() takes them off the disk
  for (const auto collection : contract::kAllCollections) {
    const auto state = shared_.store.replica().state(store_collection(collection));
    if (!state)
      throw std::runtime_error("cannot read the feed's position: " + state.error().message);
    if (auto have = have_of(*state)) receiver_.load(collection, std::move(*have));
  }
}

// ---- hello ----

void CrmFeed::heard(const Now& now) {
  if (delivery_.hear_crm(now)) delivery_.pump(contract::LinkName::uplink, now);
  if (keys_) return;
  if (!now.wall_trusted) {
    early_word_ = now.mono;
    return;
  }
  needs_.decide(event::CrmHeard{now.wall}, now);
}

void CrmFeed::count_early(const Now& now) {
  if (!now.wall_trusted) return;
  if (const auto word = std::exchange(early_word_, {}); word && !keys_) {
    const auto ago = std::chrono::duration_cast<WallTime::duration>(now.mono - *word);
    needs_.decide(event::CrmHeard{now.wall - ago}, now);
  }
  if (const auto head = std::exchange(early_head_, {}))
    freshen(contract::Collection::consents, head->epoch, head->head, now);
}

bool CrmFeed::is_for_another_region(const contract::FeedHead& head) const {
  const auto region = contract::region_of_scope(head.scope);
  return region && *region != region_.name;
}

void CrmFeed::heard(const contract::FeedHead& head, const Now& now) {
  if (head.at <= newest_said_) return;
  newest_said_ = head.at;
  shared_.ports.crm_says(head.at, now.mono);
}

bool CrmFeed::replayed(const contract::FeedHead& head, const Now& now) const {
  const WallTime newest =
      std::max(newest_said_, shared_.pipeline.gate().last_heard().value_or(WallTime{}));
  // Said while one of the clocks was ahead: it proves nothing.
  if (now.wall_trusted && newest > now.wall + kClocksAgree) return false;
  return head.at + kLateBatch < newest;
}

// An old head that is played again is not newer. One from the future would be the newest for as
// long, so it never counts; what an own clock once said of the future holds nobody up.
void CrmFeed::freshen(contract::Collection collection, const std::string& epoch,
                      const contract::FeedHead& head, const Now& now) {
  if (collection != contract::Collection::consents) return;
  if (!receiver_.stands_at(collection, {epoch, head.seq, head.digest})) return;
  if (!now.wall_trusted) {
    early_head_ = EarlyHead{epoch, head};
    return;
  }
  if (head.at > now.wall + kClocksAgree) {
    ++shared_.counters.heads_ahead;
    return;
  }
  const auto last = shared_.pipeline.gate().last_heard();
  if (last && head.at <= *last && *last <= now.wall + kClocksAgree) return;
  needs_.decide(event::CrmHeard{head.at}, now);
}

void CrmFeed::line_is_up() {
  receiver_.reset_snapshots();
  say_hello();
}

void CrmFeed::say_hello(bool confirms) {
  confirm_at_.reset();
  contract::Hello hello;
  hello.confirms = confirms;
  if (const auto controls = shared_.store.registers().controls()) {
    for (const auto& row : *controls) {
      hello.control = std::max(hello.control, static_cast<std::uint64_t>(row.seq));
    }
  }
  hello.session = static_cast<std::uint64_t>(shared_.session);
  hello.version = shared_.settings.version;
  hello.have = receiver_.have();
  hello.audit = witness_.word();
  hello.keys = key_ids();
  hello.region = region_.name;
  shared_.ports.publish(contract::encode_hello(shared_.settings.box, hello, &witness_.signer()),
                        kNoRow, std::nullopt);
}

void CrmFeed::ask_again(const Now& now) {
  ++shared_.counters.feed_gaps;
  hello_due_ = true;
  hello_if_due(now);
}

void CrmFeed::hello_if_due(const Now& now) {
  if (!hello_due_ || now.mono < next_hello_) return;
  hello_due_ = false;
  next_hello_ = now.mono + kHelloEvery;
  say_hello();
}

void CrmFeed::came_further(const Now& now) {
  if (!confirm_at_) confirm_at_ = now.mono + kConfirmWithin;
}

void CrmFeed::confirm_if_due(const Now& now) {
  if (!confirm_at_ || now.mono < *confirm_at_ || !delivery_.side(contract::LinkName::uplink).up)
    return;
  say_hello(true);
}

// ---- batches ----

void CrmFeed::take(sync::FeedPiece piece, const Now& now) {
  const auto collection = piece.batch.collection;
  const std::string epoch = piece.batch.epoch;
  const auto head = std::exchange(piece.batch.head, std::nullopt);
  const auto said = where_crm_stands(piece.batch, head);
  if (head && replayed(*head, now)) {
    return needs_.message_refused(
        {ErrorCode::refused, "feed: signed more than a day before what the CRM said since"}, now);
  }
  if (head && is_for_another_region(*head)) {
    return needs_.message_refused({ErrorCode::refused, "feed: made for another region"}, now);
  }
  heard(now);
  if (head) {
    heard(*head, now);
    if (collection == contract::Collection::profiles) {
      profiles_on_sight_ = head->scope == contract::address_text(shared_.settings.box);
    }
  }
  sync::FeedPlan plan = receiver_.plan(std::move(piece.batch), piece.cut);
  if (plan.verdict == sync::FeedVerdict::gap) {
    spdlog::info("feed {}: {}", contract::to_string(plan.collection), plan.reason);
    receiver_.committed(plan);
    if (said) hear_of_consents(collection, *said, now);
    return ask_again(now);
  }
  if (plan.verdict == sync::FeedVerdict::apply) carry_out(std::move(plan), now);
  if (said && receiver_.is_ahead(collection, *said)) came_further(now);
  if (head) freshen(collection, epoch, *head, now);
  if (said) hear_of_consents(collection, *said, now);
}

// Nothing: this piece does not say. A digest may be left out of what is not signed.
std::optional<contract::Have> CrmFeed::where_crm_stands(
    const contract::FeedBatch& batch, const std::optional<contract::FeedHead>& head) {
  if (head) return contract::Have{batch.epoch, head->seq, head->digest};
  if (batch.digest.empty() && !batch.items.empty()) return std::nullopt;
  return contract::Have{batch.epoch, batch.to_seq, batch.digest};
}

// What is about somebody leaves the box only while nothing is known to be missing here: it might be
// their withdrawal. An older word than what is here says neither.
void CrmFeed::hear_of_consents(contract::Collection collection, const contract::Have& said,
                               const Now& now) {
  if (collection != contract::Collection::consents) return;
  if (receiver_.stands_at(collection, said)) {
    delivery_.hear_consents(true, now);
  } else if (receiver_.lacks(collection, said)) {
    delivery_.hear_consents(false, now);
  }
}

void CrmFeed::missed(const Now& now) {
  delivery_.hear_consents(false, now);
  ask_again(now);
}

void CrmFeed::tidy() {
  if (std::exchange(untidy_, false)) malloc_trim(0);
}

void CrmFeed::carry_out(sync::FeedPlan plan, const Now& now) {
  News news;
  if (plan.part && plan.part->to_come() > 0) {
    needs_.expect(plan.collection, plan.part->to_come());
  }
  news.changes.reserve(plan.items.size());
  if (plan.collection == contract::Collection::identities && !plan.fresh) {
    // A device may go from one customer to another in one batch, in any order.
    for (const auto& item : plan.items) {
      const auto old = shared_.store.replica().find(store::Collection::identities, item.key);
      if (!old) continue;
      news.rekeyed.push_back(old->customer);
      leaves(*old);
    }
  }
  for (const auto& item : plan.items) take_item(plan, item, now, news);
  sweep(plan, now, news);
  for (const auto device : devices_.freed()) {
    news.device_freed = true;
    news.devices.push_back(row_of_refused(device));
  }
  const auto written = store_news(plan, news, now);
  if (written) {
    receiver_.committed(plan);
    desk_.confirmed(news.confirmed, now);
    desk_.forget(news.desk_consents);
    if (plan.collection == contract::Collection::staff) needs_.staff_changed(now);
    if (plan.complete) came_further(now);
    if (plan.complete && plan.part && plan.part->parts > 1) untidy_ = true;
  }
  // Only now does the directory answer with the new profiles.
  for (auto& customer : std::exchange(changed_profiles_, {})) {
    needs_.decide(event::ProfileChanged{std::move(customer)}, now);
  }
  needs_.keys_changed(news.rekeyed, now);
  if (news.device_freed && !news.came_back) ask_for_identities();
  if (!news.came_back) return;
  // What was withheld meanwhile is asked for.
  for (const auto what : {contract::Collection::consents, contract::Collection::profiles,
                          contract::Collection::identities}) {
    receiver_.forget(what);
  }
  say_hello();
}

void CrmFeed::take_item(const sync::FeedPlan& plan, const contract::FeedItem& item, const Now& now,
                        News& news) {
  ++shared_.counters.feed_items;
  if (item.deleted) {
    removed(plan.collection, item.key, now, news);
    news.changes.push_back(
        {.item = {item.key, {}, static_cast<std::int64_t>(item.seq), {}, {}}, .erase = true});
  } else if (item.item) {
    take_good(plan, item, now, news);
  } else {
    take_unreadable(plan, item, now, news);
  }
}

void CrmFeed::take_good(const sync::FeedPlan& plan, const contract::FeedItem& item, const Now& now,
                        News& news) {
  std::string brief;
  if (const auto* record = std::get_if<ConsentRecord>(item.item.get())) {
    if (!take_consent(plan, item, *record, now, news)) return;
    brief = brief_of(*record);
  }
  if (const auto* identity = std::get_if<IdentityItem>(item.item.get())) {
    const auto key = key_of(*identity);
    if (!take_identity(plan, item, key, news)) return;
    brief = brief_of(key);
    news.rekeyed.push_back(item.customer);
  }
  news.changes.push_back({.item = {item.key, item.customer, static_cast<std::int64_t>(item.seq),
                                   item.value, std::move(brief)}});
  put(*item.item, item.value, now, news);
}

void CrmFeed::leaves(const store::ReplicaItem& old) {
  const auto item = contract::decode_item(contract::Collection::identities, old.body);
  if (item) devices_.remove(key_of(std::get<IdentityItem>(*item)));
}

void CrmFeed::stays(const std::string& identity) {
  const auto old = shared_.store.replica().find(store::Collection::identities, identity);
  if (!old) return;
  const auto item = contract::decode_item(contract::Collection::identities, old->body);
  if (item) devices_.put(key_of(std::get<IdentityItem>(*item)));
}

void CrmFeed::erasing(const CustomerId& customer) {
  const auto items = shared_.store.replica().of_customer(store::Collection::identities, customer);
  if (!items) return;
  for (const auto& item : *items) leaves(item);
}

void CrmFeed::erased(const Now& now) {
  const auto freed = devices_.freed();
  if (freed.empty()) return;
  const auto done = shared_.store.transaction([&](store::Tx& tx) {
    for (const auto device : freed) tx.journal().put_state(row_of_refused(device), now.wall);
  });
  if (!done) needs_.store_failed(done.error());
  ask_for_identities();
}

void CrmFeed::ask_for_identities() {
  receiver_.forget(contract::Collection::identities);
  if (delivery_.side(contract::LinkName::uplink).up) say_hello();
}

bool CrmFeed::take_identity(const sync::FeedPlan& plan, const contract::FeedItem& item,
                            const beacon::IdentityKey& key, News& news) {
  if (shared_.pipeline.gate().forgotten(key.customer)) return true;  // the store keeps none of it
  if (devices_.put(key)) return true;
  ++shared_.counters.feed_set_aside;
  news.devices.push_back(row_of_refused(beacon::same_device_hash(key), key.customer));
  news.rejected.push_back({plan.collection, item.key, item.seq,
                           "item.identities: the same device is another customer's already"});
  news.changes.push_back(
      {.item = {item.key, item.customer, static_cast<std::int64_t>(item.seq), {}, {}},
       .withhold = true});
  return false;
}

bool CrmFeed::take_consent(const sync::FeedPlan& plan, const contract::FeedItem& item,
                           const ConsentRecord& record, const Now& now, News& news) {
  news.came_back = come_back(record, now) || news.came_back;
  if (auto old = refuse_consent(record)) {
    // What is held stays, and counts for the digest as if it were this one.
    note_refused(*old);
    ++shared_.counters.feed_set_aside;
    news.rejected.push_back({plan.collection, item.key, item.seq, std::move(*old)});
    news.changes.push_back(
        {.item = {item.key, item.customer, static_cast<std::int64_t>(item.seq), {}, {}},
         .withhold = true,
         .keep = true});
    return false;
  }
  if (standing(record).withdrawn_at && !shared_.pipeline.gate().forgotten(record.customer)) {
    news.withdrawn.push_back(record);
  }
  return true;
}

void CrmFeed::take_unreadable(const sync::FeedPlan& plan, const contract::FeedItem& item,
                              const Now& now, News& news) {
  // A consent that cannot be read may be a withdrawal: the old one no longer counts. Nor does who
  // works here as they were: they may have lost a role, or their PIN.
  const bool consent = plan.collection == contract::Collection::consents;
  const bool goes = consent || plan.collection == contract::Collection::staff;
  if (consent) {
    removed(plan.collection, item.key, now, news);
    note_refused(item.error);
  }
  if (plan.collection == contract::Collection::identities) stays(item.key);
  ++shared_.counters.feed_set_aside;
  news.rejected.push_back({plan.collection, item.key, item.seq, item.error});
  news.changes.push_back({.item = {item.key, {}, static_cast<std::int64_t>(item.seq), {}, {}},
                          .withhold = true,
                          .keep = !goes});
}

// Items that the finished snapshot no longer has are gone.
void CrmFeed::sweep(const sync::FeedPlan& plan, const Now& now, News& news) {
  const auto collection = store_collection(plan.collection);
  for (const auto& name : plan.sweep) {
    const auto old = shared_.store.replica().find_named(collection, name);
    if (!old) continue;
    removed_body(plan.collection, old->key, old->body, now, news);
    if (plan.collection != contract::Collection::identities) continue;
    news.rekeyed.push_back(old->customer);
    leaves(*old);
  }
}

// A part of the first snapshot: who loses it asks for it again, as nothing here says that it came.
// Not what takes away something that was given here, nor what somebody is told of.
bool CrmFeed::may_come_again(const sync::FeedPlan& plan, const News& news) {
  const bool first_snapshot = plan.part && !plan.complete && !plan.have;
  const bool takes = !news.withdrawn.empty() || !news.desk_consents.empty() || news.came_back;
  return first_snapshot && !takes && news.rejected.empty() && !news.effects.tells();
}

Result<void> CrmFeed::store_news(const sync::FeedPlan& plan, News& news, const Now& now) {
  std::optional<store::FeedState> position;
  if (plan.have && !news.came_back && !news.device_freed) position = state_of(*plan.have);
  const auto durable = may_come_again(plan, news) ? store::Durable::later : store::Durable::now;
  for (auto& change : news.changes) change.fresh = plan.fresh;
  const auto write_news = [&](store::Tx& tx) {
    tx.replica().apply(store_collection(plan.collection), position, news.changes, plan.sweep);
    write(tx, news, now);
    for (auto& what : news.rejected) {
      delivery_.tell_crm(tx, {MessageId(shared_.ids.next()), now.wall, {}, std::move(what), {}},
                         OutboxKind::feed, {}, now);
    }
  };
  return needs_.carry_out(std::move(news.effects), now, write_news, durable);
}

std::map<std::string, std::string> CrmFeed::items_of(contract::Collection collection) {
  std::map<std::string, std::string> items;
  const auto loaded = shared_.store.replica().load(
      store_collection(collection),
      [&](store::ReplicaItem&& i) { items.emplace(std::move(i.key), std::move(i.body)); });
  if (!loaded) needs_.store_failed(loaded.error());
  return items;
}

void CrmFeed::write(store::Tx& tx, const News& news, const Now& now) const {
  for (const auto& row : news.devices) {
    if (row.value && shared_.pipeline.gate().forgotten(row.customer)) continue;
    tx.journal().put_state(row, now.wall);
  }
  for (const auto& id : news.desk_consents) tx.people().remove_desk_consent(id);
  for (const auto& customer : news.no_ageing) tx.people().remove_aged(customer);
  for (const auto& record : news.withdrawn) {
    tx.people().note_withdrawal(record.customer, record.purpose, *standing(record).withdrawn_at);
  }
}

void CrmFeed::put(const contract::Item& item, std::string_view text, const Now& now, News& news) {
  std::visit(
      [&](const auto& what) {
        using What = std::decay_t<decltype(what)>;
        if constexpr (std::is_same_v<What, Profile>) {
          needs_.profile_changed(what.customer);
          changed_profiles_.push_back(what.customer);
        } else if constexpr (std::is_same_v<What, ConsentRecord>) {
          for (auto& id : desk_.superseded(what.customer, what.purpose, what.history)) {
            news.confirmed.push_back(id);
            news.desk_consents.push_back(std::move(id));
          }
          // The newest word on face recognition says nothing of ageing.
          if (what.purpose == Purpose::face_recognition && !names_ageing(what)) {
            faces_.forget_view(what.customer);
            news.no_ageing.push_back(what.customer);
          }
          news.effects.append(needs_.ask(event::ConsentChanged{{what}}, now));
        } else if constexpr (std::is_same_v<What, Campaign>) {
          news.effects.append(needs_.ask(event::CampaignPut{what}, now, text));
        } else if constexpr (std::is_same_v<What, Policy>) {
          news.effects.append(needs_.ask(event::PolicyReplaced{what}, now, text));
        }
      },
      item);
}

void CrmFeed::take_back_at_the_desk(const std::string& record, const Now& now, News& news) {
  for (auto& desk : desk_.written_into(record)) {
    news.desk_consents.push_back(std::move(desk.id));
    news.effects.append(needs_.ask(event::ConsentRemoved{desk.customer, desk.purpose}, now));
  }
}

void CrmFeed::removed(contract::Collection collection, const std::string& key, const Now& now,
                      News& news) {
  std::string body;
  if (collection == contract::Collection::consents) {
    const auto stored = shared_.store.replica().find(store::Collection::consents, key);
    if (!stored) return take_back_at_the_desk(key, now, news);
    body = stored->body;
  }
  removed_body(collection, key, body, now, news);
}

void CrmFeed::removed_body(contract::Collection collection, const std::string& key,
                           const std::string& body, const Now& now, News& news) {
  switch (collection) {
    case contract::Collection::consents:
      if (const auto item = contract::decode_item(collection, body)) {
        const auto& record = std::get<ConsentRecord>(*item);
        for (auto& id : desk_.given_here(record.customer, record.purpose)) {
          news.desk_consents.push_back(std::move(id));
        }
        news.effects.append(
            needs_.ask(event::ConsentRemoved{record.customer, record.purpose}, now));
      }
      break;
    case contract::Collection::campaigns:
      news.effects.append(needs_.ask(event::CampaignRemoved{CampaignId(key)}, now));
      break;
    case contract::Collection::policy:
      news.effects.append(needs_.ask(event::PolicyReplaced{}, now));
      break;
    case contract::Collection::profiles:
      needs_.profile_changed(CustomerId(key));
      changed_profiles_.emplace_back(key);
      break;
    case contract::Collection::identities:  // the key table is made again
    case contract::Collection::staff:       // staff_changed() follows
      break;
  }
}

}  // namespace welcome::daemon
