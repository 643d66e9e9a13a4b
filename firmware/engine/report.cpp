// SPDX-License-Identifier: Apache-2.0
#include "firmware/engine/report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "contract/message.h"
#include "contract/signing.h"
#include "firmware/engine/clock_report.h"
#include "firmware/engine/convert.h"

namespace welcome::daemon {

namespace {

using nlohmann::json;

constexpr std::size_t kListed = 200;

double to_ms(Latency::Duration duration) { return static_cast<double>(duration.count()) / 1000.0; }

json link_json(const Delivery::Side& side, bool heard) {
  json out{{"state", side.up ? "up" : "down"}, {"in_flight", side.in_flight}};
  if (!side.up) out["why"] = side.why_down;
  if (side.up && !heard) {
    out["why"] = "the broker is there, the CRM has not spoken yet: events wait";
  }
  return out;
}

// One decision, as a person reads it.
void explain(const store::DecisionRow& row, json& lines) {
  const json explained = json::parse(row.explain, nullptr, false);
  const bool made = row.reason == to_string(Reason::made);
  const auto reason = reason_from_string(row.reason);
  std::string head = contract::to_rfc3339(row.at) + "  " + row.kind +
                     (made ? " made" : " suppressed: " + row.reason);
  if (!made && reason) head += " (" + std::string(plain_words(*reason)) + ")";
  if (explained.is_object() && !explained.value("campaign", "").empty()) {
    head += ", campaign " + explained.value("campaign", "");
    if (!explained.value("variant", "").empty())
      head += ", variant " + explained.value("variant", "");
  }
  lines.push_back(head);
  lines.push_back("    decision " + row.id.str() + ", customer " + row.customer.str());
  if (!explained.is_object()) return;
  for (const auto& step : explained.value("steps", json::array())) {
    const std::string detail = step.value("detail", "");
    lines.push_back(std::string(step.value("passed", false) ? "    yes  " : "    no   ") +
                    step.value("rule", "") + (detail.empty() ? "" : ": " + detail));
  }
}

}  // namespace

// ---- status ----

json Report::vitals(const Now& now) const {
  json paused = json::array();
  for (const auto function : kAllFunctions) {
    if (pipeline().gate().paused(function)) paused.push_back(to_string(function));
  }
  return {
      {"box", box()},
      {"clock", clock_report(about_.shared.ports.clock())},
      {"links", links()},
      {"crm", crm()},
      {"radio", radio()},
      {"consents", consents(now)},
      {"visits", visits_now()},
      {"paused", std::move(paused)},
      {"paused_here", about_.pauses.words()},
      {"rehearsal", about_.rehearsal.running()},
      {"decisions", decided()},
      {"store", {{"trouble", about_.health.trouble()}}},
  };
}

json Report::status(const Now& now) const {
  json out = vitals(now);
  out["crm"]["feed"] = feed();
  out["neighbours"] = about_.neighbours ? about_.neighbours->status(now) : json();
  out["gate"] = gate();
  out["recording"] = about_.recorder.recording();
  out["faces"] = {{"matches", about_.shared.counters.face_matches}};
  out["outbox"] = outbox_now();
  out["store"].update(store_now());
  out["latency_ms"] = latency();
  return out;
}

json Report::box() const {
  const auto& settings = about_.shared.settings;
  const auto key = about_.signer.public_key();
  return {{"tenant", settings.box.tenant},
          {"store", settings.box.store},
          {"id", settings.box.box},
          {"version", settings.version},
          {"session", about_.shared.session},
          {"key_changing", settings.key_changing},
          {"public_key", contract::public_key_text(key)},
          {"fingerprint", contract::fingerprint(key)}};
}

json Report::links() const {
  const auto& uplink = about_.delivery.side(contract::LinkName::uplink);
  const auto& floor = about_.delivery.side(contract::LinkName::floor);
  return {{"uplink", link_json(uplink, uplink.heard.has_value())},
          {"floor", link_json(floor, true)}};
}

json Report::feed() const {
  json feed = json::object();
  for (const auto collection : contract::kAllCollections) {
    const auto kept = store_collection(collection);
    const auto state = store().replica().state(kept);
    const auto count = store().replica().count(kept);
    if (!state || !count) continue;
    feed[std::string(contract::to_string(collection))] = {{"items", *count}, {"seq", state->seq}};
  }
  return feed;
}

json Report::crm() const {
  const auto& counters = about_.shared.counters;
  const auto heard = pipeline().gate().last_heard();
  const std::string& region = about_.feed.region();
  return {{"last_heard", heard ? json(contract::to_rfc3339(*heard)) : json()},
          {"region", region.empty() ? json() : json(region)},
          {"items", counters.feed_items},
          {"gaps", counters.feed_gaps},
          {"heads_ahead", counters.heads_ahead},
          {"set_aside", counters.feed_set_aside},
          {"refused", counters.inbound_refused}};
}

json Report::radio() const {
  const beacon::Tracker& tracker = about_.tracker;
  json distance{{"immediate", 0}, {"near", 0}, {"far", 0}, {"unknown", 0}};
  for (const auto& customer : tracker.present_customers()) {
    const auto place = tracker.place(customer);
    auto& count =
        distance[place && place->distance ? beacon::to_string(*place->distance) : "unknown"];
    count = count.get<int>() + 1;
  }
  const auto& counters = tracker.counters();
  json heard = json::object();
  for (std::size_t i = 0; i < counters.heard.size(); ++i) {
    if (counters.heard[i] == 0) continue;
    heard[std::string(beacon::to_string(static_cast<beacon::AdvertType>(i)))] = counters.heard[i];
  }
  return {{"reports", counters.reports},
          {"identified", counters.identified},
          {"discarded", counters.discarded},
          {"copies", counters.copies},
          {"copied", counters.copied},
          {"impossible_power", counters.impossible_power},
          {"impossible_rssi", counters.impossible_rssi},
          {"replayed", tracker.resolver_counters().replayed},
          {"distance", std::move(distance)},
          {"heard", std::move(heard)}};
}

json Report::gate() const {
  json turned_away = json::object();
  for (std::size_t i = 0; i < kConsentVerdicts; ++i) {
    if (const auto n = pipeline().gate().turned_away()[i]; n > 0) {
      turned_away[std::string(to_string(static_cast<ConsentVerdict>(i)))] = n;
    }
  }
  return {{"turned_away", std::move(turned_away)},
          {"presence_refused", about_.shared.counters.presence_refused}};
}

json Report::consents(const Now& now) const {
  static constexpr const char* kFooting[] = {"firm", "CRM silent for too long", "clock not set"};
  return {{"footing", kFooting[static_cast<std::size_t>(pipeline().gate().footing(now))]},
          {"refused", about_.shared.counters.consents_refused},
          {"signatures_asked", about_.shared.settings.crm_keys.has_value()}};
}

json Report::visits_now() const {
  const auto visits = pipeline().visits();
  const auto in_store =
      std::count_if(visits.begin(), visits.end(), [](const auto& v) { return v.in_store; });
  return {{"in_store", in_store}, {"near", visits.size()}};
}

json Report::decided() const {
  const auto& counters = about_.shared.counters;
  return {{"offers", counters.offers},           {"prompts", counters.prompts},
          {"surveys", counters.surveys},         {"suppressed", counters.suppressed},
          {"campaigns", pipeline().campaigns()}, {"policy", pipeline().has_policy()}};
}

json Report::outbox_now() const {
  const auto waiting = store().outbox().count();
  const auto kept = store().registers().counters();
  const auto damaged = kept ? kept->find("outbox_damaged") : decltype(kept->end()){};
  const auto& counters = about_.shared.counters;
  return {{"uplink", waiting ? json(waiting->uplink) : json()},
          {"floor", waiting ? json(waiting->floor) : json()},
          {"acked", counters.messages_acked},
          {"at_broker", about_.delivery.side(contract::LinkName::uplink).at_broker.size()},
          {"sent_again", counters.sent_again},
          {"expired", counters.messages_expired},
          {"refused", counters.messages_refused},
          {"set_aside", counters.set_aside},
          {"damaged", kept && damaged != kept->end() ? damaged->second : 0}};
}

json Report::store_now() const {
  const auto size = store().size();
  const auto kept = store().registers().counters();
  const auto troubles = kept ? kept->find("store_troubles") : decltype(kept->end()){};
  return {{"bytes", size ? json(size->database_bytes + size->wal_bytes) : json()},
          {"customers", size ? json(size->customers) : json()},
          {"errors", about_.shared.counters.store_errors},
          {"troubles", kept && troubles != kept->end() ? troubles->second : 0},
          {"held_back", about_.shared.counters.held_back}};
}

json Report::latency() const {
  const Latency& latency = about_.delivery.latency();
  json buckets = json::array();
  for (std::size_t i = 0; i < Latency::kBounds.size(); ++i) {
    buckets.push_back({{"upto_ms", Latency::kBounds[i].count()}, {"count", latency.within(i)}});
  }
  buckets.push_back({{"upto_ms", nullptr}, {"count", latency.count()}});
  return {{"p50", to_ms(latency.percentile(0.5))},
          {"p95", to_ms(latency.percentile(0.95))},
          {"count", latency.count()},
          {"sum", to_ms(latency.sum())},
          {"buckets", std::move(buckets)}};
}

// ---- what is stored ----

json Report::visits() const {
  json rows = json::array();
  for (const auto& visit : pipeline().visits()) {
    std::string by;
    for (const auto& word : visit.by) by += (by.empty() ? "" : "+") + word;
    rows.push_back({{"visit", visit.visit.str()},
                    {"customer", visit.customer.str()},
                    {"zone", to_string(visit.zone)},
                    {"level", to_string(visit.level)},
                    {"by", by},
                    {"since", contract::to_rfc3339(visit.started_at)},
                    {"ended", nullptr}});
  }
  if (const auto stored = store().journal().visits(kListed)) {
    for (const auto& row : *stored) {
      if (!row.ended) continue;
      rows.push_back({{"visit", row.id.str()},
                      {"customer", row.customer.str()},
                      {"zone", nullptr},
                      {"level", json::parse(row.detail).value("level", "")},
                      {"by", nullptr},
                      {"since", contract::to_rfc3339(row.started)},
                      {"ended", contract::to_rfc3339(*row.ended)}});
    }
  }
  return rows;
}

json Report::decisions() const {
  json rows = json::array();
  if (const auto stored = store().journal().decisions(kListed)) {
    for (const auto& row : *stored) {
      rows.push_back({{"id", row.id.str()},
                      {"at", contract::to_rfc3339(row.at)},
                      {"kind", row.kind},
                      {"reason", row.reason},
                      {"customer", row.customer.str()},
                      {"visit", row.visit.str()}});
    }
  }
  return rows;
}

json Report::outbox() const {
  json rows = json::array();
  if (const auto waiting = store().outbox().peek(kListed)) {
    for (const auto& row : *waiting) {
      rows.push_back(
          {{"id", row.id.str()},
           {"link", store::to_string(row.link)},
           {"kind", to_string(row.kind)},
           {"priority", row.priority},
           {"bytes", row.payload.size()},
           {"created", contract::to_rfc3339(row.created)},
           {"expires", row.expires ? json(contract::to_rfc3339(*row.expires)) : json()}});
    }
  }
  return rows;
}

Result<json> Report::audit_trail() const {
  const auto entries = store().audit().show(kListed);
  if (!entries) return tl::unexpected(entries.error());
  json rows = json::array();
  for (const auto& entry : *entries) {
    rows.push_back({{"seq", entry.seq},
                    {"at", contract::to_rfc3339(entry.at)},
                    {"kind", entry.kind},
                    {"actor", entry.actor},
                    {"subject", entry.subject.substr(0, 12)},
                    {"detail", entry.detail}});
  }
  return rows;
}

Result<json> Report::audit_verdict() const {
  const auto verdict = store().audit().verify();
  if (!verdict) return tl::unexpected(verdict.error());
  const auto head = store().audit().head();
  json out{{"intact", verdict->intact}, {"entries", verdict->entries}};
  if (!verdict->intact) {
    out["first_bad"] = verdict->first_bad;
    out["problem"] = verdict->problem;
  }
  if (head)
    out["head"] = {{"seq", head->seq}, {"hash", head->hash}, {"signature", head->signature}};
  out["public_key"] = store().audit().public_key();
  return out;
}

json Report::recordings() const {
  json rows = json::array();
  for (const auto& name : about_.recorder.names()) {
    std::error_code gone;
    const auto size = std::filesystem::file_size(about_.recorder.files(name).front(), gone);
    rows.push_back({{"recording", name}, {"kib", gone ? 0 : size / 1024}});
  }
  return rows;
}

Result<std::vector<store::DecisionRow>> Report::decisions_for(const std::string& id) const {
  auto rows = store().journal().decisions_of(VisitId(id));
  if (!rows || !rows->empty() || store().journal().visit(VisitId(id))) return rows;
  auto one = store().journal().decision(DecisionId(id));
  if (!one) {
    return fail(ErrorCode::not_found,
                "no decision or visit with this id; welcomectl decisions lists them");
  }
  rows->push_back(std::move(*one));
  return rows;
}

Result<json> Report::why(const std::string& id) const {
  const auto rows = decisions_for(id);
  if (!rows) return tl::unexpected(rows.error());
  json lines = json::array();
  const json timeline = about_.timelines.of(VisitId(id));
  for (const auto& entry : timeline) {
    lines.push_back(
        contract::to_rfc3339(WallTime(std::chrono::milliseconds(entry[0].get<std::int64_t>()))) +
        "  " + entry[2].get<std::string>());
  }
  if (!timeline.empty()) lines.push_back("");
  for (const auto& row : *rows) explain(row, lines);
  return json{{"lines", std::move(lines)}};
}

}  // namespace welcome::daemon
