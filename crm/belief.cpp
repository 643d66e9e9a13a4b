// SPDX-License-Identifier: Apache-2.0
#include "crm/belief.h"

#include <nlohmann/json.hpp>

namespace welcome::crm {
namespace {

bool withdraws(const contract::EventData& data) {
  const auto* consent = std::get_if<contract::ConsentNews>(&data);
  return consent != nullptr && !consent->given;
}

// What staff learnt counts when it came, at the latest: their words are not lost by a wrong clock.
bool learns(const contract::EventData& data) {
  const auto* staff = std::get_if<contract::StaffNews>(&data);
  return staff != nullptr && (staff->action.kind == StaffAction::Kind::note ||
                              staff->action.kind == StaffAction::Kind::preference);
}

struct VisitOf {
  VisitId operator()(const contract::VisitNews& news) const { return news.visit; }
  VisitId operator()(const contract::OfferNews& news) const { return news.visit; }
  VisitId operator()(const contract::PromptNews& news) const { return news.visit; }
  VisitId operator()(const contract::SuppressedNews& news) const { return news.visit; }
  VisitId operator()(const contract::SurveyNews& news) const { return news.visit; }
  VisitId operator()(const contract::StaffNews& news) const { return news.action.visit; }
  VisitId operator()(const contract::ConsentNews&) const { return {}; }
  VisitId operator()(const contract::EnrolmentNews&) const { return {}; }
  VisitId operator()(const contract::SurveyAnswer&) const { return {}; }
  VisitId operator()(const ErasureReceipt&) const { return {}; }
  VisitId operator()(const contract::ProfileWanted&) const { return {}; }
  VisitId operator()(const contract::FeedRejected&) const { return {}; }
  VisitId operator()(const contract::HealthNews&) const { return {}; }
  VisitId operator()(const contract::BoxRetired&) const { return {}; }
};

}  // namespace

std::string Belief::doubt(const Word& word, const contract::EventData& data, WallTime now) {
  // A withdrawal always wins, whoever brings it.
  if (withdraws(data)) return {};
  if (!crm_.feed().reaches(word.store, word.customer)) return std::string(kNotHere);
  if (auto why = doubt_time(word, data, now); !why.empty()) return why;
  if (const auto* consent = std::get_if<contract::ConsentNews>(&data)) {
    return doubt_grant(word, *consent, now);
  }
  if (std::holds_alternative<contract::ProfileWanted>(data)) return doubt_wanted(word, now);
  return doubt_visit(word, std::visit(VisitOf{}, data), now);
}

std::string Belief::doubt_time(const Word& word, const contract::EventData& data, WallTime now) {
  if (learns(data)) return {};
  if (word.said > now + kClocksAgree) return "its time has not come";
  const Rows rows = db_.query("SELECT admitted_at FROM box WHERE store = $1 AND box = $2",
                              {word.store, word.box});
  // Of a box that was here before boxes were admitted nobody knows when.
  const auto admitted = contract::from_rfc3339(rows.empty() ? "" : rows[0].text(0));
  if (admitted && word.said < *admitted - kClocksAgree) return "from before it was admitted";
  return {};
}

std::string Belief::doubt_grant(const Word& word, const contract::ConsentNews& news, WallTime now) {
  if (news.at > now + kClocksAgree) return "a consent from the future";
  const json said = json::parse(word.data);
  const std::string address =
      contract::address_text({crm_.settings().tenant, word.store, word.box});
  if (!said.contains("sig")) return "a consent that the box did not sign";
  if (said.value("customer", "") != word.customer || said.value("box", "") != address) {
    return "a consent that was signed about somebody else";
  }
  if (!crm_.signed_by_box(word.store, word.box, word.data, now)) {
    return "a consent that is not signed with the box's key";
  }
  const std::int64_t taken = in_an_hour(
      "SELECT COUNT(*) FROM ledger WHERE type = 'com.welcomed.consent.changed.v1' AND "
      "received_at >= $1 AND store = $2 AND box = $3 AND handled = 1 AND "
      "note IN ('', 'waits to be confirmed', 'not confirmed')",
      word, now);
  return taken < kGrantsAnHour ? std::string() : "more consents than a desk can take";
}

// `count` counts since $1, of the box $2 $3.
std::int64_t Belief::in_an_hour(Sql count, const Word& word, WallTime now) {
  return db_.query(count, {contract::to_rfc3339(now - std::chrono::hours(1)), word.store, word.box})
      .at(0)
      .integer(0);
}

// Whoever has a box must not ask for everybody.
std::string Belief::doubt_wanted(const Word& word, WallTime now) {
  const std::int64_t asked = in_an_hour(
      "SELECT COUNT(*) FROM ledger WHERE type = 'com.welcomed.profile.wanted.v1' AND "
      "received_at >= $1 AND store = $2 AND box = $3 AND handled = 1 AND note = ''",
      word, now);
  return asked < kWantedAnHour ? std::string() : "more guests than a box sees in an hour";
}

// A visit is one customer's in one store: what comes first opens it, as a customer who does not
// agree to visit_analytics has no start, and the boxes of a store share a visit
// (docs/decisions/0061).
std::string Belief::doubt_visit(const Word& word, const VisitId& visit, WallTime now) {
  if (visit.empty()) return {};
  const Rows rows = db_.query("SELECT store, customer FROM visit WHERE visit = $1", {visit.str()});
  const std::string at = contract::to_rfc3339(now);
  if (rows.empty()) {
    db_.execute("DELETE FROM visit WHERE last_at < $1", {contract::to_rfc3339(now - kVisitLife)});
    db_.execute("INSERT INTO visit (visit, store, customer, last_at) VALUES ($1, $2, $3, $4)",
                {visit.str(), word.store, word.customer, at});
    return {};
  }
  if (rows[0].text(0) != word.store) return "a visit of another store";
  if (rows[0].text(1) != word.customer) return "a visit of somebody else";
  db_.execute("UPDATE visit SET last_at = $2 WHERE visit = $1", {visit.str(), at});
  return {};
}

}  // namespace welcome::crm
