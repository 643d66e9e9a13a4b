// SPDX-License-Identifier: Apache-2.0
#include "firmware/store/audit.h"

#include <algorithm>
#include <utility>

#include "core/base64.h"
#include "core/hex.h"
#include "firmware/store/context.h"
#include "firmware/store/rekey.h"

namespace welcome::store {

namespace {

using ChainLink = Context::TrailEnd;

// The entry before the first one that is kept: where the chain hangs after old entries were
// removed.
ChainLink anchor(Database& db) {
  auto s = db.query("SELECT seq, hash FROM audit_anchor");
  return s.step() ? ChainLink{s.int64(0), std::string(s.blob(1))} : ChainLink{};
}

// Where the chain ends.
ChainLink newest(Database& db) {
  auto s = db.query("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1");
  return s.step() ? ChainLink{s.int64(0), std::string(s.blob(1))} : anchor(db);
}

std::string chain(std::string_view before, const AuditEntry& e) {
  return blake2b(
      pack({before, std::to_string(e.seq), std::to_string(e.at.time_since_epoch().count()), e.kind,
            e.actor, e.subject, e.detail}));
}

std::string signed_text(std::string_view hash) {
  std::string text = "welcomed audit 1:";
  text.append(hash);
  return text;
}

AuditEntry read_entry(const Statement& s) {
  return {s.int64(0),
          s.time(1),
          std::string(s.text(2)),
          std::string(s.text(3)),
          std::string(s.text(4)),
          std::string(s.text(5)),
          std::string(s.blob(6))};
}

}  // namespace

void append_audit(Context& context, WallTime at, std::string_view kind, std::string_view actor,
                  std::string_view subject, std::string_view detail) {
  if (!context.trail_end) context.trail_end = newest(context.db);
  const ChainLink& before = *context.trail_end;
  const AuditEntry entry{
      before.seq + 1,      at, std::string(kind), std::string(actor), std::string(subject),
      std::string(detail), {}};
  std::string hash = chain(before.hash, entry);
  context.db.run(
      "INSERT INTO audit (seq, at, kind, actor, subject, detail, hash, signature) VALUES (?, ?, ?, "
      "?, ?, ?, ?, ?)",
      entry.seq, entry.at, entry.kind, entry.actor, entry.subject, entry.detail, Blob{hash},
      Blob{""});
  context.trail_end = ChainLink{entry.seq, std::move(hash)};
}

void sign_audit(Context& context) {
  if (!context.trail_end) return;
  const ChainLink end = *std::exchange(context.trail_end, std::nullopt);
  const std::string signature = context.sealer.sign(signed_text(end.hash));
  context.db.run("UPDATE audit SET signature = ? WHERE seq = ?", Blob{signature}, end.seq);
}

Audit::Audit(Context& context) : context_(context) {}

void Audit::Writer::append(Now now, std::string_view kind, std::string_view actor,
                           const CustomerId& subject, std::string_view detail) {
  context_.db.part([&] {
    append_audit(context_, now.wall, kind, actor, Audit(context_).subject_of(subject), detail);
  });
}

Result<std::vector<AuditEntry>> Audit::show(std::size_t limit) const {
  return context_.db.read([&] {
    std::vector<AuditEntry> entries;
    auto s = context_.db.query(
        "SELECT seq, at, kind, actor, subject, detail, hash FROM audit ORDER BY seq DESC LIMIT ?",
        limit);
    while (s.step()) {
      entries.push_back(read_entry(s));
      entries.back().hash = to_hex(entries.back().hash);
    }
    return entries;
  });
}

Result<AuditVerdict> Audit::verify() const {
  return context_.db.read([&] {
    AuditVerdict verdict;
    ChainLink before = anchor(context_.db);
    const auto former = former_keys(context_);
    const auto key_of = [&](std::int64_t seq) {
      const auto theirs = std::find_if(former.begin(), former.end(),
                                       [&](const FormerKey& key) { return seq <= key.until; });
      return theirs == former.end() ? context_.sealer.public_key()
                                    : std::string_view(theirs->public_key);
    };
    // Entries without a signature of their own stand on that of a later one, over the chain.
    std::optional<std::int64_t> unsigned_since;
    auto s = context_.db.query(
        "SELECT seq, at, kind, actor, subject, detail, hash, signature FROM audit ORDER BY seq");
    while (s.step()) {
      const AuditEntry entry = read_entry(s);
      const char* problem = nullptr;
      if (entry.seq != before.seq + 1) {
        problem = "an entry before it is missing";
      } else if (chain(before.hash, entry) != entry.hash) {
        problem = "the entry was changed";
      } else if (s.blob(7).empty()) {
        if (!unsigned_since) unsigned_since = entry.seq;
      } else if (Sealer::verify(signed_text(entry.hash), s.blob(7), key_of(entry.seq))) {
        unsigned_since.reset();
      } else {
        problem = "the signature is not this box's";
      }
      if (problem) {
        verdict.intact = false;
        verdict.first_bad = entry.seq;
        verdict.problem = problem;
        return verdict;
      }
      ++verdict.entries;
      before = {entry.seq, entry.hash};
    }
    if (unsigned_since) {
      verdict.intact = false;
      verdict.first_bad = *unsigned_since;
      verdict.problem = "no signature follows";
    }
    return verdict;
  });
}

Result<AuditHead> Audit::head() const {
  return context_.db.read([&] {
    auto s = context_.db.query("SELECT seq, hash, signature FROM audit ORDER BY seq DESC LIMIT 1");
    if (s.step()) return AuditHead{s.int64(0), to_hex(s.blob(1)), to_base64(s.blob(2))};
    const ChainLink last = anchor(context_.db);  // all of it came to its end
    return AuditHead{last.seq, to_hex(last.hash), {}};
  });
}

Result<AuditAccount> Audit::account(std::int64_t of) const {
  return context_.db.read([&] {
    AuditAccount out;
    const ChainLink removed = anchor(context_.db);
    out.since = removed.seq + 1;
    const ChainLink last = newest(context_.db);
    out.seq = last.seq;
    out.hash = to_hex(last.hash);
    if (of == removed.seq) {
      out.before = to_hex(removed.hash);
    } else {
      auto s = context_.db.query("SELECT hash FROM audit WHERE seq = ?", of);
      if (s.step()) out.before = to_hex(s.blob(0));
    }
    return out;
  });
}

std::string Audit::public_key() const { return to_base64(context_.sealer.public_key()); }

std::string Audit::subject_of(const CustomerId& customer) const {
  return customer.empty() ? std::string() : to_hex(view(context_.sealer.hash(customer)));
}

}  // namespace welcome::store
