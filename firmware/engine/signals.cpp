// SPDX-License-Identifier: Apache-2.0
#include "firmware/engine/signals.h"

#include <algorithm>
#include <tuple>

#include "beacon/plausible.h"

namespace welcome::daemon {

namespace {

using namespace std::chrono_literals;
using contract::SignalView;

constexpr auto kLooks = 10s;  // since the last look
constexpr auto kStays = 3s;   // heard so long ago at most
constexpr double kNew = 0.3;  // share of the newest report

SignalView::By by(beacon::IdentityKind kind) {
  using beacon::IdentityKind;
  return kind == IdentityKind::irk || kind == IdentityKind::rotating_uuid ? SignalView::By::phone
                                                                          : SignalView::By::fob;
}

int bars(double rssi_dbm) {
  if (rssi_dbm >= -60) return 4;
  if (rssi_dbm >= -70) return 3;
  return rssi_dbm >= -80 ? 2 : 1;
}

}  // namespace

void Signals::heard(const beacon::AdvertReport& report, const beacon::Resolved& match,
                    const beacon::Tracker& tracker, const Now& now) {
  if (until_ <= now.mono || !beacon::is_possible_rssi(report.rssi_dbm)) return;
  const auto [row, fresh] = rows_.try_emplace({tracker.customer(match), match.kind});
  const double said = report.rssi_dbm;
  row->second.rssi_dbm = fresh ? said : row->second.rssi_dbm + kNew * (said - row->second.rssi_dbm);
  row->second.heard = now.mono;
}

std::vector<SignalView> Signals::look(const beacon::Tracker& tracker, const Now& now) {
  if (until_ <= now.mono) rows_.clear();
  until_ = now.mono + kLooks;
  std::erase_if(rows_, [&](const auto& row) { return now.mono - row.second.heard > kStays; });
  std::vector<SignalView> out;
  for (const auto& [key, row] : rows_) {
    const auto place = tracker.place(key.first);
    if (place) out.push_back({by(key.second), bars(row.rssi_dbm), place->settled});
  }
  // By nothing that goes on from one look to the next.
  std::sort(out.begin(), out.end(), [](const SignalView& a, const SignalView& b) {
    return std::tie(b.bars, b.zone, a.by) < std::tie(a.bars, a.zone, b.by);
  });
  return out;
}

}  // namespace welcome::daemon
