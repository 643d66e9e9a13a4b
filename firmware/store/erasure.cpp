// SPDX-License-Identifier: Apache-2.0
#include "firmware/store/erasure.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/base64.h"
#include "core/hex.h"
#include "firmware/store/audit.h"
#include "firmware/store/context.h"
#include "firmware/store/journal.h"
#include "firmware/store/outbox.h"
#include "firmware/store/people.h"
#include "firmware/store/replica.h"
#include "firmware/store/tables.h"
#include "firmware/store/time_text.h"

namespace welcome::store {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

enum State : std::int64_t { key_destroyed, rows_gone, receipt_made, reported };

// When somebody was erased while nobody knew the time: later than all that was ever signed, so that
// no old consent brings them back. Retention dates it as soon as the time is certain.
constexpr WallTime kNotKnown{std::chrono::sys_days{std::chrono::year{9999} / 12 / 31}};

// Whom a request is about, until it is reported.
std::string seal_person(Context& context, const MessageId& request, const CustomerId& customer) {
  return context.sealer.seal(context.sealer.box_data_key(), label_of("erasure", request.str()),
                             customer.str());
}

ErasureReceipt read_receipt(Context& context, const Statement& s) {
  ErasureReceipt receipt;
  receipt.request = MessageId(std::string(s.text(0)));
  receipt.at = s.time(1);
  const json rows = json::parse(s.text(2), nullptr, false);
  if (rows.is_object()) {
    for (const auto& [name, count] : rows.items())
      if (count.is_number_integer()) receipt.rows[name] = count.get<std::int64_t>();
  }
  receipt.bytes_gone = s.int64(3) != 0;
  if (!s.is_null(4)) {
    const auto id = context.unseal(0, label_of("erasure", receipt.request.str()), s.blob(4));
    if (id) receipt.customer = CustomerId(*id);
  }
  return receipt;
}

std::optional<ErasureReceipt> find_receipt(Context& context, const MessageId& request) {
  auto s = context.db.query(
      "SELECT request, at, counts, bytes_gone, sealed FROM erasure WHERE request = ? AND state >= "
      "?",
      request.str(), State::receipt_made);
  if (!s.step()) return std::nullopt;
  return read_receipt(context, s);
}

// Does the file hold these bytes? Read in steps that overlap.
bool holds(const fs::path& file, std::string_view bytes) {
  std::ifstream in(file, std::ios::binary);
  std::string window;
  std::string step(1U << 20, '\0');
  while (in) {
    in.read(step.data(), static_cast<std::streamsize>(step.size()));
    window.append(step.data(), static_cast<std::size_t>(in.gcount()));
    if (window.find(bytes) != std::string::npos) return true;
    if (window.size() > bytes.size()) window.erase(0, window.size() - bytes.size());
  }
  return false;
}

// The database, its log, and files that were set aside.
std::vector<fs::path> files_of(const std::string& path) {
  std::vector<fs::path> files;
  std::error_code error;
  const fs::path database(path);
  const std::string name = database.filename().string();
  const fs::path folder = database.has_parent_path() ? database.parent_path() : fs::path(".");
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().filename().string().starts_with(name)) files.push_back(entry.path());
  }
  return files;
}

bool any_holds(const std::string& path, std::string_view bytes) {
  const auto files = files_of(path);
  return std::any_of(files.begin(), files.end(),
                     [&](const auto& file) { return holds(file, bytes); });
}

// A file that was set aside still has everybody's wrapped key. It is worth less than the promise.
void remove_set_aside(const std::string& path) {
  std::error_code error;
  for (const auto& file : files_of(path)) {
    if (file.filename().string().find(".corrupt-") != std::string::npos) fs::remove(file, error);
  }
}

// What to search the files for. Nothing: not known (a restart came in between), so the database is
// rebuilt to be sure. Empty: there was no key.
using WrappedKey = std::optional<std::string>;

// Files that SQLite does not know of: somebody's copy.
bool copies_beside(const std::string& path) {
  const std::string name = fs::path(path).filename().string();
  const auto files = files_of(path);
  return std::any_of(files.begin(), files.end(), [&](const fs::path& file) {
    const std::string tail = file.filename().string().substr(name.size());
    return !tail.empty() && tail != "-wal" && tail != "-shm" && tail != "-journal" &&
           tail != ".suspect";
  });
}

