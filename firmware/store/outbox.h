#pragma once
// Outbox: messages that are still to be sent, sealed. A row is written in the transaction of the
// fact it tells, and deleted when the broker has acknowledged it.
//
// Order: by priority, then by age; but a customer's messages on a link leave in the order in which
// they were written, except that priority 0 (consent, erasure) overtakes everything. To keep both
// rules an urgent message lifts its customer's older ones to its own priority. One message of a
// customer is on its way at a time, so that one which the broker would not take yet is not
// overtaken by its successor.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.h"
#include "core/result.h"
#include "core/time.h"

namespace welcome::store {

class Context;

enum class Link : std::uint8_t { uplink, floor };

std::string_view to_string(Link link);

struct OutboxRow {
  std::int64_t row = 0;  // set by the store: grows with age
  MessageId id;          // unique over all boxes
  Link link = Link::uplink;
  std::string topic;
  std::string payload;
  std::string content_type;    // may be empty
  std::string response_topic;  // MQTT 5, may be empty
  std::string correlation;     // MQTT 5, may be empty
  std::uint8_t qos = 1;
  bool retain = false;
  std::uint8_t priority = 2;  // 0 consent and erasure, 1 decisions and prompts, 2 events
  CustomerId customer;        // empty = about nobody
  std::string kind;           // a word of the caller's, for counting and removing: "offer", "visit"
  std::string ref;            // an id of the caller's, names nobody: the decision, the visit
  WallTime created;
  std::optional<WallTime> not_before;  // held over quiet hours
  std::optional<WallTime> expires;
};

// What became of a row: enough for the caller to tell the pipeline.
struct OutboxNote {
  std::int64_t row = 0;
  std::string kind;
  std::string ref;
};

struct OutboxCount {
  std::int64_t uplink = 0;
  std::int64_t floor = 0;
  std::optional<WallTime> oldest;
};

class Outbox {
 public:
  explicit Outbox(Context& context);

  Result<void> enqueue(const OutboxRow& row);

  // Up to `limit` rows that were not handed out since release(), oldest of the most urgent first,
  // none of a customer who has one on its way; they then count as handed out. Expired and held rows
  // are not returned; while the wall clock is not trusted, rows with either time wait.
  Result<std::vector<OutboxRow>> take(Link link, std::size_t limit, Now now);

  // What was held under this ref may be handed out at once, or from then on.
  Result<void> hold_until(std::string_view ref, std::optional<WallTime> not_before);

  // The broker has them: gone for good. Unknown rows are ignored.
  Result<std::vector<OutboxNote>> acked(std::span<const std::int64_t> rows);
  // The connection is gone, or one row could not be sent: they will be handed out again.
  void release(Link link);
  void release_row(std::int64_t row);

  // Withdrawal: unsent messages about a customer, of these kinds; all of them when none is named.
  // What was handed out already may still arrive. Return the rows removed.
  Result<std::size_t> remove(const CustomerId& customer, std::span<const std::string_view> kinds);
  Result<std::size_t> remove_ref(std::string_view ref);
  // Too late to be of use: removed. Does nothing while the clock is not trusted.
  Result<std::vector<OutboxNote>> expire(Now now);

  Result<OutboxCount> count() const;
  // Oldest first, handed out or not; for `welcomectl outbox`.
  Result<std::vector<OutboxRow>> peek(std::size_t limit) const;
  Result<std::vector<OutboxRow>> about(const CustomerId& customer) const;

 private:
  Context& context_;
};

}  // namespace welcome::store
