// The part of the Engine that answers welcomectl. Customers appear by their pseudonym only: no
// name, no text that was written for them.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "contract/message.h"
#include "firmware/daemon/convert.h"
#include "firmware/daemon/engine.h"

namespace welcome::daemon {

namespace {

using nlohmann::json;

constexpr std::size_t kListed = 200;

double to_ms(Latency::Duration duration) { return static_cast<double>(duration.count()) / 1000.0; }

json link_json(bool up, const std::string& why, std::size_t in_flight, bool heard) {
  json out{{"state", up ? "up" : "down"}, {"in_flight", in_flight}};
  if (!up) out["why"] = why;
  if (up && !heard) out["why"] = "the broker is there, the CRM has not spoken yet: events wait";
  return out;
}

}  // namespace

json Engine::status(const Now& now) const {
  const auto visits = pipeline_.visits();
  const auto in_store =
      std::count_if(visits.begin(), visits.end(), [](const auto& v) { return v.in_store; });
  json paused = json::array();
  for (const auto function : kAllFunctions) {
    if (pipeline_.gate().paused(function)) paused.push_back(to_string(function));
  }
  json feed = json::object();
  for (const auto collection : contract::kAllCollections) {
    const auto name = contract::to_string(collection);
    const auto kept = *store::collection_from_string(name);
    const auto state = store_.replica().state(kept);
    const auto count = store_.replica().count(kept);
    if (state && count) feed[std::string(name)] = {{"items", *count}, {"seq", state->seq}};
  }
  const auto& radio = tracker_.counters();
  json distance{{"immediate", 0}, {"near", 0}, {"far", 0}, {"unknown", 0}};
  for (const auto& customer : tracker_.present_customers()) {
    const auto place = tracker_.place(customer);
    auto& count =
        distance[place && place->distance ? beacon::to_string(*place->distance) : "unknown"];
    count = count.get<int>() + 1;
  }
  json heard = json::object();
  for (std::size_t i = 0; i < radio.heard.size(); ++i) {
    if (radio.heard[i] > 0) {
      heard[std::string(beacon::to_string(static_cast<beacon::AdvertType>(i)))] = radio.heard[i];
    }
  }
  json gate = json::object();
  for (std::size_t i = 0; i < kConsentVerdicts; ++i) {
    if (const auto n = pipeline_.gate().turned_away()[i]; n > 0) {
      gate[std::string(to_string(static_cast<ConsentVerdict>(i)))] = n;
    }
  }
  static constexpr const char* kFooting[] = {"firm", "CRM silent for too long", "clock not set"};
  const auto waiting = store_.outbox().count();
  const auto size = store_.size();
  const auto heard_from_crm = pipeline_.gate().last_heard();

  json store = neighbours_ ? neighbours_->status(now) : json();
  return {
      {"box",
       {{"tenant", settings_.box.tenant},
        {"store", settings_.box.store},
        {"id", settings_.box.box},
        {"version", settings_.version},
        {"session", session_},
        {"public_key", public_key()},
        {"fingerprint", contract::fingerprint(signer_.public_key())}}},
      {"clock", {{"wall", contract::to_rfc3339(now.wall)}, {"trusted", now.wall_trusted}}},
      {"links",
       {{"uplink", link_json(uplink_.up, uplink_.why_down, uplink_.in_flight, uplink_.heard)},
        {"floor", link_json(floor_.up, floor_.why_down, floor_.in_flight, true)}}},
      {"crm",
       {{"last_heard", heard_from_crm ? json(contract::to_rfc3339(*heard_from_crm)) : json()},
        {"feed", std::move(feed)},
        {"items", counters_.feed_items},
        {"gaps", counters_.feed_gaps},
        {"set_aside", counters_.feed_set_aside},
        {"refused", counters_.inbound_refused}}},
      {"radio",
       {{"reports", radio.reports},
        {"identified", radio.identified},
        {"discarded", radio.discarded},
        {"copies", radio.copies},
        {"copied", radio.copied},
        {"impossible_power", radio.impossible_power},
        {"impossible_rssi", radio.impossible_rssi},
        {"replayed", tracker_.resolver_counters().replayed},
        {"distance", std::move(distance)},
        {"heard", std::move(heard)}}},
      {"neighbours", std::move(store)},
      {"gate",
       {{"turned_away", std::move(gate)}, {"presence_refused", counters_.presence_refused}}},
      {"consents",
       {{"footing", kFooting[static_cast<std::size_t>(pipeline_.gate().footing(now))]},
        {"refused", counters_.consents_refused},
        {"signatures_asked", settings_.crm_keys.has_value()}}},
      {"visits", {{"in_store", in_store}, {"near", visits.size()}}},
      {"paused", std::move(paused)},
      {"rehearsal", rehearsal_.has_value()},
      {"recording", recorder_.recording()},
      {"decisions",
       {{"offers", counters_.offers},
        {"prompts", counters_.prompts},
        {"surveys", counters_.surveys},
        {"suppressed", counters_.suppressed},
        {"campaigns", pipeline_.campaigns()}}},
      {"faces", {{"matches", counters_.face_matches}}},
      {"outbox",
       {{"uplink", waiting ? waiting->uplink : -1},
        {"floor", waiting ? waiting->floor : -1},
        {"acked", counters_.messages_acked},
        {"expired", counters_.messages_expired},
        {"refused", counters_.messages_refused}}},
      {"store",
       {{"bytes", size ? size->database_bytes + size->wal_bytes : -1},
        {"customers", size ? size->customers : -1},
        {"errors", counters_.store_errors},
        {"trouble", store_trouble_},
        {"held_back", counters_.held_back}}},
      {"latency_ms",
       {{"p50", to_ms(latency_.percentile(0.5))},
        {"p95", to_ms(latency_.percentile(0.95))},
        {"count", latency_.count()}}},
  };
}

json Engine::visits() const {
  json rows = json::array();
  for (const auto& visit : pipeline_.visits()) {
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
  if (const auto stored = store_.journal().visits(kListed)) {
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

json Engine::decisions() const {
  json rows = json::array();
  if (const auto stored = store_.journal().decisions(kListed)) {
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

json Engine::outbox() const {
  json rows = json::array();
  if (const auto waiting = store_.outbox().peek(kListed)) {
    for (const auto& row : *waiting) {
      rows.push_back(
          {{"id", row.id.str()},
           {"link", store::to_string(row.link)},
           {"kind", row.kind},
           {"priority", row.priority},
           {"bytes", row.payload.size()},
           {"created", contract::to_rfc3339(row.created)},
           {"expires", row.expires ? json(contract::to_rfc3339(*row.expires)) : json()}});
    }
  }
  return rows;
}

Result<json> Engine::why(const std::string& id) const {
  auto rows = store_.journal().decisions_of(VisitId(id));
  if (!rows) return tl::unexpected(rows.error());
  if (rows->empty() && !store_.journal().visit(VisitId(id))) {
    auto one = store_.journal().decision(DecisionId(id));
    if (!one) {
      return fail(ErrorCode::not_found,
                  "no decision or visit with this id; welcomectl decisions lists them");
    }
    rows->push_back(std::move(*one));
  }
  json lines = json::array();
  const json timeline = timeline_of(VisitId(id));
  for (const auto& entry : timeline) {
    lines.push_back(
        contract::to_rfc3339(WallTime(std::chrono::milliseconds(entry[0].get<std::int64_t>()))) +
        "  " + entry[2].get<std::string>());
  }
  if (!timeline.empty()) lines.push_back("");
  for (const auto& row : *rows) {
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
    if (!explained.is_object()) continue;
    for (const auto& step : explained.value("steps", json::array())) {
      const std::string detail = step.value("detail", "");
      lines.push_back(std::string(step.value("passed", false) ? "    yes  " : "    no   ") +
                      step.value("rule", "") + (detail.empty() ? "" : ": " + detail));
    }
  }
  return json{{"lines", std::move(lines)}};
}

json Engine::recordings() const {
  json rows = json::array();
  for (const auto& name : recorder_.names()) {
    std::error_code gone;
    const auto size = std::filesystem::file_size(recorder_.files(name).front(), gone);
    rows.push_back({{"recording", name}, {"kib", gone ? 0 : size / 1024}});
  }
  return rows;
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

Result<json> Engine::export_person(const CustomerId& customer, const Now& now) {
  const auto text = store_.erasure().export_person(customer, now);
  if (!text) return tl::unexpected(text.error());
  const auto noted = store_.audit().append(now, "export", "technician", customer, "");
  if (!noted) return tl::unexpected(noted.error());
  return json::parse(*text);
}

Result<json> Engine::audit_trail() const {
  const auto entries = store_.audit().show(kListed);
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

Result<json> Engine::audit_verdict() const {
  const auto verdict = store_.audit().verify();
  if (!verdict) return tl::unexpected(verdict.error());
  const auto head = store_.audit().head();
  json out{{"intact", verdict->intact}, {"entries", verdict->entries}};
  if (!verdict->intact) {
    out["first_bad"] = verdict->first_bad;
    out["problem"] = verdict->problem;
  }
  if (head)
    out["head"] = {{"seq", head->seq}, {"hash", head->hash}, {"signature", head->signature}};
  out["public_key"] = store_.audit().public_key();
  return out;
}

Result<void> Engine::note_radio(const std::string& detail, const Now& now) {
  return store_.audit().append(now, "radio", "technician", {}, detail);
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