// True when no file holds the wrapped key any more.
bool scrub(Context& context, const WrappedKey& wrapped) {
  Database& db = context.db;
  const auto scrubbed = db.read([&] {
    remove_set_aside(context.path);
    db.checkpoint(true);
    if (wrapped && (wrapped->empty() || !any_holds(context.path, *wrapped))) return true;
    db.script("VACUUM");
    db.checkpoint(true);
    return wrapped ? !any_holds(context.path, *wrapped) : !copies_beside(context.path);
  });
  return scrubbed && *scrubbed;
}

std::map<std::string, std::int64_t> delete_rows(Context& context, std::string_view hash) {
  Database& db = context.db;
  std::map<std::string, std::int64_t> counts;
  // The tombstone says it from now on.
  counts["withdrawal"] = db.run("DELETE FROM withdrawal WHERE hash = ?", Blob{hash});
  std::int64_t id = 0;  // that no row has
  {
    auto s = db.query("SELECT id FROM customer WHERE hash = ?", Blob{hash});
    if (s.step()) id = s.int64(0);
  }
  for (const TableRule& table : kTables) {
    if (table.owner != Owner::person) continue;
    Statement s = db.prepare("DELETE FROM " + std::string(table.name) + " WHERE customer = ?");
    s.bind(1, id);
    while (s.step()) {
    }
    counts[std::string(table.name)] = db.changes();
  }
  // The feed's position still counts these items, so an empty row stays until the CRM deletes them.
  db.run(
      "DELETE FROM feed_brief WHERE (part, item) IN"
      " (SELECT part, id FROM feed_item WHERE customer = ?)",
      id);
  counts["feed_item"] =
      db.run("UPDATE feed_item SET customer = NULL, sealed = NULL WHERE customer = ?", id);
  db.run("DELETE FROM customer WHERE id = ?", id);
  context.forget_keys();
  std::erase_if(counts, [](const auto& entry) { return entry.second == 0; });
  return counts;
}

// From wherever it stopped to the receipt.
Result<ErasureReceipt> complete(Context& context, const MessageId& request) {
  Database& db = context.db;
  std::int64_t state = 0;
  std::string hash;
  WallTime at;
  auto found = db.read([&] {
    auto s = db.query("SELECT state, hash, at FROM erasure WHERE request = ?", request.str());
    if (!s.step()) throw DbError({ErrorCode::not_found, "store: no such erasure"});
    state = s.int64(0);
    hash = s.blob(1);
    at = s.time(2);
  });
  if (!found) return tl::unexpected<Error>(found.error());

  if (state == State::key_destroyed) {
    auto gone = db.write([&] {
      const json counts = delete_rows(context, hash);
      std::int64_t total = 0;
      for (const auto& count : counts) total += count.get<std::int64_t>();
      append_audit(context, at, "erasure", "crm", to_hex(hash), std::to_string(total) + " rows");
      db.run("UPDATE erasure SET state = ?, counts = ? WHERE request = ?", State::rows_gone,
             counts.dump(), request.str());
    });
    if (!gone) return tl::unexpected<Error>(gone.error());
  }

  const auto key = context.unscrubbed.find(request.str());
  const bool bytes_gone =
      scrub(context, key == context.unscrubbed.end() ? WrappedKey() : WrappedKey(key->second));
  auto receipt = db.write([&] {
    db.run("UPDATE erasure SET state = ?, bytes_gone = ? WHERE request = ?", State::receipt_made,
           bytes_gone, request.str());
    return find_receipt(context, request);
  });
  if (!receipt) return tl::unexpected<Error>(receipt.error());
  if (bytes_gone) context.unscrubbed.erase(request.str());
  return std::move(**receipt);
}

json as_json(const std::string& text) {
  json value = json::parse(text, nullptr, false);
  return value.is_discarded() ? json(text) : value;
}

template <class Rows, class Fn>
json list_of(const Result<Rows>& rows, Fn&& fn) {
  json list = json::array();
  if (!rows) throw DbError(rows.error());
  for (const auto& row : *rows) list.push_back(fn(row));
  return list;
}

}  // namespace

Erasure::Erasure(Context& context) : context_(context) {}

