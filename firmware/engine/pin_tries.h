// SPDX-License-Identifier: Apache-2.0
#pragma once
// PinTries: how often a PIN was tried in vain, by tablet and by person, and from when on it is
// looked at again. Five are free; then there is a wait that doubles with each, from two minutes to
// an hour; and never are it more than ten in an hour, whoever signs in rightly in between. Asks no
// clock; what is kept over a restart holds no time, so the waits begin anew. One thread.

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/time.h"

namespace welcome::daemon {

class PinTries {
 public:
  static constexpr int kFree = 5;
  static constexpr std::size_t kAnHour = 10;

  // Takes one try of each of these before it is known whether it is right, so that many at once are
  // counted as many. What is left of the wait when one of them has to; then nothing is taken.
  std::optional<std::chrono::seconds> take(const std::vector<std::string>& keys, MonoTime now);
  // It was right: the try is given back, and what was in vain before is forgiven.
  void right(const std::vector<std::string>& keys);
  void forget(const std::string& key) { all_.erase(key); }

  // Free tries that are left, and the wait if there is one.
  int left(const std::vector<std::string>& keys) const;
  std::optional<std::chrono::seconds> wait(const std::vector<std::string>& keys,
                                           MonoTime now) const;
  // In a row, for the audit trail.
  int wrong(const std::string& key) const;

  // For the disk. What cannot be read is nothing.
  std::string text() const;
  void load(std::string_view text, MonoTime now);

 private:
  struct Tries {
    int wrong = 0;  // in a row
    MonoTime until;
    std::vector<MonoTime> hour;  // of the last hour, oldest first
  };
  static void make_wait(Tries& tries, MonoTime now);
  std::map<std::string, Tries> all_;
};

}  // namespace welcome::daemon
