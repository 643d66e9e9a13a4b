#include "firmware/daemon/engine.h"

#include <algorithm>
#include <malloc.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>
#include <sstream>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "contract/items.h"
#include "firmware/daemon/clock.h"
#include "firmware/daemon/convert.h"
#include "firmware/daemon/outbox_kinds.h"

namespace welcome::daemon {

namespace {

using nlohmann::json;
using namespace std::chrono_literals;

constexpr std::size_t kProfileCache = 512;
constexpr auto kHousekeepingEvery = 1s;
constexpr auto kRetentionEvery = 1h;
// By how much a clock may be late after the plug was pulled without being noticed.
constexpr auto kWriteWallEvery = 60s;
// Register that holds the configuration as it was given; it has no secrets in it.
constexpr std::string_view kConfigRegister = "config";
// Register that holds the invented visits whose prompts are on the tablets.
constexpr std::string_view kRehearsalRegister = "rehearsal_visits";
// Keys of a few customers are read at once, those of many in turns.
constexpr std::size_t kFetchFreely = 100;
constexpr std::size_t kFetchAtOnce = 2000;
constexpr auto kFetchEvery = 100ms;
// After a message that the broker could not take yet.
constexpr auto kRefusedPause = 2s;
constexpr auto kTellRefusedEvery = 10s;

std::int64_t to_ms(WallTime time) { return time.time_since_epoch().count(); }

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

std::string explain_text(const Decision& d) {
  json steps = json::array();
  for (const auto& step : d.steps) {
    steps.push_back({{"rule", step.rule}, {"passed", step.passed}, {"detail", step.detail}});
  }
  return json{{"campaign", d.campaign.str()}, {"variant", d.variant}, {"steps", std::move(steps)}}
      .dump();
}

std::string visit_detail(const VisitEvent& v) {
  return json{{"zone", to_string(v.zone)}, {"level", to_string(v.level)}, {"why", v.ended_why}}
      .dump();
}

}  // namespace

Engine::Engine(EngineSettings settings, store::Store& store, Ports& ports, Pipeline::IdSource& ids,
               const Now& now)
    : settings_(std::move(settings)),
      store_(store),
      ports_(ports),
      ids_(ids),
      signer_(settings_.box.box, store.signing_seed()),
      stored_feed_(store.replica()),
      receiver_(stored_feed_),
      recorder_(settings_.recording_dir, settings_.recording_days, store_, *this),
      pipeline_(settings_.pipeline, *this, recorder_,
                ConsentGate([this](const CustomerId& c) { return store_.audit().subject_of(c); })),
      tracker_(settings_.tracker),
      next_housekeeping_(now.mono) {
  uplink_.patience = now.mono + settings_.crm_speaks_first;
  load(now);
}

Engine::~Engine() = default;

// ---- start ----

void Engine::load(const Now& now) {
  const auto must = [](const auto& result, const char* what) {
    if (!result) {
      throw std::runtime_error(std::string("cannot read ") + what + ": " + result.error().message);
    }
  };
  const auto session = store_.registers().next_session();
  must(session, "the session number");
  session_ = *session;
  if (settings_.tracker.store && settings_.store_key) {
    neighbours_.emplace(settings_.box, settings_.tracker.store->zone, *settings_.store_key,
                        static_cast<std::uint64_t>(session_));
  }

  if (settings_.crm_keys) {
    auto keys = contract::KeyRing::parse(*settings_.crm_keys);
    must(keys, "the CRM's keys");
    keys_ = std::move(*keys);
  }

  const auto tombstones = store_.erasure().tombstones();
  must(tombstones, "who was erased");
  pipeline_.gate_for_loading().restore_tombstones(*tombstones);

  for (const auto collection : contract::kAllCollections) {
    const auto state = store_.replica().state(store_collection(collection));
    must(state, "the feed's position");
    if (auto have = have_of(*state)) receiver_.load(collection, std::move(*have));
  }

  // Items of an older version may not decode any more: counted, and the CRM is asked anew for the
  // rest by the digest.
  const auto load_items = [&](contract::Collection collection, const auto& take) {
    const auto report =
        store_.replica().load(store_collection(collection), [&](store::FeedItem&& stored) {
          auto item = contract::decode_item(collection, stored.body);
          if (item) {
            take(std::move(*item));
          } else {
            ++counters_.feed_set_aside;
          }
        });
    must(report, "the CRM's data");
  };
  load_consents();
  load_desk_consents();
  must(note_pinned(now), "the CRM's keys");
  Effects effects;
  load_items(contract::Collection::policy, [&](contract::Item&& item) {
    effects.append(pipeline_.handle(event::PolicyReplaced{std::get<Policy>(std::move(item))}, now));
  });
  std::vector<Campaign> campaigns;
  load_items(contract::Collection::campaigns, [&](contract::Item&& item) {
    campaigns.push_back(std::get<Campaign>(std::move(item)));
  });
  effects.append(pipeline_.handle(event::CampaignsReplaced{std::move(campaigns)}, now));

  const auto controls = store_.registers().controls();
  must(controls, "paused functions");
  for (const auto& control : *controls) {
    if (const auto function = function_from_string(control.function)) {
      effects.append(pipeline_.handle(event::PauseChanged{*function, control.paused}, now));
    }
  }

  const auto states = store_.journal().states();
  must(states, "open visits");
  const auto restored = pipeline_.restore(*states, now);
  if (restored.unreadable > 0) {
    spdlog::warn("{} stored rows could not be read and were left out", restored.unreadable);
  }
  if (const auto left = store_.registers().get(kRehearsalRegister); left && *left) {
    std::istringstream visits(**left);
    for (std::string visit; visits >> visit;) rehearsal_leftovers_.emplace_back(visit);
    rehearsal_register_ = **left;
  }
  load_learnt();
  begin_recording(now);
  effects.append(ask(event::Tick{}, now));
  carry_out(std::move(effects), now, {});
  load_identities(now);
  refresh_gallery(now);
  report_erasures(now);
  footing_ = pipeline_.gate().footing(now);
  if (const auto& report = store_.open_report(); report.set_aside) {
    tell_health({"store",
                 "failed",
                 "a damaged database was set aside: " + report.set_aside_why,
                 {{"rows_saved", static_cast<std::int64_t>(report.salvaged_rows)}}},
                now);
  }
  malloc_trim(0);  // reading it all in took more than what is kept
}

// ---- what comes in ----

void Engine::handle(const Input& input, const Now& now) {
  std::visit([&](const auto& what) { on(what, now); }, input);
}

void Engine::on(const input::Adverts& adverts, const Now& now) {
  ingress_ = adverts.ingress;
  for (const auto& report : adverts.reports) {
    auto claims = tracker_.handle(report, now);
    if (listener_) listener_(report, now);
    for (auto& found : claims) claim(std::move(found), now);
  }
  ingress_.reset();
}

void Engine::on(const input::Face& face, const Now& now) {
  // A match against an older gallery may be of somebody who has withdrawn since.
  if (face.match.generation != gallery_generation_) return;
  ++counters_.face_matches;
  ingress_ = face.ingress;
  IdentityClaim found;
  found.customer = face.match.customer;
  found.source = ClaimSource::face;
  found.fast = found.settled = face.zone;
  found.similarity = face.match.similarity;
  found.track = face.match.track;
  found.at = face.match.at;
  claim(std::move(found), now);
  ingress_.reset();
  note_view(face.match);
}

// Not while nothing can be kept, and not on consents that the CRM is about to change.
bool Engine::decides(const Now& now) const {
  return store_trouble_.empty() && (uplink_.heard || now.mono >= uplink_.patience);
}

void Engine::claim(IdentityClaim claim, const Now& now) {
  if (!decides(now)) {
    ++counters_.held_back;
    return;
  }
  decide(event::Claim{std::move(claim)}, now);
}

void Engine::on(const input::FromLink& from, const Now& now) {
  LinkSide& link = side(from.link);
  const auto name = contract::to_string(from.link);
  std::visit(
      [&](const auto& what) {
        using What = std::decay_t<decltype(what)>;
        if constexpr (std::is_same_v<What, sync::LinkUp>) {
          spdlog::info("{} is up", name);
          link = {.up = true,
                  .window = std::min(settings_.uplink_window, what.receive_maximum),
                  .patience = now.mono + settings_.crm_speaks_first};
          if (from.link == contract::LinkName::uplink) {
            receiver_.reset_snapshots();
            say_hello();
          }
          if (from.link == contract::LinkName::floor) show_rehearsal_again(now);
          publish_floor_status(now);
          pump(from.link, now);
        } else if constexpr (std::is_same_v<What, sync::LinkDown>) {
          if (link.up || link.why_down != what.reason) {
            spdlog::warn("{} is down: {}; trying again", name, what.reason);
          }
          forget_acked(from.link, now);
          link = {.why_down = what.reason};
          store_.outbox().release(store_link(from.link));
          publish_floor_status(now);
        } else if constexpr (std::is_same_v<What, sync::Acked>) {
          if (what.tag != kNoRow) on_acked(from.link, what, now);
        } else if constexpr (std::is_same_v<What, sync::Refused>) {
          if (what.tag != kNoRow) on_refused(from.link, what, now);
        } else {
          ingress_ = from.ingress;
          on_message(from.link, what, now);
          ingress_.reset();
        }
      },
      from.event);
}

void Engine::on_message(contract::LinkName link, const contract::RawMessage& raw, const Now& now) {
  auto message =
      contract::decode_for_box(settings_.box, raw, settings_.crm_keys ? &keys_ : nullptr);
  if (!message) {
    auto& refused = counters_.inbound_refused[std::string(word(message.error().code))];
    ++refused;
    if (link == contract::LinkName::uplink && message.error().code == ErrorCode::refused) {
      ++refused_untold_[std::string(word(message.error().code))];
    }
    // Thousands a second must not fill the log.
    if (now.mono >= next_refusal_told_) {
      next_refusal_told_ = now.mono + kTellRefusedEvery;
      spdlog::warn("message from {} refused: {} ({} so far)", contract::to_string(link),
                   message.error().message, refused);
    }
    return;
  }
  std::visit(
      [&](auto&& what) {
        using What = std::decay_t<decltype(what)>;
        if constexpr (std::is_same_v<What, contract::FeedBatch>) {
          on_feed(std::forward<decltype(what)>(what), now);
        } else if constexpr (std::is_same_v<What, contract::Control>) {
          on_control(what, raw.payload, now);
        } else if constexpr (std::is_same_v<What, contract::Command>) {
          on_command(what, now);
        } else if constexpr (std::is_same_v<What, contract::StoreWord>) {
          if (what.offer) {
            decide(event::OfferTold{*what.offer, what.box == settings_.box.box, what.kept}, now);
          } else {
            decide(event::OfferTakenBack{what.decision}, now);
          }
        } else if constexpr (std::is_same_v<What, StaffAction>) {
          if (rehearsal_ && rehearsal_->has(what.visit)) {
            return show_rehearsal(rehearsal_->staff(what, now), now);
          }
          decide(event::Staff{std::forward<decltype(what)>(what)}, now);
        } else if constexpr (std::is_same_v<What, contract::FloorRanging>) {
          if (!neighbours_) return;
          for (auto& found : neighbours_->hear(what, tracker_, now)) claim(std::move(found), now);
        } else {
          on_enrol(what, now);
        }
      },
      std::move(*message));
}

void Engine::talk_to_neighbours(const Now& now) {
  if (!neighbours_ || !floor_.up || !neighbours_->due(tracker_, now)) return;
  Neighbours::Visits visits;
  for (const auto& visit : pipeline_.visits()) visits.emplace(visit.customer, visit.visit);
  const auto word = neighbours_->tell(tracker_, visits, now);
  std::set<VisitId> elsewhere;
  for (const auto& [customer, visit] : visits) {
    if (told_elsewhere(customer, visit, now)) elsewhere.insert(visit);
  }
  told_elsewhere_ = std::move(elsewhere);

  // News of a quarter of a second: lost is lost.
  (void)ports_.publish(contract::encode_ranging(word), kNoRow, std::nullopt);
}

std::string Engine::visit(const CustomerId& customer) {
  if (neighbours_) {
    if (const auto led = neighbours_->visit_elsewhere(customer, tracker_, asked_)) {
      return led->str();
    }
  }
  return ids_.next();
}

// Whether the box that leads tells the CRM of this visit. When she has left nobody leads any more,
// and the visit goes on for a while: then what was is what counts.
bool Engine::told_elsewhere(const CustomerId& customer, const VisitId& visit, const Now& now) {
  if (!neighbours_) return false;
  if (const auto led = neighbours_->visit_elsewhere(customer, tracker_, now)) {
    if (*led == visit) {
      told_elsewhere_.insert(visit);
    } else {
      told_elsewhere_.erase(visit);
    }
  } else if (tracker_.leads(customer)) {
    told_elsewhere_.erase(visit);
  }
  return told_elsewhere_.contains(visit);
}

void Engine::report_copies(const Now& now) {
  for (const auto& customer : tracker_.take_copied()) {
    spdlog::warn("an identity was copied: two devices send it; for a while it proves nothing");
    const auto noted = store_.audit().append(now, "copy", "box", customer, "identity in doubt");
    if (!noted) store_failed(noted.error());
  }
}

void Engine::on_control(const contract::Control& control, const std::string& body, const Now& now) {
  const auto name = std::string(to_string(control.function));
  const auto kept = store_.registers().put_control(
      {control.store, name, static_cast<std::int64_t>(control.seq), control.paused, body});
  if (!kept) return store_failed(kept.error());
  if (!*kept) return;  // an older word, or one we have: it comes again with every connect
  came_further(now);
  // Paused for this store or for all stores: either is enough.
  const auto controls = store_.registers().controls();
  if (!controls) return store_failed(controls.error());
  const bool paused = std::any_of(controls->begin(), controls->end(), [&](const auto& row) {
    return row.function == name && row.paused;
  });
  spdlog::warn("{} {} by head office", name, paused ? "paused" : "resumed");
  decide(event::PauseChanged{control.function, paused}, now,
         [&] { (void)store_.audit().append(now, "pause", "crm", {}, name); });
  publish_floor_status(now);
}

void Engine::on_acked(contract::LinkName name, const sync::Acked& acked, const Now& now) {
  LinkSide& link = side(name);
  if (link.in_flight > 0) --link.in_flight;
  link.acked.push_back(acked.tag);
  // Many at once are one transaction: at the latest when half of the window is free again.
  if (link.in_flight <= link.window / 2) forget_acked(name, now);
  pump(name, now);
}

void Engine::on_refused(contract::LinkName name, const sync::Refused& refused, const Now& now) {
  ++counters_.messages_refused;
  spdlog::warn("{} refused a message, reason code {}", contract::to_string(name), refused.code);
  // A message that the broker will never take must not hold up those behind it.
  if (refused.for_good) return on_acked(name, {refused.tag}, now);
  LinkSide& link = side(name);
  if (link.in_flight > 0) --link.in_flight;
  link.held = now.mono + kRefusedPause;
  store_.outbox().release_row(refused.tag);
}

void Engine::forget_acked(contract::LinkName name, const Now& now) {
  const auto rows = std::exchange(side(name).acked, {});
  if (rows.empty()) return;
  Effects effects;
  const auto notes = store_.outbox().acked(rows);
  if (!notes) return store_failed(notes.error());
  for (const auto& note : *notes) {
    ++counters_.messages_acked;
    if (const auto way = in_the_way_.find(note.ref); way != in_the_way_.end()) {
      latency_.add(std::chrono::duration_cast<Latency::Duration>(steady_now() - way->second));
      in_the_way_.erase(way);
    }
    if (note.kind == kind::kOffer || note.kind == kind::kSurvey) {
      effects.append(ask(event::DecisionSent{DecisionId(note.ref)}, now));
    }
  }
  carry_out(std::move(effects), now, {});
}

void Engine::say_hello(bool confirms) {
  confirm_at_.reset();
  contract::Hello hello;
  hello.confirms = confirms;
  if (const auto controls = store_.registers().controls()) {
    for (const auto& row : *controls) {
      hello.control = std::max(hello.control, static_cast<std::uint64_t>(row.seq));
    }
  }
  hello.session = static_cast<std::uint64_t>(session_);
  hello.version = settings_.version;
  hello.have = receiver_.have();
  ports_.publish(contract::encode_hello(settings_.box, hello), kNoRow, std::nullopt);
}

// ---- deciding ----

Effects Engine::ask(const Event& event, const Now& now, std::string_view item) {
  asked_ = now;
  recorder_.before(event, pipeline_, *this, now);
  Effects effects = pipeline_.handle(event, now);
  recorder_.after(event, item, effects, now);
  return effects;
}

void Engine::decide(const Event& event, const Now& now, const std::function<void()>& also) {
  carry_out(ask(event, now), now, also);
}

void Engine::begin_recording(const Now& now) {
  if (!recorder_.wants_to_begin(pipeline_, now)) return;
  auto rows = store_.journal().states();
  if (!rows) return store_failed(rows.error());
  recording::Recorder::Beginning beginning;
  beginning.box = settings_.box.box;
  beginning.session = session_;
  beginning.settings = settings_.pipeline;
  beginning.rows = std::move(*rows);
  for (auto& [key, body] : items_of(contract::Collection::campaigns)) {
    beginning.campaigns.push_back(std::move(body));
  }
  for (auto& [key, body] : items_of(contract::Collection::policy))
    beginning.policy = std::move(body);
  recorder_.begin(beginning, pipeline_, *this, now);
}

bool Engine::carry_out(Effects effects, const Now& now, const std::function<void()>& also) {
  const bool writes = also || !effects.visits.empty() || !effects.decisions.empty() ||
                      !effects.prompts.empty() || !effects.prompts_cleared.empty() ||
                      !effects.staff.empty() || !effects.consents.empty() ||
                      !effects.withdrawn_decisions.empty() || !effects.rows.empty() ||
                      !effects.tell_store.empty() || !effects.untell_store.empty();
  bool written = true;
  if (writes) {
    const auto done = store_.transaction([&] {
      if (also) also();
      write(effects, now);
    });
    written = done.has_value();
    if (!done) {
      store_failed(done.error());
      could_not_store(effects, now);
    }
  }
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
  if (effects.wake_at) wake_at_ = effects.wake_at;
  for (const auto& consent : effects.consents) {
    profiles_.erase(consent.customer);
    if (consent.forgotten) desk_consents_.erase(consent.customer);
  }
  const bool loadable = effects.loadable_changed || !effects.loadable_customers.empty();
  if (effects.loadable_changed) {
    refresh_identities(now);
  } else if (loadable) {
    refresh_identities(effects.loadable_customers, now);
  }
  if (effects.face_candidates) face_candidates_ = *effects.face_candidates;
  const bool refuted = std::any_of(effects.staff.begin(), effects.staff.end(),
                                   [](const auto& outcome) { return outcome.lowers_face_trust; });
  if (effects.face_candidates || loadable || refuted) refresh_gallery(now);
  if (!effects.visits.empty()) publish_floor_status(now);
  if (writes) {
    pump(contract::LinkName::floor, now);
    pump(contract::LinkName::uplink, now);
  }
  return written;
}

// Inside the transaction.
void Engine::write(const Effects& effects, const Now& now) {
  auto& outbox = store_.outbox();
  auto& journal = store_.journal();

  for (const auto& consent : effects.consents) {
    (void)store_.audit().append(
        now, "consent", consent_by_, consent.customer,
        std::string(to_string(consent.purpose)) + (consent.given ? " given" : " withdrawn"));
    if (consent.given) continue;
    if (consent.forgotten) {
      (void)outbox.remove(consent.customer, {});
      (void)store_.people().remove_templates(consent.customer);
      continue;
    }
    if (const auto at = pipeline_.gate().standing(consent.customer, consent.purpose).withdrawn_at) {
      (void)store_.people().note_withdrawal(consent.customer, consent.purpose, *at);
    }
    static constexpr std::string_view kOffers[] = {kind::kOffer, kind::kSurvey};
    static constexpr std::string_view kPersonal[] = {kind::kOffer};
    static constexpr std::string_view kPrompts[] = {kind::kPrompt};
    static constexpr std::string_view kVisits[] = {kind::kVisit, kind::kReport};
    switch (consent.purpose) {
      case Purpose::proximity_offers:
        (void)outbox.remove(consent.customer, kOffers);
        break;
      case Purpose::face_recognition:
        (void)store_.people().remove_templates(consent.customer);
        break;
      case Purpose::preference_prompts:
        (void)outbox.remove(consent.customer, kPrompts);
        break;
      case Purpose::personalised_offers:
        (void)outbox.remove(consent.customer, kPersonal);
        break;
      case Purpose::visit_analytics:
        (void)outbox.remove(consent.customer, kVisits);
        break;
    }
  }
  for (const auto& decision : effects.withdrawn_decisions) (void)outbox.remove_ref(decision.str());
  for (const auto& offer : effects.tell_store) {
    enqueue(contract::encode_store_word({offer.decision, settings_.box.box, false, offer}),
            kind::kTold, "store:" + offer.decision.str(), {}, {}, now);
  }
  for (const auto& decision : effects.untell_store) {
    enqueue(contract::encode_store_word({decision, settings_.box.box, false, {}}), kind::kTold,
            "store:" + decision.str(), {}, {}, now);
  }

  // `id` empty: a new one.
  const auto up = [&](const auto& what, const CustomerId& customer, WallTime at,
                      std::string_view word, const std::string& ref, MessageId id = {},
                      std::optional<WallTime> expires = {},
                      std::optional<WallTime> not_before = {}) {
    if (id.empty()) id = MessageId(ids_.next());
    const auto message = contract::encode_event(
        settings_.box, {std::move(id), at, customer, contract::news(what), settings_.box});
    enqueue(message, word, ref, expires, not_before, now);
  };

  for (const auto& v : effects.visits) {
    (void)journal.put_visit({v.visit, v.customer, v.started_at,
                             v.kind == VisitEvent::Kind::ended ? std::optional(v.at) : std::nullopt,
                             visit_detail(v)});  // write_timelines() adds the rest
    if (v.report && !told_elsewhere(v.customer, v.visit, now)) {
      up(v, v.customer, v.at, kind::kVisit, v.visit.str());
    }
    if (v.kind == VisitEvent::Kind::confirmed) confirmed_.insert(v.customer);
    if (v.kind == VisitEvent::Kind::ended) age_template(v, now);
  }
  for (const auto& d : effects.decisions) {
    (void)journal.add_decision({d.id, d.visit, d.customer, d.at, std::string(to_string(d.kind)),
                                std::string(to_string(d.reason)), explain_text(d)});
    if (!d.report) continue;
    if (d.made() && d.kind != DecisionKind::prompt) {
      // The event of an offer carries the decision's own id: it can never be told twice.
      up(d, d.customer, d.at, d.kind == DecisionKind::offer ? kind::kOffer : kind::kSurvey,
         d.id.str(), MessageId(d.id.str()), d.expires_at,
         d.waits_for_store ? d.expires_at : d.not_before);
    } else if (!told_elsewhere(d.customer, d.visit, now)) {
      up(d, d.customer, d.at, kind::kReport, d.id.str());
    }
  }
  for (const auto& outcome : effects.staff) {
    if (outcome.lowers_face_trust) {
      (void)store_.people().refute_templates(outcome.customer);
      // It may have learnt from somebody else's face.
      (void)store_.people().remove_aged(outcome.customer);
      views_.erase(outcome.customer);
    }
    if (told_elsewhere(outcome.customer, outcome.action.visit, now)) continue;
    up(outcome, outcome.customer, outcome.action.at, kind::kStaff, outcome.action.id);
  }
  write_timelines(effects);
  // One guest, one card: the box that leads shows it, and whose camera has confirmed her.
  const auto shown_elsewhere = [&](const VisitId& visit) {
    return neighbours_ && neighbours_->is_led_elsewhere(visit, now);
  };
  for (const auto& p : effects.prompts) {
    if (p.level != Level::confirmed && shown_elsewhere(p.visit)) continue;
    const auto message = contract::encode_prompt(p);
    enqueue(message, kind::kPrompt, p.visit.str(), p.expires_at, {}, now);
  }
  for (const auto& visit : effects.prompts_cleared) {
    if (shown_elsewhere(visit)) continue;
    enqueue(contract::encode_prompt_cleared(visit, {}), kind::kPrompt, visit.str(), {}, {}, now);
  }
  for (const auto& row : effects.rows) (void)journal.put_state(row, now.wall);
  for (const auto& [decision, not_before] : effects.let_go) {
    (void)outbox.hold_until(decision.str(), not_before);
  }
  // Last, so that the end of her visit goes with the visit.
  for (const auto& consent : effects.consents) {
    if (!consent.given) {
      recorder_.forget(consent.customer);
      if (!consent.forgotten) withdraw_from_timelines(consent);
    }
    if (!consent.given && (consent.forgotten || consent.purpose == Purpose::proximity_offers)) {
      (void)journal.erase_sightings(consent.customer);
    }
  }
}

void Engine::enqueue(const contract::Message& message, std::string_view what, std::string ref,
                     std::optional<WallTime> expires, std::optional<WallTime> not_before,
                     const Now& now) {
  if (ingress_) in_the_way_.try_emplace(ref, *ingress_);
  store::OutboxRow row;
  row.id = message.id.empty() ? MessageId(ids_.next()) : message.id;
  row.link = store_link(message.link);
  row.topic = message.topic;
  row.payload = message.payload;
  row.content_type = message.content_type;
  row.qos = static_cast<std::uint8_t>(message.qos);
  row.retain = message.retain;
  row.priority = static_cast<std::uint8_t>(message.priority);
  row.customer = message.customer;
  row.kind = what;
  row.ref = std::move(ref);
  row.created = now.wall;
  row.not_before = not_before;
  row.expires = expires ? expires : message.expires_at;
  (void)store_.outbox().enqueue(row);
}

void Engine::pump(contract::LinkName name, const Now& now) {
  LinkSide& link = side(name);
  // What was withdrawn may still stand there.
  if (!store_trouble_.empty()) return;
  if (link.held && *link.held > now.mono) return;
  link.held.reset();
  // A broker acknowledges what nobody subscribed to, and throws it away: first the CRM must speak.
  if (name == contract::LinkName::uplink && !link.heard) return;
  while (link.up && link.in_flight < link.window) {
    const auto rows = store_.outbox().take(store_link(name), link.window - link.in_flight, now);
    if (!rows) return store_failed(rows.error());
    if (rows->empty()) return;
    bool full = false;
    for (const auto& row : *rows) {
      contract::Message message;
      message.id = row.id;
      message.link = name;
      message.topic = row.topic;
      message.payload = row.payload;
      message.qos = row.qos;
      message.retain = row.retain;
      message.content_type = row.content_type;
      message.response_topic = row.response_topic;
      message.correlation = row.correlation;
      std::optional<std::chrono::seconds> expiry;
      if (row.expires) {
        expiry = std::max(1s, std::chrono::ceil<std::chrono::seconds>(*row.expires - now.wall));
      }
      if (!ports_.publish(std::move(message), row.row, expiry)) {
        full = true;
        store_.outbox().release_row(row.row);
        continue;
      }
      ++link.in_flight;
    }
    if (full) return;  // the link says when there is room
  }
}

// ---- rehearsal ----

Result<json> Engine::start_rehearsal(const Now& now) {
  if (rehearsal_) return fail(ErrorCode::refused, "a rehearsal is running");
  rehearsal_.emplace(ids_, pipeline_.policy(), now);
  spdlog::warn("rehearsal started: invented customers on the tablets");
  (void)store_.audit().append(now, "rehearsal", "technician", {}, "started");
  show_rehearsal(rehearsal_->advance(now), now);
  publish_floor_status(now);
  return json{{"rehearsal", true}};
}

Result<json> Engine::stop_rehearsal(const Now& now) {
  if (!rehearsal_) return fail(ErrorCode::refused, "no rehearsal is running");
  show_rehearsal(rehearsal_->stop(now), now);
  rehearsal_.reset();
  rehearsal_wake_.reset();
  spdlog::warn("rehearsal ended");
  (void)store_.audit().append(now, "rehearsal", "technician", {}, "ended");
  publish_floor_status(now);
  return json{{"rehearsal", false}};
}

// Straight to the tablets: nothing of it is in the outbox or in any table, but for the ids of what
// is shown, so that a box that is killed can take it away when it is back.
void Engine::show_rehearsal(const Effects& effects, const Now& now) {
  for (const auto& prompt : effects.prompts) {
    rehearsal_prompts_[prompt.visit] = contract::encode_prompt(prompt);
    if (floor_.up) publish_rehearsal(rehearsal_prompts_[prompt.visit], now);
  }
  for (const auto& visit : effects.prompts_cleared) {
    rehearsal_prompts_.erase(visit);
    rehearsal_leftovers_.push_back(visit);
  }
  if (floor_.up) clear_rehearsal_leftovers();
  if (effects.wake_at) rehearsal_wake_ = effects.wake_at;
  std::string shown;
  for (const auto& [visit, prompt] : rehearsal_prompts_) shown += visit.str() + " ";
  for (const auto& visit : rehearsal_leftovers_) shown += visit.str() + " ";
  if (shown == rehearsal_register_) return;
  rehearsal_register_ = shown;
  (void)store_.registers().put(kRehearsalRegister, shown);
}

void Engine::show_rehearsal_again(const Now& now) {
  for (const auto& [visit, prompt] : rehearsal_prompts_) publish_rehearsal(prompt, now);
  if (!rehearsal_leftovers_.empty()) show_rehearsal(Effects{}, now);
}

void Engine::publish_rehearsal(const contract::Message& prompt, const Now& now) {
  ports_.publish(prompt, kNoRow,
                 std::chrono::ceil<std::chrono::seconds>(*prompt.expires_at - now.wall));
}

void Engine::clear_rehearsal_leftovers() {
  for (const auto& visit : std::exchange(rehearsal_leftovers_, {})) {
    ports_.publish(contract::encode_prompt_cleared(visit, {}), kNoRow, std::nullopt);
  }
}

// ---- who may be recognised ----

// At start: everybody at once.
void Engine::load_identities(const Now& now) {
  listened_for_.clear();
  to_fetch_.clear();
  for (auto& customer : pipeline_.gate().loadable_keys(now)) {
    listened_for_.insert(std::move(customer));
  }
  const auto count = store_.replica().count(store::Collection::identities);
  if (!count) return store_failed(count.error());
  std::vector<beacon::IdentityKey> keys;
  std::int64_t known = 0;
  auto loaded =
      store_.replica().load_briefs(store::Collection::identities, [&](store::FeedItem&& stored) {
        auto key = key_of_brief(stored.customer, stored.brief);
        known += key ? 1 : 0;
        if (key && listened_for_.contains(stored.customer)) keys.push_back(std::move(*key));
      });
  if (loaded && known < *count) {
    // Some came without a brief, by an older version.
    keys.clear();
    loaded = store_.replica().load(store::Collection::identities, [&](store::FeedItem&& stored) {
      if (!listened_for_.contains(stored.customer)) return;
      if (const auto item = contract::decode_item(contract::Collection::identities, stored.body)) {
        keys.push_back(key_of(std::get<IdentityItem>(*item)));
      }
    });
  }
  if (!loaded) return store_failed(loaded.error());
  tracker_.set_identities(std::move(keys), now, learnt_);
  forget_unknown_devices(now);
}

// The gate has changed for anybody.
void Engine::refresh_identities(const Now& now) {
  std::unordered_set<CustomerId> gone = std::exchange(listened_for_, {});
  for (auto& customer : pipeline_.gate().loadable_keys(now)) {
    if (gone.erase(customer) == 0) to_fetch_.insert(customer);
    listened_for_.insert(std::move(customer));
  }
  for (const auto& customer : gone) to_fetch_.erase(customer);
  unload_identities(gone, now);
  fetch_identities(now);
}

// Keys of those who may no longer be listened for go at once, new ones come in their turn.
void Engine::refresh_identities(const std::vector<CustomerId>& customers, const Now& now) {
  std::unordered_set<CustomerId> gone;
  for (const auto& customer : customers) {
    if (pipeline_.gate().permits(customer, Purpose::proximity_offers, now)) {
      listened_for_.insert(customer);
      to_fetch_.insert(customer);
    } else {
      to_fetch_.erase(customer);
      if (listened_for_.erase(customer) > 0) gone.insert(customer);
    }
  }
  unload_identities(gone, now);
  fetch_identities(now);
}

void Engine::unload_identities(const std::unordered_set<CustomerId>& gone, const Now& now) {
  if (gone.empty()) return;
  tracker_.update_identities(gone, {}, now);
  // Before the last who may be is loaded, unknown does not mean gone.
  if (to_fetch_.empty()) forget_unknown_devices(now);
}

// With a hundred thousand customers at once, decisions come in between.
void Engine::fetch_identities(const Now& now) {
  if (to_fetch_.empty() || now.mono < next_fetch_) return;
  if (to_fetch_.size() > kFetchFreely) next_fetch_ = now.mono + kFetchEvery;
  std::unordered_set<CustomerId> customers;
  std::vector<beacon::IdentityKey> keys;
  while (!to_fetch_.empty() && customers.size() < kFetchAtOnce) {
    const auto next = customers.insert(to_fetch_.extract(to_fetch_.begin())).position;
    const auto items = store_.replica().of_customer(store::Collection::identities, *next);
    if (!items) return store_failed(items.error());
    for (const auto& stored : *items) {
      if (auto item = contract::decode_item(contract::Collection::identities, stored.body)) {
        keys.push_back(key_of(std::get<IdentityItem>(*item)));
      }
    }
  }
  tracker_.update_identities(customers, std::move(keys), now, learnt_);
  if (to_fetch_.empty()) forget_unknown_devices(now);
}

bool Engine::looks_for_all(const Now& now) {
  switch (settings_.camera_wake) {
    case CameraWake::nearby:
      return false;
    case CameraWake::always:
      return true;
    case CameraWake::hours:
      break;
  }
  if (!now.wall_trusted) return false;
  if (const auto& zone = pipeline_.policy().time_zone; zone != store_zone_) {
    store_zone_ = zone;
    store_clock_ = StoreClock::open(zone).value_or(StoreClock());
  }
  return within(settings_.camera_hours, store_clock_.local(now.wall).time);
}

// Null if nobody of them has a template of our model.
Result<std::shared_ptr<const vision::Gallery>> Engine::gallery_of(
    const std::vector<FaceConsent>& consents, GalleryFor use) {
  vision::Gallery::Builder builder(settings_.face_model, settings_.face_operating_point);
  bool anybody = false;
  for (const FaceConsent& consent : consents) {
    const auto templates = store_.people().templates_of(consent.customer());
    if (!templates) return tl::unexpected(templates.error());
    for (const auto& row : *templates) {
      const auto face = vision::FaceTemplate::from_bytes(row.bytes);
      if (face && builder.add(consent, *face, row.refuted)) anybody = true;
    }
    if (use == GalleryFor::cameras && !templates->empty() && may_age(consent.customer())) {
      builder.let_age(consent);
    }
  }
  return anybody ? std::move(builder).build(gallery_generation_) : nullptr;
}

void Engine::refresh_gallery(const Now& now) {
  looking_for_all_ = looks_for_all(now);
  std::vector<FaceConsent> wanted;
  if (looking_for_all_) {
    wanted = pipeline_.gate().loadable_faces(now);
  } else {
    for (const auto& customer : face_candidates_) {
      if (auto consent = pipeline_.gate().face_consent(customer, now)) {
        wanted.push_back(std::move(*consent));
      }
    }
  }
  // Whatever happens, matches against the gallery before do not count any more.
  ++gallery_generation_;
  auto gallery = gallery_of(wanted, GalleryFor::cameras);
  if (!gallery) store_failed(gallery.error());
  ports_.look_for(gallery ? std::move(*gallery) : nullptr);
}

// ---- timers ----

void Engine::tick(const Now& now) {
  fetch_identities(now);
  hello_if_due(now);
  confirm_if_due(now);
  for (const auto link : {contract::LinkName::floor, contract::LinkName::uplink})
    forget_acked(link, now);
  for (auto& found : tracker_.tick(now)) claim(std::move(found), now);
  talk_to_neighbours(now);
  if (wake_at_ && *wake_at_ <= now.mono && decides(now)) {
    wake_at_.reset();
    decide(event::Tick{}, now);
  }
  if (rehearsal_ && rehearsal_wake_ && *rehearsal_wake_ <= now.mono) {
    show_rehearsal(rehearsal_->advance(now), now);
  }
  if (now.mono < next_housekeeping_) return;
  next_housekeeping_ = now.mono + kHousekeepingEvery;

  if (!store_trouble_.empty()) try_store_again(now);
  watch_footing(now);
  tell_refusals(now);
  if (now.wall_trusted && now.mono >= next_wall_write_) {
    next_wall_write_ = now.mono + kWriteWallEvery;
    const auto kept = store_.registers().put(kWallRegister, std::to_string(to_ms(now.wall)));
    if (!kept) store_failed(kept.error());
  }
  if (const auto expired = store_.outbox().expire(now); !expired) {
    store_failed(expired.error());
  } else {
    for (const auto& note : *expired) {
      ++counters_.messages_expired;
      in_the_way_.erase(note.ref);
      if (note.kind == kind::kOffer || note.kind == kind::kSurvey) {
        decide(event::DecisionExpired{DecisionId(note.ref)}, now);
      }
    }
  }
  report_copies(now);
  keep_learnt(now);
  end_late_enrolments(now);
  if (looks_for_all(now) != looking_for_all_) refresh_gallery(now);
  pump(contract::LinkName::floor, now);
  pump(contract::LinkName::uplink, now);
  begin_recording(now);
  recorder_.flush(now);
  if (const auto more = store_.maintain(now); !more) store_failed(more.error());
  if (now.mono >= next_retention_) {
    next_retention_ = now.mono + kRetentionEvery;
    const auto gone = store_.registers().apply_retention(store::Retention{}, now);
    if (!gone) store_failed(gone.error());
    recorder_.apply_retention(now);
    drop_old_desk_consents(now);
  }
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
  const auto noted = store_.transaction([&] {
    (void)store_.registers().put(kConfigRegister, is.dump());
    (void)store_.audit().append(now, "config", "technician", {}, changed);
  });
  if (!noted) store_failed(noted.error());
}

void Engine::stopping(const Now& now) {
  keep_learnt(now);
  recorder_.flush(now);
  for (const auto link : {contract::LinkName::floor, contract::LinkName::uplink})
    forget_acked(link, now);
  if (now.wall_trusted) {
    (void)store_.registers().put(kWallRegister, std::to_string(to_ms(now.wall)));
  }
}

// ---- helpers ----

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

void Engine::publish_floor_status(const Now& now) {
  if (!floor_.up) {
    floor_status_.clear();
    return;
  }
  contract::FloorStatus status;
  status.store = settings_.box.store;
  status.box = settings_.box.box;
  status.link_up = uplink_.up;
  const auto visits = pipeline_.visits();
  status.in_store = static_cast<int>(
      std::count_if(visits.begin(), visits.end(), [](const auto& v) { return v.in_store; }));
  for (const auto function : kAllFunctions) {
    if (pipeline_.gate().paused(function)) {
      status.paused.push_back(function);
    }
  }
  if (footing_ == ConsentFooting::crm_silent)
    status.trouble.push_back(contract::Trouble::crm_silent);
  if (footing_ == ConsentFooting::clock_not_set) {
    status.trouble.push_back(contract::Trouble::clock_not_set);
  }
  if (!store_trouble_.empty()) status.trouble.push_back(contract::Trouble::store);
  status.rehearsal = rehearsal_.has_value();
  status.version = settings_.version;
  const std::string without_time = contract::encode_floor_status(status).payload;
  if (without_time == floor_status_) return;
  status.at = now.wall;
  if (ports_.publish(contract::encode_floor_status(status), kNoRow, std::nullopt)) {
    floor_status_ = without_time;
  }
}

Engine::LinkSide& Engine::side(contract::LinkName link) {
  return link == contract::LinkName::uplink ? uplink_ : floor_;
}

}  // namespace welcome::daemon