Result<ErasureReceipt> Erasure::erase(const CustomerId& customer, const MessageId& request,
                                      Now now) {
  Database& db = context_.db;
  if (db.in_transaction())
    return fail(ErrorCode::internal, "store: an erasure is not part of another transaction");
  if (customer.empty() || request.empty())
    return fail(ErrorCode::malformed, "store: an erasure needs a customer and a request id");

  // The key first, alone: whatever fails after this, the rows are unreadable.
  const CustomerHash hash = context_.sealer.hash(customer);
  WrappedKey wrapped;
  auto begun = db.write([&]() -> std::optional<ErasureReceipt> {
    if (auto receipt = find_receipt(context_, request)) return receipt;
    {
      auto s = db.query("SELECT wrapped FROM customer WHERE hash = ?", Blob{view(hash)});
      wrapped = s.step() ? std::string(s.blob(0)) : std::string();
      // Destroyed by an earlier try that did not get to its end.
      if (!wrapped->empty() && wrapped->find_first_not_of('\0') == std::string::npos)
        wrapped.reset();
    }
    db.run("UPDATE customer SET wrapped = zeroblob(length(wrapped)) WHERE hash = ?",
           Blob{view(hash)});
    db.run(
        "INSERT INTO tombstone (hash, at) VALUES (?, ?) ON CONFLICT DO UPDATE SET at = excluded.at",
        Blob{view(hash)}, now.wall_trusted ? now.wall : kNotKnown);
    const std::string sealed = seal_person(context_, request, customer);
    db.run(
        "INSERT INTO erasure (request, hash, sealed, at, state, counts, bytes_gone) VALUES (?, ?, "
        "?, ?, ?, '{}', 0) ON CONFLICT DO NOTHING",
        request.str(), Blob{view(hash)}, Blob{sealed}, now.wall, State::key_destroyed);
    return std::nullopt;
  });
  if (!begun) return tl::unexpected<Error>(begun.error());
  if (*begun) return std::move(**begun);
  context_.forget_keys();
  if (wrapped) context_.unscrubbed.insert_or_assign(request.str(), *wrapped);
  return complete(context_, request);
}

Result<std::optional<ErasureReceipt>> Erasure::receipt(const MessageId& request) const {
  return context_.db.read([&] { return find_receipt(context_, request); });
}

Result<void> Erasure::complete_all(Sql which) {
  const auto requests = context_.db.read([&] {
    std::vector<MessageId> found;
    auto s = context_.db.query(which);
    while (s.step()) found.emplace_back(std::string(s.text(0)));
    return found;
  });
  if (!requests) return tl::unexpected<Error>(requests.error());
  for (const MessageId& request : *requests) {
    if (auto done = complete(context_, request); !done) return tl::unexpected<Error>(done.error());
  }
  return {};
}

Result<void> Erasure::scrub_again() {
  return complete_all("SELECT request FROM erasure WHERE bytes_gone = 0 AND state >= 2");
}

Result<std::vector<ErasureReceipt>> Erasure::unreported() {
  if (auto done = complete_all("SELECT request FROM erasure WHERE state < 2"); !done)
    return tl::unexpected<Error>(done.error());
  return context_.db.read([&] {
    std::vector<ErasureReceipt> receipts;
    auto s = context_.db.query(
        "SELECT request, at, counts, bytes_gone, sealed FROM erasure WHERE state = ? ORDER BY at",
        State::receipt_made);
    while (s.step()) receipts.push_back(read_receipt(context_, s));
    return receipts;
  });
}

void Erasure::Writer::mark_reported(const MessageId& request) {
  // Whom it was about is needed until the last report.
  context_.db.part([&] {
    context_.db.run(
        "UPDATE erasure SET state = ?, sealed = CASE bytes_gone WHEN 0 THEN sealed END"
        " WHERE request = ? AND state = ?",
        State::reported, request.str(), State::receipt_made);
  });
}

void Erasure::Writer::report_again(const MessageId& request, const CustomerId& customer) {
  context_.db.part([&] {
    context_.db.run(
        "UPDATE erasure SET state = ?, sealed = ? WHERE request = ? AND hash = ? AND state = ?",
        State::receipt_made, Blob{seal_person(context_, request, customer)}, request.str(),
        Blob{view(context_.sealer.hash(customer))}, State::reported);
  });
}

Result<std::optional<WallTime>> Erasure::erased_at(const CustomerId& customer) const {
  return context_.db.read([&]() -> std::optional<WallTime> {
    const CustomerHash hash = context_.sealer.hash(customer);
    auto s = context_.db.query("SELECT at FROM tombstone WHERE hash = ?", Blob{view(hash)});
    return s.step() ? std::optional(s.time(0)) : std::nullopt;
  });
}

Result<std::vector<std::string>> Erasure::tombstones() const {
  return context_.db.read([&] {
    std::vector<std::string> hashes;
    auto s = context_.db.query("SELECT hash FROM tombstone");
    while (s.step()) hashes.push_back(to_hex(s.blob(0)));
    return hashes;
  });
}

