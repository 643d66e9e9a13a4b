// SPDX-License-Identifier: Apache-2.0
#include "firmware/engine/pin_tries.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "contract/json_text.h"

namespace welcome::daemon {

namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr std::chrono::minutes kFirstWait{2};
constexpr std::chrono::minutes kLongestWait{60};

}  // namespace

void PinTries::make_wait(Tries& tries, MonoTime now) {
  if (tries.wrong >= kFree) {
    const int doublings = std::min(tries.wrong - kFree, 5);
    tries.until = now + std::min(kFirstWait * (1 << doublings), kLongestWait);
  }
  if (tries.hour.size() >= kAnHour) tries.until = std::max(tries.until, tries.hour.front() + 1h);
}

std::optional<std::chrono::seconds> PinTries::wait(const std::vector<std::string>& keys,
                                                   MonoTime now) const {
  std::optional<std::chrono::seconds> longest;
  for (const auto& key : keys) {
    const auto found = all_.find(key);
    if (found == all_.end() || found->second.until <= now) continue;
    const auto left = std::chrono::ceil<std::chrono::seconds>(found->second.until - now);
    longest = std::max(longest.value_or(left), left);
  }
  return longest;
}

std::optional<std::chrono::seconds> PinTries::take(const std::vector<std::string>& keys,
                                                   MonoTime now) {
  if (const auto left = wait(keys, now)) return left;
  for (const auto& key : keys) {
    Tries& tries = all_[key];
    std::erase_if(tries.hour, [now](MonoTime at) { return at + 1h <= now; });
    ++tries.wrong;
    tries.hour.push_back(now);
    make_wait(tries, now);
  }
  return std::nullopt;
}

void PinTries::right(const std::vector<std::string>& keys) {
  for (const auto& key : keys) {
    const auto found = all_.find(key);
    if (found == all_.end()) continue;
    Tries& tries = found->second;
    tries.wrong = 0;
    tries.until = {};
    if (!tries.hour.empty()) tries.hour.pop_back();
    if (tries.hour.empty()) all_.erase(found);
  }
}

int PinTries::left(const std::vector<std::string>& keys) const {
  int least = kFree;
  for (const auto& key : keys) {
    if (const auto found = all_.find(key); found != all_.end()) {
      least = std::min(least, kFree - std::min(found->second.wrong, kFree));
    }
  }
  return least;
}

int PinTries::wrong(const std::string& key) const {
  const auto found = all_.find(key);
  return found == all_.end() ? 0 : found->second.wrong;
}

std::string PinTries::text() const {
  json out = json::object();
  for (const auto& [key, tries] : all_) out[key] = {tries.wrong, tries.hour.size()};
  return contract::dump(out);
}

void PinTries::load(std::string_view text, MonoTime now) {
  const json read = json::parse(text, nullptr, false);
  if (!read.is_object()) return;
  for (const auto& [key, value] : read.items()) {
    if (!value.is_array() || value.size() != 2 || !value[0].is_number_integer() ||
        !value[1].is_number_integer()) {
      continue;
    }
    Tries& tries = all_[key];
    tries.wrong = std::clamp(value[0].get<int>(), 0, 1000);
    tries.hour.assign(
        static_cast<std::size_t>(std::clamp(value[1].get<int>(), 0, static_cast<int>(kAnHour))),
        now);
    make_wait(tries, now);
  }
}

}  // namespace welcome::daemon
