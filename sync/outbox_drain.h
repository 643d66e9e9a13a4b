#pragma once
// OutboxDrain: which rows of the outbox go to one link next.
//
// Pure: no I/O, no clock, one thread (the engine). The store's rows stay the truth: a row is
// deleted after its PUBACK (or when it expired), and whatever was in flight at a break is sent
// again.
//
// Order: priority first, then row. At most one message of a customer is in flight, so that a
// refused or repeated one cannot be overtaken by its successor; a more urgent one of the same
// customer may still go first while both wait. Memory: at most `buffer` rows.

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "firmware/core/time.h"
#include "sync/message.h"

namespace welcome::sync {

using RowId = std::int64_t;

struct OutboxRow {
  RowId row = 0;
  Message message;
};

// What to read from the outbox: rows of `priority` with row > after, ascending, at most `limit`.
struct OutboxQuery {
  Priority priority = Priority::event;
  RowId after = 0;
  std::size_t limit = 0;
};

class OutboxDrain {
 public:
  struct Limits {
    std::size_t window = 100;  // in flight; the broker's receive maximum may lower it
    std::size_t buffer = 400;  // rows held in memory, those in flight included
  };

  OutboxDrain() : OutboxDrain(Limits{}) {}
  explicit OutboxDrain(Limits limits) : limits_(limits) {}

  void link_up(std::size_t receive_maximum);
  void link_down();

  // Rows were committed to the outbox with this priority (at start: call for each).
  void committed(Priority priority);

  // The next read, or nothing while there is no room or no news. Answer it with add().
  std::optional<OutboxQuery> next_query() const;
  void add(const OutboxQuery& query, std::vector<OutboxRow> rows);

  // To hand to the link now. They count as in flight until acked(), retry() or link_down().
  std::vector<OutboxRow> take(const Now& now);

  // Expired since the last call: delete the rows. Only while the wall clock is trusted.
  std::vector<RowId> take_expired();

  // PUBACK came, or the broker refused for good: delete the row. False: not known, nothing to do.
  bool acked(RowId row);
  // The broker or the link's queue had no room: once more, in its old place, from `not_before`.
  void retry(RowId row, MonoTime not_before);

  // Rows that were deleted from the outbox unsent (withdrawal, erasure).
  void removed(const std::vector<RowId>& rows);
  void removed(const CustomerId& customer);  // all of hers

  std::size_t in_flight() const { return in_flight_.size(); }
  std::size_t buffered() const { return waiting_.size() + in_flight_.size(); }
  std::uint64_t expired_total() const { return expired_total_; }
  // When take() should be called again although nothing happened; nothing = not needed.
  std::optional<MonoTime> next_wake() const;

 private:
  using Order = std::pair<Priority, RowId>;

  Limits limits_;
  bool up_ = false;
  std::size_t window_ = 0;
  std::array<RowId, 3> read_up_to_{};
  std::array<bool, 3> more_{};
  std::map<Order, Message> waiting_;
  std::unordered_map<RowId, Message> in_flight_;
  std::unordered_set<CustomerId> busy_;  // customers with a message in flight
  std::map<RowId, MonoTime> not_before_;
  std::vector<RowId> expired_;
  std::uint64_t expired_total_ = 0;
};

}  // namespace welcome::sync
