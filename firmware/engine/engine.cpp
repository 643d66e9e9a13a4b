// SPDX-License-Identifier: Apache-2.0
#include "firmware/engine/engine.h"

#include <algorithm>
#include <malloc.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "contract/items.h"
#include "contract/json_text.h"
#include "core/clock_set.h"
#include "firmware/engine/convert.h"

namespace welcome::daemon {

namespace {

using nlohmann::json;
using namespace std::chrono_literals;

constexpr std::size_t kProfileCache = 512;
constexpr auto kHousekeepingEvery = 1s;
constexpr auto kRetentionEvery = 1h;
constexpr auto kWriteClockEvery = 60s;
// Register that holds the configuration as it was given; it has no secrets in it.
constexpr std::string_view kConfigRegister = "config";
// Register that holds the public key with which the box signed last.
constexpr std::string_view kKeyRegister = "signs_with";
constexpr auto kTellRefusedEvery = 10s;

void must(const auto& result, const char* what) {
  if (!result) {
    throw std::runtime_error(std::string("cannot read ") + what + ": " + result.error().message);
  }
}

std::string_view word(ErrorCode code) {
  switch (code) {
    case ErrorCode::malformed:
      return "malformed";
    case ErrorCode::refused:
      return "refused";
    case ErrorCode::not_found:
      return "not_found";
    case ErrorCode::unavailable:
      return "unavailable";
    case ErrorCode::full:
      return "full";
    case ErrorCode::corrupt:
      return "corrupt";
    case ErrorCode::internal:
      return "internal";
  }
  return "?";
}

}  // namespace

Engine::Engine(EngineSettings settings, store::Store& store, Ports& ports, Pipeline::IdSource& ids,
               const Now& now)
    : settings_(std::move(settings)),
      store_(store),
      ports_(ports),
      ids_(ids),
      signer_(settings_.box.box, store.signing_seed()),
      recorder_(settings_.recording_dir, settings_.recording_days, store_, *this),
      pipeline_(settings_.pipeline, *this, recorder_,
                ConsentGate([this](const CustomerId& c) { return store_.audit().subject_of(c); })),
      tracker_(settings_.tracker),
      shared_{settings_, store_, ports_, ids_, pipeline_, counters_},
      delivery_(shared_, signer_, *this, now),
      health_(shared_, delivery_, *this),
      key_watch_(shared_, delivery_, *this),
      faces_(shared_, *this),
      lookups_(shared_, delivery_),
      desk_(shared_, delivery_, faces_, lookups_, *this),
      witness_(shared_, signer_),
      retirement_(shared_, delivery_, signer_),
      updates_(shared_),
      feed_(shared_, delivery_, desk_, faces_, devices_, witness_, *this),
      commands_(shared_, delivery_, signer_, *this),
      listening_(shared_, tracker_, devices_, key_watch_, *this),
      pauses_(shared_),
      rehearsal_(shared_, delivery_, *this),
      tablets_(shared_, delivery_, *this),
      staff_(shared_, *this),
      timelines_(shared_, *this),
      report_({shared_, delivery_, feed_, health_, pauses_, rehearsal_, timelines_, recorder_,
               tracker_, neighbours_, signer_}),
      next_housekeeping_(now.mono) {
  load(now);
}

Engine::~Engine() = default;

// ---- start ----

void Engine::load(const Now& now) {
  const auto session =
      store_.transaction([](store::Tx& tx) { return tx.registers().next_session(); });
  must(session, "the session number");
  shared_.session = *session;
  if (settings_.tracker.store && settings_.store_key) {
    neighbours_.emplace(settings_.box, settings_.tracker.store->zone, *settings_.store_key,
                        static_cast<std::uint64_t>(*session));
  }
  feed_.load_keys();
  feed_.load_region();
  const auto tombstones = store_.erasure().tombstones();
  must(tombstones, "who was erased");
  pipeline_.gate_for_loading().restore_tombstones(*tombstones);
  feed_.load_positions();
  feed_.load_consents();
  desk_.load(now);
  must(feed_.note_pinned(now), "the CRM's keys");
  must(note_own_key(now), "the box's own key");
  Effects effects = load_rules(now);

  const auto states = store_.journal().states();
  must(states, "open visits");
  const auto restored = pipeline_.restore(*states, now);
  if (restored.unreadable > 0) {
    spdlog::warn("{} stored rows could not be read and were left out", restored.unreadable);
  }
  // After what the rules kept: the plug may have been pulled before they followed a word.
  effects.append(load_pauses(now));
  auto staff = staff_of_store();
  must(staff, "who works here");
  staff_.load(std::move(*staff), now);
  rehearsal_.load();
  listening_.load_learnt();
  begin_recording(now);
  effects.append(ask(event::Tick{}, now));
  // A disk that takes nothing is no reason not to start: it is told, and tried again.
  if (const auto stored = carry_out(std::move(effects), now); !stored) {
    spdlog::error("what has changed since the last start is not stored: {}",
                  stored.error().message);
  }
  listening_.load(now);
  faces_.refresh(now);
  commands_.report_erasures(now);
  health_.load(now);
  if (const auto& found = store_.open_report(); found.set_aside) {
    health_.tell({"store",
                  "failed",
                  "a damaged database was set aside: " + found.set_aside_why,
                  {{"rows_saved", static_cast<std::int64_t>(found.salvaged_rows)}}},
                 now);
  }
  malloc_trim(0);  // reading it all in took more than what is kept
}

// Items of an older version may not decode any more: counted, and the CRM is asked again for the
// rest by the digest.
template <class Take>
void Engine::load_items(contract::Collection collection, const Take& take) {
  must(store_.replica().load(store_collection(collection),
                             [&](store::ReplicaItem&& stored) {
                               auto item = contract::decode_item(collection, stored.body);
                               if (item) {
                                 take(std::move(*item));
                               } else {
                                 ++counters_.feed_set_aside;
                               }
                             }),
       "the CRM's data");
}

Effects Engine::load_rules(const Now& now) {
  Effects effects;
  load_items(contract::Collection::policy, [&](contract::Item&& item) {
    effects.append(pipeline_.handle(event::PolicyReplaced{std::get<Policy>(std::move(item))}, now));
  });
  std::vector<Campaign> campaigns;
  load_items(contract::Collection::campaigns, [&](contract::Item&& item) {
    campaigns.push_back(std::get<Campaign>(std::move(item)));
  });
  effects.append(pipeline_.handle(event::CampaignsReplaced{std::move(campaigns)}, now));
  return effects;
}

Effects Engine::load_pauses(const Now& now) {
  Effects effects;
  must(pauses_.load(), "what was paused in the shop");
  const auto pauses = pauses_.all();
  must(pauses, "paused functions");
  for (const auto& [function, paused] : *pauses) {
    effects.append(pipeline_.handle(event::PauseChanged{function, paused}, now));
  }
  return effects;
}

// ---- what comes in ----

void Engine::handle(Input input, const Now& now) {
  std::visit([&](auto&& what) { on(std::forward<decltype(what)>(what), now); }, std::move(input));
}

void Engine::on(const input::Adverts& adverts, const Now& now) {
  delivery_.begin(adverts.ingress);
  for (const auto& report : adverts.reports) {
    auto claims = tracker_.handle(report, now);
    if (!tracker_.last_match()) key_watch_.unknown(report, now);
    if (const auto& match = tracker_.last_match()) signals_.heard(report, *match, tracker_, now);
    if (listener_) listener_(report, now);
    for (auto& found : claims) claim(std::move(found), now);
  }
  delivery_.end();
}

void Engine::on(const input::Face& face, const Now& now) {
  // A match against an older gallery may be of somebody who has withdrawn since.
  if (!faces_.is_current(face.match)) return;
  ++counters_.face_matches;
  delivery_.begin(face.ingress);
  IdentityClaim found;
  found.customer = face.match.customer;
  found.source = ClaimSource::face;
  found.fast = found.settled = face.zone;
  found.similarity = face.match.similarity;
  found.track = face.match.track;
  found.at = face.match.at;
  claim(std::move(found), now);
  delivery_.end();
  faces_.note_view(face.match);
}

void Engine::on(input::Feed&& feed, const Now& now) {
  if (feed.checked_with != feed_.keys()) return feed_.missed(now);
  delivery_.begin(feed.ingress);
  feed_.take(std::move(feed.piece), now);
  delivery_.end();
}

void Engine::on(const input::Enrolled& enrolled, const Now& now) {
  desk_.enrolled(enrolled.job, enrolled.face, now);
}

void Engine::on(const input::EnrolProgress& progress, const Now& now) {
  desk_.enrol_progress(progress.job, progress.guidance, progress.views, now);
}

void Engine::on(const input::FromLink& from, const Now& now) {
  const bool floor = from.link == contract::LinkName::floor;
  std::visit(
      [&](const auto& what) {
        using What = std::decay_t<decltype(what)>;
        if constexpr (std::is_same_v<What, sync::LinkUp>) {
          delivery_.up(from.link, what, now);
          if (floor) {
            tablets_.forget_line();
            staff_.tell_all(now);
            return tablets_.tell(now);
          }
          feed_.line_is_up();
          tablets_.publish_status(now);
          delivery_.pump(from.link, now);
        } else if constexpr (std::is_same_v<What, sync::LinkDown>) {
          delivery_.down(from.link, what.reason, now);
          floor ? tablets_.forget_line() : tablets_.publish_status(now);
        } else if constexpr (std::is_same_v<What, sync::Acked>) {
          if (what.tag == kNoRow) return;
          delivery_.acked(from.link, what, now);
          if (floor) tablets_.tell(now);
        } else if constexpr (std::is_same_v<What, sync::Refused>) {
          if (what.tag == kNoRow) return;
          if (delivery_.refused(from.link, what, now)) health_.not_taken(what.why);
          if (floor) tablets_.tell(now);
        } else {
          delivery_.begin(from.ingress);
          on_message(from.link, what, now);
          delivery_.end();
        }
      },
      from.event);
}

void Engine::on_message(contract::LinkName link, const contract::RawMessage& raw, const Now& now) {
  if (link == contract::LinkName::floor) {
    const auto tablet = contract::speaking_tablet(raw.topic);
    if (!tablet.empty() && !takes(tablet, 1, now)) return;
  }
  auto message = contract::decode_for_box(settings_.box, raw, feed_.keys().get());
  if (!message) return on_undecodable(link, message.error(), now);
  std::visit(
      [&](auto&& what) {
        using What = std::decay_t<decltype(what)>;
        if constexpr (std::is_same_v<What, contract::FeedBatch>) {
          for (auto& piece : sync::sliced(std::forward<decltype(what)>(what), kItemsAtOnce)) {
            feed_.take(std::move(piece), now);
          }
        } else if constexpr (std::is_same_v<What, contract::Control>) {
          on_control(what, raw.payload, now);
        } else if constexpr (std::is_same_v<What, contract::Taken>) {
          feed_.heard(now);
          delivery_.taken(what, now);
          if (const auto kept = retirement_.taken(what, now); !kept) store_failed(kept.error());
          if (what.keys) {
            const auto heard = feed_.hear_keys(*what.keys, now);
            if (!heard) store_failed(heard.error());
          }
          if (what.region) {
            const auto heard = feed_.hear_region(*what.region, now);
            if (!heard) store_failed(heard.error());
          }
          // Unsigned it says nothing.
          if (what.update && feed_.keys()) {
            const auto heard = updates_.hear(*what.update, now);
            if (!heard) store_failed(heard.error());
          }
          if (what.audit) {
            witness_.hear(*what.audit);
            feed_.came_further(now);
          }
        } else if constexpr (std::is_same_v<What, contract::Found>) {
          feed_.heard(now);
          lookups_.hear(what, now);
        } else if constexpr (std::is_same_v<What, contract::Command>) {
          feed_.heard(now);
          if (what.refused) on_undecodable(link, *what.refused, now);
          commands_.obey(what, now);
        } else if constexpr (std::is_same_v<What, contract::StoreWord>) {
          if (what.offer) {
            decide(event::OfferTold{*what.offer, what.box == settings_.box.box, what.kept}, now);
          } else {
            decide(event::OfferTakenBack{what.decision}, now);
          }
        } else if constexpr (std::is_same_v<What, contract::SignIn>) {
          staff_.hear(std::forward<decltype(what)>(what), now);
        } else if constexpr (std::is_same_v<What, contract::StaffSession>) {
          staff_.hear(what, now);
        } else if constexpr (std::is_same_v<What, contract::FloorRanging>) {
          if (!neighbours_) return;
          for (auto& found : neighbours_->hear(what, tracker_, now)) claim(std::move(found), now);
        } else {
          on_tablet(std::forward<decltype(what)>(what), now);
        }
      },
      std::move(*message));
}

void Engine::on_undecodable(contract::LinkName link, const Error& error, const Now& now) {
  auto& refused = counters_.inbound_refused[std::string(word(error.code))];
  ++refused;
  if (link == contract::LinkName::uplink && error.code == ErrorCode::refused) {
    health_.message_refused(word(error.code));
  }
  // Thousands a second must not fill the log.
  if (now.mono < next_refusal_told_) return;
  next_refusal_told_ = now.mono + kTellRefusedEvery;
  spdlog::warn("message from {} refused: {} ({} so far)", contract::to_string(link), error.message,
               refused);
}

void Engine::on_control(const contract::Control& control, const std::string& body, const Now& now) {
  const auto name = std::string(to_string(control.function));
  const auto kept = store_.transaction([&](store::Tx& tx) {
    return tx.registers().put_control(
        {control.store, name, static_cast<std::int64_t>(control.seq), control.paused, body});
  });
  if (!kept) return store_failed(kept.error());
  if (!*kept) return;  // an older word, or one we have: it comes again with every connect
  feed_.came_further(now);
  const auto paused = pauses_.by_head_office(control.function);
  if (!paused) return store_failed(paused.error());
  spdlog::warn("{} {} by head office", name, *paused ? "paused" : "resumed");
  const bool holds = *paused || pauses_.here().contains(control.function);
  const auto noted =
      decide_by("crm", event::PauseChanged{control.function, holds}, now,
                [&](store::Tx& tx) { tx.audit().append(now, "pause", "crm", {}, name); });
  if (!noted) spdlog::error("a pause holds, but is not in the audit trail");
  tablets_.publish_status(now);
}

// ---- deciding ----

bool Engine::claim(IdentityClaim claim, const Now& now) {
  if (!decides(now)) {
    ++counters_.held_back;
    return false;
  }
  decide(event::Claim{std::move(claim)}, now);
  return true;
}

Effects Engine::ask(const Event& event, const Now& now, std::string_view item) {
  asked_ = now;
  recorder_.before(event, pipeline_, *this, now);
  Effects effects = pipeline_.handle(event, now);
  recorder_.after(event, item, effects, now);
  return effects;
}

void Engine::decide(const Event& event, const Now& now) {
  if (!decide_and_store(event, now)) return;  // as carry_out() has said and seen to
}

Result<void> Engine::decide_and_store(const Event& event, const Now& now) {
  return carry_out(ask(event, now), now);
}

Result<void> Engine::decide_by(std::string_view by, const Event& event, const Now& now,
                               const Also& also) {
  const std::string before = std::exchange(consent_by_, std::string(by));
  auto stored = carry_out(ask(event, now), now, also);
  consent_by_ = before;
  return stored;
}

Result<void> Engine::rows_left(const std::vector<Delivery::Left>& rows, const Also& also,
                               const Now& now) {
  Effects effects;
  for (const auto& [note, sent] : rows) {
    if (note.kind != OutboxKind::offer && note.kind != OutboxKind::survey) continue;
    const DecisionId decision(note.ref);
    effects.append(sent ? ask(event::DecisionSent{decision}, now)
                        : ask(event::DecisionExpired{decision}, now));
  }
  // If the power goes, the rows are there again, go once more, and what this box keeps for itself
  // follows once more. What others learn of must not.
  const auto durable = effects.tells() ? store::Durable::now : store::Durable::later;
  return carry_out(std::move(effects), now, also, durable);
}

// What grows while a snapshot comes would stop decisions each time for tens of milliseconds.
void Engine::expect(contract::Collection collection, std::size_t items) {
  if (collection == contract::Collection::consents) {
    pipeline_.gate_for_loading().expect(items);
    listening_.expect(items);
  } else if (collection == contract::Collection::identities) {
    tracker_.expect(items);
  }
}

Result<void> Engine::carry_out(Effects effects, const Now& now, const Also& also,
                               store::Durable durable) {
  Result<void> written;
  std::erase_if(effects.near, [&](const CustomerId& customer) {
    return !on_sight_.due(customer, profile(customer) != nullptr, feed_.profiles_on_sight(),
                          now.mono);
  });
  const bool writes = also || !effects.near.empty() || effects.to_store();
  if (writes) {
    const auto all = [&](store::Tx& tx) {
      if (also) also(tx);
      write(tx, effects, now);
    };
    written = store_.transaction(all, durable);
    if (!written) {
      health_.store_failed(written.error());
      health_.could_not_store(effects, now);
    } else {
      for (const auto& customer : effects.near) on_sight_.asked(customer, now.mono);
    }
  }
  count(effects);
  follow(effects, now);
  if (writes) delivery_.pump(now);
  return written;
}

void Engine::count(const Effects& effects) {
  for (const auto& why : effects.refused) {
    ++counters_.feed_set_aside;
    spdlog::warn("refused: {}", why);
  }
  for (const auto& d : effects.decisions) {
    if (!d.made()) {
      ++counters_.suppressed[std::string(family(d.reason))];
    } else if (d.kind == DecisionKind::offer) {
      ++counters_.offers;
    } else if (d.kind == DecisionKind::prompt) {
      ++counters_.prompts;
    } else {
      ++counters_.surveys;
    }
  }
}

// What the effects change beside the rows.
void Engine::follow(const Effects& effects, const Now& now) {
  if (effects.wake_at) wake_at_ = effects.wake_at;
  for (const auto& consent : effects.consents) {
    profiles_.erase(consent.customer);
    if (consent.forgotten) desk_.forget(consent.customer);
  }
  const bool loadable = effects.loadable_changed || !effects.loadable_customers.empty();
  if (effects.loadable_changed) {
    listening_.refresh(now);
  } else if (loadable) {
    listening_.refresh(effects.loadable_customers, now);
  }
  if (effects.face_candidates) faces_.set_candidates(*effects.face_candidates);
  const bool refuted = std::any_of(effects.staff.begin(), effects.staff.end(),
                                   [](const auto& outcome) { return outcome.lowers_face_trust; });
  if (effects.face_candidates || loadable || refuted) faces_.refresh(now);
  if (!effects.visits.empty()) tablets_.publish_status(now);
}

// ---- timers ----

void Engine::tick(const Now& now) {
  listening_.fetch(now);
  feed_.count_early(now);
  feed_.hello_if_due(now);
  feed_.confirm_if_due(now);
  delivery_.settle(now);
  for (auto& found : tracker_.tick(now)) claim(std::move(found), now);
  key_watch_.work(now);
  talk_to_neighbours(now);
  // When the clock was set, what is due by it is due at another moment.
  if (((wake_at_ && *wake_at_ <= now.mono) || clock_was_set(asked_, now)) && decides(now)) {
    wake_at_.reset();
    decide(event::Tick{}, now);
  }
  rehearsal_.tick(now);
  if (now.mono < next_housekeeping_) return;
  next_housekeeping_ = now.mono + kHousekeepingEvery;
  keep_house(now);
  if (now.mono < next_retention_) return;
  next_retention_ = now.mono + kRetentionEvery;
  keep_house_hourly(now);
}

void Engine::keep_house(const Now& now) {
  if (!can_store()) health_.try_store_again(now);
  health_.watch_footing(now);
  health_.watch_policy(now);
  health_.tell_refusals(now);
  if (now.mono >= next_clock_write_) {
    next_clock_write_ = now.mono + kWriteClockEvery;
    remember_clock();
  }
  if (witness_.has_news(now)) feed_.came_further(now);
  delivery_.drop_unsendable(now);
  delivery_.send_untaken_again(now);
  report_copies(now);
  key_watch_.report(now);
  listening_.keep_learnt(now);
  desk_.end_late_enrolments(now);
  desk_.end_pending(now);
  staff_.tick(now);
  lookups_.end_late(now);
  faces_.tick(now);
  tablets_.tell(now);
  delivery_.pump(now);
  // For milliseconds nothing is decided; nobody is there to be decided about.
  if (tracker_.present_customers().empty()) feed_.tidy();
  begin_recording(now);
  recorder_.flush(now);
  if (const auto more = store_.maintain(now); !more) store_failed(more.error());
}

void Engine::keep_house_hourly(const Now& now) {
  // Nothing goes because it is old while nobody knows for certain how old it is.
  if (const auto agreed = ports_.clock().agreed) {
    const auto gone = store_.transaction(
        [&](store::Tx& tx) { return tx.registers().apply_retention(store::Retention{}, *agreed); });
    if (!gone) store_failed(gone.error());
    recorder_.apply_retention(*agreed);
    pipeline_.hear_agreed(*agreed);
    desk_.drop_old(*agreed, now);
  }
  commands_.scrub_again();
  commands_.report_erasures(now);
}

// After the box key was changed. The register is written with the entry, so none is missing.
Result<void> Engine::note_own_key(const Now& now) {
  const std::string key = public_key();
  const auto before = store_.registers().get(kKeyRegister);
  if (!before) return tl::unexpected(before.error());
  if (*before == key) return {};
  return store_.transaction([&](store::Tx& tx) {
    tx.registers().put(kKeyRegister, key);
    if (*before) tx.audit().append(now, "key", "technician", {}, "the box key was changed");
  });
}

// A message holds so many of them.
std::vector<std::string> Engine::vouched() const {
  constexpr std::size_t kMost = 16;
  auto all = store_.vouched().value_or(std::vector<std::string>());
  if (all.size() > kMost) all.erase(all.begin(), all.end() - kMost);
  return all;
}

void Engine::report_copies(const Now& now) {
  for (const auto& customer : tracker_.take_copied()) {
    spdlog::warn("an identity was copied: two devices send it; for a while it proves nothing");
    const auto noted = store_.transaction([&](store::Tx& tx) {
      tx.audit().append(now, "copy", "box", customer, "identity in doubt");
    });
    if (!noted) store_failed(noted.error());
  }
}

void Engine::begin_recording(const Now& now) {
  if (!recorder_.wants_to_begin(pipeline_, now)) return;
  auto rows = store_.journal().states();
  if (!rows) return store_failed(rows.error());
  recording::Recorder::Beginning beginning;
  beginning.box = settings_.box.box;
  beginning.session = shared_.session;
  beginning.settings = settings_.pipeline;
  beginning.rows = std::move(*rows);
  for (auto& [key, body] : feed_.items_of(contract::Collection::campaigns)) {
    beginning.campaigns.push_back(std::move(body));
  }
  for (auto& [key, body] : feed_.items_of(contract::Collection::policy))
    beginning.policy = std::move(body);
  recorder_.begin(beginning, pipeline_, *this, now);
}

void Engine::remember_clock() {
  std::string memory = ports_.clock_memory();
  if (memory == clock_memory_) return;
  const auto kept =
      store_.transaction([&](store::Tx& tx) { tx.registers().put(kClockRegister, memory); });
  if (!kept) return store_failed(kept.error());
  clock_memory_ = std::move(memory);
}

void Engine::set_zones(const beacon::TrackerConfig& tracker) {
  settings_.tracker = tracker;
  tracker_.reconfigure(tracker);
}

void Engine::note_config(const std::map<std::string, std::string>& given, const Now& now) {
  const auto before = store_.registers().get(kConfigRegister);
  if (!before) return store_failed(before.error());
  const json was = json::parse(before->value_or("{}"), nullptr, false);
  const json is = given;
  std::string changed;
  for (const auto& change : json::diff(was.is_object() ? was : json::object(), is)) {
    changed += (changed.empty() ? "" : ", ") + change.at("path").get<std::string>().substr(1);
  }
  if (changed.empty()) return;
  const auto noted = store_.transaction([&](store::Tx& tx) {
    tx.registers().put(kConfigRegister, contract::dump(is));
    tx.audit().append(now, "config", "technician", {}, changed);
  });
  if (!noted) store_failed(noted.error());
}

void Engine::stopping(const Now& now) {
  listening_.keep_learnt(now);
  recorder_.flush(now);
  delivery_.settle(now);
  remember_clock();
}

// ---- what the parts need ----

void Engine::store_works_again(const Now& now) {
  // The feed went on without us.
  if (delivery_.side(contract::LinkName::uplink).up) feed_.say_hello();
  tablets_.publish_status(now);
}

void Engine::erased(const CustomerId& customer, const Now& now) {
  profiles_.erase(customer);
  feed_.erased(now);
  listening_.refresh(std::vector{customer}, now);
  faces_.refresh(now);
}

contract::FloorStatus Engine::floor_status(const Now&) const {
  contract::FloorStatus status;
  status.store = settings_.box.store;
  status.box = settings_.box.box;
  status.link_up = delivery_.side(contract::LinkName::uplink).up;
  const auto visits = pipeline_.visits();
  status.in_store = static_cast<int>(
      std::count_if(visits.begin(), visits.end(), [](const auto& v) { return v.in_store; }));
  for (const auto function : kAllFunctions) {
    if (pipeline_.gate().paused(function)) status.paused.push_back(function);
  }
  for (const auto& [function, pause] : pauses_.here()) status.paused_here.push_back(function);
  status.trouble = health_.troubles();
  status.rehearsal = rehearsal_.running();
  status.version = settings_.version;
  return status;
}

std::vector<contract::Message> Engine::prompts_now(const Now& now) {
  std::vector<contract::Message> messages;
  for (const auto& prompt : pipeline_.prompts(now)) {
    if (!shown_elsewhere(prompt, now)) messages.push_back(contract::encode_prompt(prompt));
  }
  for (auto& prompt : rehearsal_.shown()) messages.push_back(std::move(prompt));
  return messages;
}

const Profile* Engine::profile(const CustomerId& customer) {
  if (const auto cached = profiles_.find(customer); cached != profiles_.end()) {
    return &cached->second;
  }
  const auto stored = store_.replica().find(store::Collection::profiles, customer.str());
  if (!stored) return nullptr;
  auto item = contract::decode_item(contract::Collection::profiles, stored->body);
  if (!item) return nullptr;
  if (profiles_.size() >= kProfileCache) profiles_.clear();
  return &(profiles_[customer] = std::get<Profile>(std::move(*item)));
}

std::optional<std::string> Engine::facts(const CustomerId& customer) {
  auto facts = store_.journal().facts(customer);
  if (!facts) {
    store_failed(facts.error());
    return std::nullopt;
  }
  return std::move(*facts);
}

// ---- for welcomectl ----

Result<json> Engine::start_rehearsal(const Now& now) {
  if (auto done = rehearsal_.start("technician", now); !done) return tl::unexpected(done.error());
  return json{{"rehearsal", true}};
}

Result<json> Engine::stop_rehearsal(const Now& now) {
  if (auto done = rehearsal_.stop("technician", now); !done) return tl::unexpected(done.error());
  return json{{"rehearsal", false}};
}

json Engine::status(const Now& now) const { return report_.status(now); }
json Engine::vitals(const Now& now) const { return report_.vitals(now); }
std::string Engine::diagnostics() { return contract::dump(shared_.ports.whole_status()); }
json Engine::visits() const { return report_.visits(); }
json Engine::decisions() const { return report_.decisions(); }
json Engine::outbox() const { return report_.outbox(); }
json Engine::recordings() const { return report_.recordings(); }
Result<json> Engine::audit_trail() const { return report_.audit_trail(); }
Result<json> Engine::audit_verdict() const { return report_.audit_verdict(); }
Result<json> Engine::why(const std::string& id) const { return report_.why(id); }

Result<json> Engine::export_person(const CustomerId& customer, const Now& now) {
  const auto text = commands_.export_person(customer, "technician", now);
  if (!text) return tl::unexpected(text.error());
  return json::parse(*text);
}

Result<void> Engine::enrol(const CustomerId& customer, Clip clip, const Now& now,
                           std::function<void(const std::string&)> progress,
                           std::function<void(Result<json>)> done) {
  return desk_.enrol(
      customer, std::move(clip), now, std::move(progress),
      [done = std::move(done), model = settings_.face_model.name()](Desk::Outcome views) {
        if (views) {
          done(json{{"templates", *views}, {"model", model}});
        } else {
          done(fail(ErrorCode::refused, std::string(vision::sentence(views.error()))));
        }
      });
}

Result<recording::ReplayOrder> Engine::replay_order(const std::string& name,
                                                    recording::OtherRules rules, const Now& now) {
  recorder_.flush(now);
  recording::ReplayOrder order{recorder_.files(name), recorder_.keys(), std::move(rules)};
  if (name.empty() || order.files.empty()) {
    return fail(ErrorCode::not_found,
                settings_.recording_days == 0
                    ? "nothing is recorded: recording.days is 0"
                    : "no recording begins like this; welcomectl recordings lists them");
  }
  return order;
}

Result<void> Engine::note(std::string_view what, const std::string& detail, const Now& now) {
  return store_.transaction(
      [&](store::Tx& tx) { tx.audit().append(now, what, "technician", {}, detail); });
}

void Engine::note_clock(const std::string& detail, const Now& now) {
  if (const auto noted = note("clock", detail, now); !noted) store_failed(noted.error());
  remember_clock();
}

std::string Engine::line_to_crm() const {
  const auto& line = delivery_.side(contract::LinkName::uplink);
  if (!line.up) return "the line is down: " + line.why_down;
  return line.heard ? "it has not taken it yet" : "it does not speak";
}

std::optional<WallTime> Engine::last_decision() const {
  const auto newest = store_.journal().decisions(1);
  if (!newest || newest->empty()) return std::nullopt;
  return newest->front().at;
}

void Engine::senses_are(std::vector<contract::Trouble> troubles, const Now& now) {
  health_.senses_are(std::move(troubles), now);
}

Result<nlohmann::json> Engine::set_clock(const std::string& identity, const Now& now) {
  return key_watch_.set_clock(identity, now);
}

std::string Engine::identity_ids(const CustomerId& customer, beacon::IdentityKind kind) const {
  std::string ids;
  const auto items = store_.replica().of_customer(store::Collection::identities, customer);
  if (!items) return ids;
  for (const auto& stored : *items) {
    const auto item = contract::decode_item(contract::Collection::identities, stored.body);
    if (!item) continue;
    const auto key = key_of(std::get<IdentityItem>(*item));
    if (key.kind == kind) ids += (ids.empty() ? "" : " ") + key.identity;
  }
  return ids;
}

}  // namespace welcome::daemon
