#include "crm/intake.h"

#include <chrono>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>
#include <thread>

#include "core/pipeline.h"

namespace welcome::crm {
namespace {

using namespace std::chrono_literals;

// Somebody who comes in this long after an offer (or after being held out) is counted for it.
constexpr auto kCameInWithin = 2h;
// Acted on in one transaction, and the pause between two.
constexpr int kAtOnce = 100;
constexpr auto kTurn = 2ms;
constexpr auto kReceiptLife = 30 * 24h;
// An outcome that a box has not heard of by then teaches it nothing any more.
constexpr auto kOutcomeLife = 7 * 24h;

constexpr const char* kTypePrefix = "com.welcomed.";
constexpr const char* kHoldout = "holdout";

// "com.welcomed.decision.offer.v1" → "decision.offer"
std::string short_type(const std::string& type) {
  std::string out = type;
  if (out.starts_with(kTypePrefix)) out.erase(0, std::string_view(kTypePrefix).size());
  if (const auto at = out.rfind(".v"); at != std::string::npos) out.erase(at);
  return out;
}

WallTime time_of(const std::string& text) {
  return contract::from_rfc3339(text).value_or(WallTime{});
}

}  // namespace

struct Intake::Entry {
  std::int64_t position = 0;
  std::string id;
  std::string kind;  // the event's type, or the request's kind
  std::string time;
  std::string body;                  // JSON
  std::string store, box, customer;  // events: from where, about whom
  std::string app;                   // requests: whose
};

bool Intake::take_event(const contract::BoxAddress& box, const contract::EventMessage& event,
                        const std::string& payload, WallTime now) {
  const json envelope = json::parse(payload);
  std::string customer = event.subject.str();
  std::string data = envelope.at("data").dump();
  std::string note;
  const std::string type = envelope.at("type");
  if (std::holds_alternative<contract::ErasureReceipt>(event.data)) {
    // The id is left out: whoever knows it can put it back and check the signature.
    json without = envelope.at("data");
    without.erase("customer");
    data = without.dump();
    customer.clear();
  } else if (!customer.empty() && crm_.was_erased(customer)) {
    customer.clear();
    data = "{}";
    note = "erased";
  }
  return db_.execute(
             "INSERT INTO ledger (id, store, box, type, time, customer, data, received_at, "
             "handled, note) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) "
             "ON CONFLICT (id) DO NOTHING",
             {event.id.str(), box.store, box.box, type, contract::to_rfc3339(event.time), customer,
              data, contract::to_rfc3339(now), std::int64_t{note.empty() ? 0 : 1}, note}) == 1;
}

bool Intake::take_request(const contract::AppRequest& request, const std::string& payload,
                          WallTime now) {
  const json body = json::parse(payload);
  return db_.execute(
             "INSERT INTO request (id, app_id, kind, body, received_at, handled, note) "
             "VALUES ($1, $2, $3, $4, $5, 0, '') ON CONFLICT (app_id, id) DO NOTHING",
             {request.id.str(), request.app, body.at("kind").get<std::string>(), body.dump(),
              contract::to_rfc3339(now)}) == 1;
}

int Intake::work(WallTime now) {
  int done = 0;
  while (work_waits()) {
    // A database without a queue for writers: the command line would never get its turn.
    if (done > 0) std::this_thread::sleep_for(kTurn);
    Transaction transaction(db_);
    // Requests first: a withdrawal must not wait behind a backlog of events.
    for (int n = 0; n < kAtOnce && (work_request(now) || work_event(now)); ++n) ++done;
    transaction.commit();
  }
  return done;
}

bool Intake::work_waits() {
  return !db_.query("SELECT 1 FROM request WHERE handled = 0 LIMIT 1").empty() ||
         !db_.query("SELECT 1 FROM ledger WHERE handled = 0 LIMIT 1").empty();
}

// The entry that comes next; its columns in the order of Entry.
std::optional<Intake::Entry> Intake::next(const char* sql) {
  const Rows rows = db_.query(sql);
  if (rows.empty()) return std::nullopt;
  const Row& row = rows[0];
  return Entry{row.integer(0), row.text(1), row.text(2), row.text(3), row.text(4),
               row.text(5),    row.text(6), row.text(7), row.text(8)};
}

std::string Intake::attempt(std::string (Intake::*act)(const Entry&, WallTime), const Entry& entry,
                            WallTime now) {
  try {
    return (this->*act)(entry, now);
  } catch (const json::exception&) {
    return "set aside: not as expected";
  }
}

bool Intake::work_event(WallTime now) {
  const auto entry = next(
      "SELECT position, id, type, time, data, store, box, customer, '' FROM ledger "
      "WHERE handled = 0 ORDER BY position LIMIT 1");
  if (!entry) return false;
  const std::string note = attempt(&Intake::act_on_event, *entry, now);
  db_.execute("UPDATE ledger SET handled = 1, note = $2 WHERE position = $1",
              {entry->position, note});
  return true;
}

bool Intake::work_request(WallTime now) {
  const auto entry = next(
      "SELECT position, id, kind, received_at, body, '', '', '', app_id FROM request "
      "WHERE handled = 0 ORDER BY position LIMIT 1");
  if (!entry) return false;
  const std::string note = attempt(&Intake::act_on_request, *entry, now);
  // Of an app that belongs to nobody (any more) nothing is kept.
  if (crm_.customer_of(entry->app)) {
    db_.execute("UPDATE request SET handled = 1, note = $2 WHERE position = $1",
                {entry->position, note});
  } else {
    db_.execute("DELETE FROM request WHERE position = $1", {entry->position});
  }
  return true;
}

// ---- events ----

// Returns a word for the ledger when nothing was done, and why.
std::string Intake::act_on_event(const Entry& entry, WallTime now) {
  const json data = json::parse(entry.body);
  const std::string kind = short_type(entry.kind);
  if (kind == "erasure.receipt") return erasure_receipt(entry, data, now);
  if (entry.customer.empty()) return {};
  if (!crm_.app_of(entry.customer)) return "unknown customer";
  if (kind == "decision.offer") return offer(entry, data, now);
  if (kind == "decision.survey") return survey(entry, data, now);
  if (kind == "decision.suppressed") return held_out(entry, data);
  if (kind.starts_with("visit.")) return visit(entry, data);
  if (kind == "staff.action") return staff_action(entry, data);
  if (kind == "consent.changed") return consent_changed(entry, data, now);
  if (kind == "survey.answer") {
    db_.execute(
        "INSERT INTO survey_answer (id, customer, kind, campaign, score, at) "
        "VALUES ($1, $2, $3, '', $4, $5) ON CONFLICT DO NOTHING",
        {entry.id, entry.customer, data.at("kind").get<std::string>(),
         data.at("score").get<std::int64_t>(), entry.time});
  }
  return {};
}

std::string Intake::offer(const Entry& entry, const json& data, WallTime now) {
  const std::string decision = data.at("decision");
  if (!crm_.given(entry.customer, now).has(Purpose::proximity_offers)) return "consent withdrawn";
  const bool first =
      db_.execute(
          "INSERT INTO offer (decision, store, customer, campaign, variant, shown_at) "
          "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
          {decision, entry.store, entry.customer, data.at("campaign").get<std::string>(),
           data.at("variant").get<std::string>(), entry.time}) == 1;
  if (!first) return "decision repeated";
  // Caps are per customer, and the other boxes of the store count too.
  contract::Command offered;
  offered.id = MessageId(entry.id + "/offered");
  offered.kind = contract::Command::Kind::offered;
  offered.customer = CustomerId(entry.customer);
  offered.decision = DecisionId(decision);
  offered.campaign = CampaignId(data.at("campaign").get<std::string>());
  offered.variant = data.at("variant");
  offered.at = time_of(entry.time);
  tell_boxes(entry.store, entry.box, offered, now);
  contract::AppMessage message;
  message.id = MessageId(entry.id);
  message.kind = contract::AppMessage::Kind::offer;
  message.decision = DecisionId(decision);
  message.title = data.at("title");
  message.text = data.at("text");
  message.code = data.value("code", "");
  message.expires_at = contract::from_rfc3339(data.at("expires_at").get<std::string>());
  crm_.to_app(*crm_.app_of(entry.customer), entry.customer, message,
              now + (time_of(data.at("expires_at")) - time_of(entry.time)));
  return {};
}

std::string Intake::survey(const Entry& entry, const json& data, WallTime now) {
  contract::AppMessage message;
  message.id = MessageId(entry.id);
  message.kind = contract::AppMessage::Kind::survey;
  message.decision = DecisionId(data.at("decision").get<std::string>());
  message.survey = data.at("survey");
  message.survey_kind = survey_kind_from_string(data.at("kind").get<std::string>()).value();
  message.question = data.at("question");
  message.expires_at = contract::from_rfc3339(data.at("expires_at").get<std::string>());
  crm_.to_app(*crm_.app_of(entry.customer), entry.customer, message,
              now + (time_of(data.at("expires_at")) - time_of(entry.time)));
  return {};
}

// The hold-out is written beside the offers: it is what they are compared with.
std::string Intake::held_out(const Entry& entry, const json& data) {
  if (data.at("reason") != kHoldout || !data.contains("campaign")) return {};
  db_.execute(
      "INSERT INTO offer (decision, store, customer, campaign, variant, shown_at) "
      "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
      {data.at("decision").get<std::string>(), entry.store, entry.customer,
       data.at("campaign").get<std::string>(), std::string(kHoldout), entry.time});
  return {};
}

std::string Intake::visit(const Entry& entry, const json& data) {
  const std::string zone = data.at("zone");
  if (zone != "inside" && zone != "desk") return {};
  db_.execute(
      "UPDATE offer SET came_in_at = $2 WHERE customer = $1 AND came_in_at IS NULL "
      "AND shown_at <= $2 AND shown_at >= $3",
      {entry.customer, entry.time, contract::to_rfc3339(time_of(entry.time) - kCameInWithin)});
  return {};
}

std::string Intake::staff_action(const Entry& entry, const json& data) {
  const std::string kind = data.at("kind");
  Result<void> done;
  if (kind == "note") {
    done = crm_.note_conversation(entry.customer, data.at("text"), time_of(entry.time));
  } else if (kind == "preference") {
    const json& preference = data.at("preference");
    done = crm_.note_preference(
        entry.customer,
        {preference.at("key"), preference.at("value"), preference.at("verdict") == "change"},
        time_of(entry.time));
  }
  return done ? std::string() : done.error().message;
}

std::string Intake::consent_changed(const Entry& entry, const json& data, WallTime now) {
  ConsentChange change;
  change.customer = entry.customer;
  change.purpose = purpose_from_string(data.at("purpose").get<std::string>()).value();
  change.given = data.at("state") == "given";
  change.record_id = data.value("record_id", "");
  change.at = time_of(data.at("at"));
  change.how = data.value("how", "desk");
  return change_consent(std::move(change), data, *crm_.app_of(entry.customer), entry.id, now);
}

std::string Intake::erasure_receipt(const Entry& entry, const json& data, WallTime now) {
  const auto taken = crm_.take_receipt(entry.store, entry.box, data, now);
  if (taken) return {};
  ++receipts_refused_;
  spdlog::warn("the erasure receipt of {}/{} does not count: {}", entry.store, entry.box,
               taken.error().message);
  return "refused: " + taken.error().message;
}

void Intake::tell_boxes(const std::string& store, const std::string& but,
                        const contract::Command& command, WallTime now) {
  for (const auto& [its_store, box] : crm_.boxes(store)) {
    if (box != but) crm_.to_box(its_store, box, command, now, now + kOutcomeLife);
  }
}

// ---- requests ----

void Intake::send_consents(const std::string& app, const std::string& customer,
                           const std::string& id, WallTime now) {
  contract::AppMessage message;
  message.id = MessageId(id);
  message.kind = contract::AppMessage::Kind::consents;
  const PurposeSet given = crm_.given(customer, now);
  for (const Purpose purpose : kAllPurposes) {
    message.purposes[std::string(to_string(purpose))] = given.has(purpose);
  }
  message.notice = crm_.settings().notice;
  message.at = now;
  crm_.to_app(app, customer, message, now + kReceiptLife);
}

// The person gets a receipt of the record, and where she now stands. `said`: the notice, if any.
std::string Intake::change_consent(ConsentChange change, const json& said, const std::string& app,
                                   const std::string& answer_id, WallTime now) {
  if (const auto notice = said.find("notice"); notice != said.end()) {
    change.notice = ConsentNotice{notice->at("id"), notice->at("version"), notice->at("language")};
  }
  const auto record = crm_.set_consent(change);
  if (!record) return record.error().message;
  contract::AppMessage receipt;
  receipt.id = MessageId(answer_id);
  receipt.kind = contract::AppMessage::Kind::receipt;
  receipt.record = record->dump();
  receipt.at = now;
  crm_.to_app(app, change.customer, receipt, now + kReceiptLife);
  send_consents(app, change.customer, answer_id + "/consents", now);
  return {};
}

// What came of an offer is written down, and the boxes that decide about the next one hear of it.
bool Intake::outcome(const Entry& entry, const std::string& customer, const json& body,
                     WallTime now) {
  contract::Command command;
  command.id = MessageId(entry.app + "/" + entry.id);
  command.kind = contract::Command::Kind::outcome;
  command.customer = CustomerId(customer);
  command.at = time_of(entry.time);
  std::string store;  // a complaint is for all stores
  if (entry.kind == "complaint") {
    command.outcome = Outcome::complaint;
  } else {
    const std::string word = entry.kind.substr(entry.kind.find('.') + 1);
    const std::string decision = body.at("decision");
    const Rows rows = db_.query("SELECT store FROM offer WHERE decision = $1 AND customer = $2",
                                {decision, customer});
    const auto known = outcome_from_string(word);
    if (rows.empty() || !known) return false;
    store = rows[0].text(0);
    const std::string column = word + "_at";
    db_.execute(
        "UPDATE offer SET " + column + " = $2 WHERE decision = $1 AND " + column + " IS NULL",
        {decision, entry.time});
    command.outcome = *known;
    command.decision = DecisionId(decision);
  }
  tell_boxes(store, "", command, now);
  return true;
}

std::string Intake::act_on_request(const Entry& entry, WallTime now) {
  const std::optional<std::string> customer = crm_.customer_of(entry.app);
  if (!customer) return "unknown app";
  const json body = json::parse(entry.body);
  // Answers carry the request's id, so that the app can tell which question they answer.
  if (entry.kind == "consents.get") {
    send_consents(entry.app, *customer, entry.id, now);
  } else if (entry.kind == "consent.set") {
    ConsentChange change;
    change.customer = *customer;
    change.purpose = purpose_from_string(body.at("purpose").get<std::string>()).value();
    change.given = body.at("given");
    change.at = time_of(entry.time);
    change.how = "app";
    return change_consent(std::move(change), body, entry.app, entry.id, now);
  } else if (entry.kind.starts_with("offer.") || entry.kind == "complaint") {
    if (!outcome(entry, *customer, body, now)) return "unknown decision";
  } else if (entry.kind == "survey.answer") {
    db_.execute(
        "INSERT INTO survey_answer (id, customer, kind, campaign, score, at) "
        "VALUES ($1, $2, $3, '', $4, $5) ON CONFLICT DO NOTHING",
        {entry.app + "/" + entry.id, *customer, body.at("survey_kind").get<std::string>(),
         body.at("score").get<std::int64_t>(), entry.time});
  } else if (entry.kind == "export") {
    const auto data = crm_.export_customer(*customer, now);
    if (!data) return data.error().message;
    contract::AppMessage message;
    message.id = MessageId(entry.id);
    message.kind = contract::AppMessage::Kind::export_data;
    message.data = data->dump();
    message.at = now;
    crm_.to_app(entry.app, *customer, message, now + kReceiptLife);
  } else if (entry.kind == "forget") {
    if (const auto done = crm_.forget(*customer, now); !done) return done.error().message;
    contract::AppMessage message;
    message.id = MessageId(entry.id);
    message.kind = contract::AppMessage::Kind::forgotten;
    message.at = now;
    crm_.to_app(entry.app, "", message, now + kReceiptLife);
  }
  return {};
}

}  // namespace welcome::crm
