#include "sync/outbox_drain.h"

#include <algorithm>
#include <utility>

namespace welcome::sync {

namespace {

constexpr std::array kPriorities{Priority::consent, Priority::decision, Priority::event};

constexpr std::size_t index(Priority priority) { return static_cast<std::size_t>(priority); }

}  // namespace

void OutboxDrain::link_up(std::size_t receive_maximum) {
  up_ = true;
  window_ = std::min(limits_.window, receive_maximum);
}

void OutboxDrain::link_down() {
  up_ = false;
  for (auto& [row, message] : in_flight_) {
    const Order order{message.priority, row};
    waiting_.emplace(order, std::move(message));
  }
  in_flight_.clear();
  busy_.clear();
  not_before_.clear();
}

void OutboxDrain::committed(Priority priority) { more_[index(priority)] = true; }

std::optional<OutboxQuery> OutboxDrain::next_query() const {
  for (const Priority priority : kPriorities) {
    // Urgent rows find room even while the buffer is full of patient ones.
    const std::size_t room = limits_.buffer + (2 - index(priority)) * limits_.buffer / 2;
    if (more_[index(priority)] && buffered() < room) {
      return OutboxQuery{priority, read_up_to_[index(priority)], room - buffered()};
    }
  }
  return std::nullopt;
}

void OutboxDrain::add(const OutboxQuery& query, std::vector<OutboxRow> rows) {
  more_[index(query.priority)] = rows.size() >= query.limit;
  for (OutboxRow& row : rows) {
    RowId& up_to = read_up_to_[index(query.priority)];
    up_to = std::max(up_to, row.row);
    waiting_.emplace(Order{query.priority, row.row}, std::move(row.message));
  }
}

std::vector<OutboxRow> OutboxDrain::take(const Now& now) {
  std::vector<OutboxRow> out;
  std::unordered_set<CustomerId> held;  // customers whose earlier message has to wait
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    const auto& [priority, row] = it->first;
    Message& message = it->second;
    if (now.wall_trusted && message.expires_at && *message.expires_at <= now.wall) {
      expired_.push_back(row);
      ++expired_total_;
      not_before_.erase(row);
      it = waiting_.erase(it);
      continue;
    }
    if (!up_ || in_flight_.size() >= window_) {
      ++it;
      continue;
    }
    const CustomerId& customer = message.customer;
    const auto later = not_before_.find(row);
    const bool wait = later != not_before_.end() && later->second > now.mono;
    if (wait || (!customer.empty() && (busy_.contains(customer) || held.contains(customer)))) {
      if (!customer.empty()) held.insert(customer);
      ++it;
      continue;
    }
    if (later != not_before_.end()) not_before_.erase(later);
    if (!customer.empty()) busy_.insert(customer);
    message.priority = priority;
    out.push_back({row, message});
    in_flight_.emplace(row, std::move(message));
    it = waiting_.erase(it);
  }
  return out;
}

std::vector<RowId> OutboxDrain::take_expired() { return std::exchange(expired_, {}); }

bool OutboxDrain::acked(RowId row) {
  const auto found = in_flight_.find(row);
  if (found == in_flight_.end()) return false;
  busy_.erase(found->second.customer);
  in_flight_.erase(found);
  return true;
}

void OutboxDrain::retry(RowId row, MonoTime not_before) {
  const auto found = in_flight_.find(row);
  if (found == in_flight_.end()) return;
  busy_.erase(found->second.customer);
  not_before_[row] = not_before;
  const Order order{found->second.priority, row};
  waiting_.emplace(order, std::move(found->second));
  in_flight_.erase(found);
}

void OutboxDrain::removed(const std::vector<RowId>& rows) {
  for (const RowId row : rows) {
    for (const Priority priority : kPriorities) waiting_.erase({priority, row});
    not_before_.erase(row);
  }
}

void OutboxDrain::removed(const CustomerId& customer) {
  if (customer.empty()) return;
  std::erase_if(waiting_, [&](const auto& entry) {
    if (entry.second.customer != customer) return false;
    not_before_.erase(entry.first.second);
    return true;
  });
}

std::optional<MonoTime> OutboxDrain::next_wake() const {
  std::optional<MonoTime> wake;
  for (const auto& [row, at] : not_before_) {
    if (!wake || at < *wake) wake = at;
  }
  return wake;
}

}  // namespace welcome::sync
