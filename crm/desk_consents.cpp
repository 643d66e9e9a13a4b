// SPDX-License-Identifier: Apache-2.0
#include "crm/desk_consents.h"

#include <sodium.h>

#include "contract/items.h"
#include "crm/staff.h"

namespace welcome::crm {
namespace {

using By = contract::Confirmation::By;
using Reason = contract::Command::Reason;

// A box takes its desk's consent back by itself after three days.
constexpr std::chrono::hours kTakeBackLife{72};
constexpr std::uint32_t kCodes = 1'000'000;

// What the grants of one pledge have in common.
std::string pledge_of(const DeskConsents::Grant& grant) {
  const auto& confirm = grant.news.confirm;
  const std::string word =
      confirm && !confirm->pending.empty() ? confirm->pending : contract::to_rfc3339(grant.news.at);
  return grant.store + "/" + grant.box + "/" + word;
}

// Of a row whose columns begin with event, store, box, customer, purpose, at, record_id, staff,
// notice_id, notice_version, notice_language.
DeskConsents::Grant grant_of(const Row& row) {
  DeskConsents::Grant out{row.text(0), row.text(1), row.text(2), row.text(3), {}};
  out.news.purpose = purpose_from_string(row.text(4)).value_or(Purpose::proximity_offers);
  out.news.given = true;
  out.news.at = contract::from_rfc3339(row.text(5)).value_or(WallTime{});
  out.news.record_id = row.text(6);
  out.news.staff = StaffId(row.text(7));
  if (!row.text(8).empty()) {
    out.news.notice = ConsentNotice{row.text(8), row.text(9), row.text(10)};
  }
  return out;
}

}  // namespace

DeskConsents::Verdict DeskConsents::judge(const Grant& grant, WallTime now) {
  const By how = grant.news.confirm ? grant.news.confirm->by : By::phone;
  if (how == By::phone) {
    if (ask(grant, now)) return Verdict::asked;
    take_back(grant, Reason::refused, now);
    return Verdict::refused;
  }
  const bool good = how == By::code ? is_their_code(grant, now) : is_witnessed(grant);
  if (good) return Verdict::confirmed;
  take_back(grant, how == By::code ? Reason::code : Reason::witness, now);
  return Verdict::refused;
}

// Another person than who entered it, and both work there.
bool DeskConsents::is_witnessed(const Grant& grant) const {
  const auto item = crm_.feed().get(Collection::policy, "policy");
  if (!item) return false;
  const auto policy = contract::decode_item(Collection::policy, item->value);
  if (!policy || !std::get<Policy>(*policy).desk_witness) return false;
  const std::string& staff = grant.news.staff.str();
  const std::string& witness = grant.news.confirm->witness.str();
  const Staff all(db_, crm_.feed());
  return !staff.empty() && staff != witness && all.works_in(staff, grant.store) &&
         all.works_in(witness, grant.store);
}

bool DeskConsents::ask(const Grant& grant, WallTime now) {
  // A pledge that is made again at the same desk takes the place of the one before.
  std::vector<Grant> before;
  for (const Row& row :
       db_.query("SELECT event, store, box, customer, purpose, at, record_id, staff, notice_id, "
                 "notice_version, notice_language FROM pending_consent WHERE customer = $1 AND "
                 "store = $2 AND purpose = $3",
                 {grant.customer, grant.store, std::string(to_string(grant.news.purpose))})) {
    before.push_back(grant_of(row));
  }
  close(before, Reason::expired, now);
  const std::string pledge = pledge_of(grant);
  std::string id;
  for (const Row& row :
       db_.query("SELECT question FROM pending_consent WHERE customer = $1 AND pledge = $2 LIMIT 1",
                 {grant.customer, pledge})) {
    id = row.text(0);
  }
  const Rows open = db_.query(
      "SELECT COUNT(DISTINCT question) FROM pending_consent WHERE customer = $1", {grant.customer});
  if (id.empty() && open.at(0).integer(0) >= kQuestionsAtOnce) return false;
  if (id.empty()) id = contract::new_uuid();
  const ConsentNotice notice = grant.news.notice.value_or(ConsentNotice{});
  db_.execute(
      "INSERT INTO pending_consent (event, question, pledge, store, box, customer, purpose, at, "
      "record_id, staff, notice_id, notice_version, notice_language, expires_at) VALUES "
      "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT DO NOTHING",
      {grant.event, id, pledge, grant.store, grant.box, grant.customer,
       std::string(to_string(grant.news.purpose)), contract::to_rfc3339(grant.news.at),
       grant.news.record_id, grant.news.staff.str(), notice.id, notice.version, notice.language,
       contract::to_rfc3339(now + kQuestionLife)});
  crm_.tell_page(grant.customer, "consents", now);
  return true;
}

void DeskConsents::take_back(const Grant& grant, Reason why, WallTime now) {
  contract::Command command;
  command.id = MessageId(grant.event + "/back");
  command.kind = contract::Command::Kind::take_back;
  command.customer = CustomerId(grant.customer);
  command.events = {MessageId(grant.event)};
  command.reason = why;
  crm_.to_box(grant.store, grant.box, command, now, now + kTakeBackLife);
}

void DeskConsents::close(const std::vector<Grant>& grants, Reason why, WallTime now) {
  for (const Grant& grant : grants) {
    db_.execute("DELETE FROM pending_consent WHERE event = $1", {grant.event});
    db_.execute("UPDATE ledger SET note = $2 WHERE id = $1",
                {grant.event, std::string(kNotConfirmed)});
    take_back(grant, why, now);
  }
}

void DeskConsents::note(const std::string& record_id, const std::string& customer, WallTime at,
                        By how, WallTime now) {
  db_.execute(
      "INSERT INTO desk_confirmed (record_id, at, customer, how, confirmed_at) "
      "VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
      {record_id, contract::to_rfc3339(at), customer, std::string(to_string(how)),
       contract::to_rfc3339(now)});
}

// ---- on the page ----

std::vector<DeskConsents::Question> DeskConsents::questions(const std::string& customer,
                                                            WallTime now) const {
  std::vector<Question> out;
  for (const Row& row :
       db_.query("SELECT question, store, at, expires_at, purpose FROM pending_consent "
                 "WHERE customer = $1 AND expires_at > $2 ORDER BY expires_at, question, purpose",
                 {customer, contract::to_rfc3339(now)})) {
    const auto purpose = purpose_from_string(row.text(4));
    if (!purpose) continue;
    if (out.empty() || out.back().id != row.text(0)) {
      out.push_back({row.text(0), row.text(1), row.text(2), row.text(3), {}});
    }
    out.back().purposes.push_back(*purpose);
  }
  return out;
}

std::vector<DeskConsents::Grant> DeskConsents::answered(const std::string& customer,
                                                        const std::string& question, WallTime now) {
  std::vector<Grant> out;
  for (const Row& row :
       db_.query("SELECT event, store, box, customer, purpose, at, record_id, staff, notice_id, "
                 "notice_version, notice_language FROM pending_consent WHERE customer = $1 AND "
                 "question = $2 AND expires_at > $3",
                 {customer, question, contract::to_rfc3339(now)})) {
    out.push_back(grant_of(row));
  }
  for (const Grant& grant : out) {
    db_.execute("DELETE FROM pending_consent WHERE event = $1", {grant.event});
  }
  if (!out.empty()) crm_.tell_page(customer, "consents", now);
  return out;
}

void DeskConsents::withdrawn(const std::string& customer, Purpose purpose, WallTime now) {
  std::vector<Grant> open;
  for (const Row& row :
       db_.query("SELECT event, store, box, customer, purpose, at, record_id, staff, notice_id, "
                 "notice_version, notice_language FROM pending_consent WHERE customer = $1 AND "
                 "purpose = $2",
                 {customer, std::string(to_string(purpose))})) {
    open.push_back(grant_of(row));
  }
  close(open, Reason::refused, now);
}

bool DeskConsents::let_questions_end(WallTime now, int at_most) {
  std::vector<Grant> over;
  for (const Row& row :
       db_.query("SELECT event, store, box, customer, purpose, at, record_id, staff, notice_id, "
                 "notice_version, notice_language FROM pending_consent WHERE expires_at <= $1 "
                 "ORDER BY expires_at LIMIT $2",
                 {contract::to_rfc3339(now), std::int64_t{at_most}})) {
    over.push_back(grant_of(row));
    crm_.tell_page(over.back().customer, "consents", now);
  }
  close(over, Reason::expired, now);
  db_.execute("DELETE FROM desk_code WHERE expires_at <= $1", {contract::to_rfc3339(now)});
  return over.size() >= static_cast<std::size_t>(at_most);
}

// ---- codes ----

DeskConsents::Code DeskConsents::new_code(const std::string& customer, WallTime now) {
  std::string digits = std::to_string(randombytes_uniform(kCodes));
  digits.insert(0, 6 - digits.size(), '0');
  const WallTime until = now + kCodeLife;
  db_.execute(
      "INSERT INTO desk_code (customer, code_hash, tries, tried, used_by, expires_at) "
      "VALUES ($1, $2, 0, '', '', $3) ON CONFLICT (customer) DO UPDATE SET "
      "code_hash = excluded.code_hash, tries = 0, tried = '', used_by = '', "
      "expires_at = excluded.expires_at",
      {customer, crm_.hash_of_code(customer, digits), contract::to_rfc3339(until)});
  return {digits, until};
}

// The grants of one pledge bring the same code: they are one use of it, or one try.
bool DeskConsents::is_their_code(const Grant& grant, WallTime now) {
  const Rows rows = db_.query(
      "SELECT code_hash, tries, tried, used_by FROM desk_code WHERE customer = $1 AND "
      "expires_at > $2",
      {grant.customer, contract::to_rfc3339(now)});
  if (rows.empty()) return false;
  const std::string pledge = pledge_of(grant);
  const std::string used_by = rows[0].text(3);
  const bool right = rows[0].text(0) == crm_.hash_of_code(grant.customer, grant.news.confirm->code);
  if (right && (used_by.empty() || used_by == pledge)) {
    db_.execute("UPDATE desk_code SET used_by = $2 WHERE customer = $1", {grant.customer, pledge});
    return true;
  }
  if (rows[0].text(2) == pledge) return false;
  if (rows[0].integer(1) + 1 >= kCodeTries) {
    db_.execute("DELETE FROM desk_code WHERE customer = $1", {grant.customer});
  } else {
    db_.execute("UPDATE desk_code SET tries = tries + 1, tried = $2 WHERE customer = $1",
                {grant.customer, pledge});
  }
  return false;
}

}  // namespace welcome::crm
