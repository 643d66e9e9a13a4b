// SPDX-License-Identifier: Apache-2.0
#pragma once
// Outbox: messages that are still to be sent, sealed. A row is written in the transaction of the
// fact it tells, and deleted when the other side has it: the broker, or of an event the CRM.
//
// Order: by priority, then by age; but a customer's messages on a link leave in the order in which
// they were written, except that priority 0 (consent, erasure) overtakes everything. To keep both
// rules an urgent message lifts its customer's older ones to its own priority. One message of a
// customer is on its way at a time, so that one which the broker would not take yet is not
// overtaken by its successor.
//
// What is about somebody may be held back as a whole: while it is not known whether they have
// withdrawn what it goes by. Priority 0 says so itself, and goes all the same.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/envelope.h"
#include "core/ids.h"
#include "core/outbox_kind.h"
#include "core/result.h"
#include "core/time.h"
#include "core/timekeeper.h"

namespace welcome::store {

class Context;

enum class Link : std::uint8_t { uplink, floor };

std::string_view to_string(Link link);

struct OutboxRow : Envelope {
  std::int64_t row = 0;  // set by the store: grows with age
  MessageId id;          // unique over all boxes
  Link link = Link::uplink;
  std::uint8_t priority = 2;  // 0 consent and erasure, 1 decisions and prompts, 2 events
  CustomerId customer;        // empty = about nobody
  OutboxKind kind = OutboxKind::visit;
  std::string ref;  // an id of the caller's, names nobody: the decision, the visit
  WallTime created;
  std::optional<WallTime> not_before;  // held over quiet hours
  std::optional<WallTime> expires;
};

// What became of a row: enough for the caller to tell the pipeline.
struct OutboxNote {
  std::int64_t row = 0;
  OutboxKind kind = OutboxKind::visit;
  std::string ref;
};

struct OutboxCount {
  std::int64_t uplink = 0;
  std::int64_t floor = 0;
  std::optional<WallTime> oldest;
};

enum class About : std::uint8_t { nobody, anybody };

class Outbox {
 public:
  explicit Outbox(Context& context);

  // Up to `limit` rows that were not handed out since release(), oldest of the most urgent first,
  // none of a customer who has one on its way; they then count as handed out. Expired and held rows
  // are not returned; while the wall clock is not trusted, rows with either time wait. Rows that do
  // not open are left to Writer::drop_damaged().
  [[nodiscard]] Result<std::vector<OutboxRow>> take(Link link, std::size_t limit, Now now,
                                                    About about = About::anybody);
  // The connection is gone, or one row could not be sent: they will be handed out again.
  void release(Link link);
  void release_row(std::int64_t row);
  // The broker has this row, which stays until somebody says more of it: its customer's next one
  // may go.
  void keep_handed_out(std::int64_t row);
  // What these rows are about; unknown ones are left out.
  Result<std::vector<OutboxNote>> notes(std::span<const std::int64_t> rows) const;

  Result<OutboxCount> count() const;
  // Oldest first, handed out or not; for `welcomectl outbox`.
  Result<std::vector<OutboxRow>> peek(std::size_t limit) const;
  Result<std::vector<OutboxRow>> about(const CustomerId& customer) const;

  // Part of a transaction (tx.h).
  class Writer {
   public:
    void enqueue(const OutboxRow& row);
    // What was held under this ref may be handed out at once, or from then on.
    void hold_until(std::string_view ref, std::optional<WallTime> not_before);

    // Sent, or never to be: gone for good. Unknown rows are ignored. Returns how many there were.
    std::size_t remove_rows(std::span<const std::int64_t> rows);
    // Unsent messages about a customer, of these kinds, or all of them.
    // What was handed out already may still arrive. Return the rows removed.
    std::size_t remove(const CustomerId& customer, std::span<const OutboxKind> kinds);
    std::size_t remove_all(const CustomerId& customer);
    std::size_t remove_ref(std::string_view ref);
    // Too late to be of use: removed. Until then they stay, and take() leaves them out.
    std::vector<OutboxNote> expire(const AgreedTime& now);
    // What take() could not open: removed, and counted as `outbox_damaged`.
    std::vector<OutboxNote> drop_damaged();

   private:
    friend class Tx;
    explicit Writer(Context& context) : context_(context) {}
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;
    Context& context_;
  };

 private:
  Context& context_;
};

}  // namespace welcome::store