void Erasure::Writer::lift(const CustomerId& customer, Now now) {
  context_.db.part([&] {
    const CustomerHash hash = context_.sealer.hash(customer);
    for (const Purpose purpose : kAllPurposes) {
      context_.db.run(
          "INSERT INTO withdrawal (hash, purpose, at) SELECT hash, ?, at FROM tombstone WHERE hash "
          "= ?"
          " ON CONFLICT DO UPDATE SET at = max(at, excluded.at)",
          purpose, Blob{view(hash)});
    }
    if (context_.db.run("DELETE FROM tombstone WHERE hash = ?", Blob{view(hash)}) > 0)
      append_audit(context_, now.wall, "erasure", "box", to_hex(view(hash)), "tombstone lifted");
  });
}

Result<std::string> Erasure::export_person(const CustomerId& customer, Now now) const {
  Context& context = context_;
  return context.db.read([&] {
    const CustomerHash hash = context.sealer.hash(customer);
    json out{{"v", 1}, {"customer", customer.str()}, {"exported_at", time_text(now.wall)}};

    Replica replica(context);
    for (auto collection : {Collection::profiles, Collection::consents, Collection::identities}) {
      out[std::string(to_string(collection))] =
          list_of(replica.of_customer(collection, customer),
                  [](const ReplicaItem& item) { return as_json(item.body); });
    }
    People people(context);
    out["desk_consents"] =
        list_of(people.desk_consents_of(customer), [](const DeskConsentRow& row) {
          return json{{"id", row.id}, {"at", time_text(row.at)}, {"record", as_json(row.record)}};
        });
    out["face_templates"] = list_of(people.templates_of(customer), [](const TemplateRow& row) {
      return json{{"id", row.id.str()},
                  {"model", row.model},
                  {"created_at", time_text(row.created)},
                  {"aged", row.aged.has_value()},
                  {"template", to_base64(row.bytes)}};
    });
    Journal journal(context);
    out["visits"] = list_of(journal.visits_of(customer), [](const VisitRow& row) {
      return json{{"id", row.id.str()},
                  {"started_at", time_text(row.started)},
                  {"ended_at", row.ended ? json(time_text(*row.ended)) : json()},
                  {"detail", as_json(row.detail)}};
    });
    out["decisions"] = list_of(journal.decisions_about(customer), [](const DecisionRow& row) {
      return json{{"id", row.id.str()},      {"visit", row.visit.str()},
                  {"at", time_text(row.at)}, {"kind", row.kind},
                  {"reason", row.reason},    {"explain", as_json(row.explain)}};
    });
    out["facts"] = json();
    auto facts = journal.facts(customer);
    if (!facts) throw DbError(facts.error());
    if (*facts) out["facts"] = as_json(**facts);
    Outbox outbox(context);
    out["unsent"] = list_of(outbox.about(customer), [](const OutboxRow& row) {
      return json{{"id", row.id.str()},
                  {"kind", to_string(row.kind)},
                  {"created_at", time_text(row.created)},
                  {"payload", as_json(row.payload)}};
    });
    out["open"] = list_of(journal.states_of(customer), [](const StateRow& row) {
      return json{{"kind", to_string(row.kind)}, {"value", as_json(row.value.value_or(""))}};
    });
    out["audit"] = json::array();
    {
      const std::string subject = to_hex(view(hash));
      auto s = context.db.query(
          "SELECT seq, at, kind, actor, detail FROM audit WHERE subject = ? ORDER BY seq", subject);
      while (s.step()) {
        out["audit"].push_back({{"seq", s.int64(0)},
                                {"at", time_text(s.time(1))},
                                {"kind", std::string(s.text(2))},
                                {"actor", std::string(s.text(3))},
                                {"detail", std::string(s.text(4))}});
      }
    }
    out["withdrawals"] = json::array();
    {
      auto s = context.db.query(
          "SELECT purpose, at FROM withdrawal WHERE hash = ? ORDER BY purpose", Blob{view(hash)});
      while (s.step()) {
        out["withdrawals"].push_back({{"purpose", to_string(static_cast<Purpose>(s.int64(0)))},
                                      {"at", time_text(s.time(1))}});
      }
    }
    out["erased"] = context.is_erased(hash);
    // Bytes that are not UTF-8 must not keep a person from her data.
    return out.dump(2, ' ', false, json::error_handler_t::replace);
  });
}

}  // namespace welcome::store
