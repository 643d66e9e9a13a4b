// SPDX-License-Identifier: Apache-2.0
#include "beacon/assembler.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "beacon/ad.h"

namespace welcome::beacon {
namespace {

constexpr std::size_t kWaiting = 32;
constexpr std::size_t kScannable = 32;
constexpr std::size_t kLongestData = 1650;  // Vol 6, Part B, 2.3.4.9
constexpr MonoClock::duration kPatience = std::chrono::seconds{1};

bool same_advertiser(const AdvertReport& a, const AdvertReport& b) {
  return a.address == b.address && a.address_type == b.address_type && a.set_id == b.set_id;
}

// A controller that never tells the end of an advert sends its beginning again and again: the same
// bytes are no continuation, unless they are so few that they may be the same by chance.
bool begins_again(Bytes first, Bytes fragment) {
  constexpr std::size_t kByChance = 3;
  return first.size() > kByChance && std::ranges::equal(first, fragment);
}

bool scannable(const AdvertReport& r) {
  if (r.extended) return (r.event_type & 0x02U) != 0;
  return r.event_type == 0 || r.event_type == 2;  // ADV_IND, ADV_SCAN_IND
}

}  // namespace

void AdvertAssembler::process(std::vector<AdvertReport>& batch) {
  // One pass in order: a fragment and its rest may be in the same batch.
  std::size_t kept = 0;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (!keep(batch[i])) continue;
    if (kept != i) batch[kept] = std::move(batch[i]);
    ++kept;
  }
  batch.erase(batch.begin() + static_cast<std::ptrdiff_t>(kept), batch.end());
  std::move(abandoned_.begin(), abandoned_.end(), std::back_inserter(batch));
  abandoned_.clear();
}

void AdvertAssembler::abandon(std::size_t index) {
  ++counters_.abandoned;
  AdvertReport report = std::move(fragments_[index].report);
  fragments_.erase(fragments_.begin() + static_cast<std::ptrdiff_t>(index));
  const std::size_t whole = whole_structures(report.ad.view());
  if (whole == 0) return;
  ++counters_.first_parts;
  report.ad = AdBytes(report.ad.view().first(whole));
  abandoned_.push_back(std::move(report));
}

void AdvertAssembler::abandon_late(MonoTime now) {
  for (std::size_t i = fragments_.size(); i-- > 0;) {
    if (now - fragments_[i].report.at > kPatience) abandon(i);
  }
}

bool AdvertAssembler::waits(AdvertReport& report) {
  abandon_late(report.at);
  auto start = std::find_if(fragments_.begin(), fragments_.end(), [&](const auto& waiting) {
    return same_advertiser(waiting.report, report) &&
           waiting.report.scan_response() == report.scan_response();
  });
  const auto index = [&] { return static_cast<std::size_t>(start - fragments_.begin()); };
  if (start != fragments_.end() &&
      begins_again(start->report.ad.view().first(start->first), report.ad.view())) {
    abandon(index());
    start = fragments_.end();
  }
  const bool has_start = start != fragments_.end();
  if (has_start && start->report.ad.size() + report.ad.size() > kLongestData) {
    abandon(index());
    return true;
  }
  if (report.data_status() == kDataMoreToCome) {
    if (has_start) {
      start->report.ad.append(report.ad.view());
      start->report.rssi_dbm = report.rssi_dbm;
      return true;
    }
    if (fragments_.size() >= kWaiting) abandon(0);
    const std::size_t first = report.ad.size();
    fragments_.push_back({std::move(report), first});
    return true;
  }
  if (report.data_status() == kDataTruncated) ++counters_.truncated;
  if (has_start) {
    AdBytes whole = std::move(start->report.ad);
    whole.append(report.ad.view());
    report.ad = std::move(whole);
    fragments_.erase(start);
    ++counters_.joined_fragments;
  }
  // Of a truncated advert the AD structures that are whole still count; the walker finds the end.
  return false;
}

bool AdvertAssembler::keep(AdvertReport& report) {
  const bool may_wait =
      report.extended && (report.data_status() != kDataComplete || !fragments_.empty());
  if (may_wait && waits(report)) return false;

  if (report.scan_response()) {
    for (const AdvertReport& advert : scannable_) {
      if (!same_advertiser(advert, report) || report.at - advert.at > kPatience) continue;
      AdBytes whole = advert.ad;
      whole.append(report.ad.view());
      report.ad = std::move(whole);
      ++counters_.joined_responses;
      break;
    }
  } else if (scannable(report)) {
    const auto known = std::find_if(scannable_.begin(), scannable_.end(), [&](const auto& advert) {
      return same_advertiser(advert, report);
    });
    if (known != scannable_.end()) {
      *known = report;
    } else if (scannable_.size() < kScannable) {
      scannable_.push_back(report);
    } else {
      scannable_[next_scannable_] = report;
      next_scannable_ = (next_scannable_ + 1) % kScannable;
    }
  }
  return true;
}

}  // namespace welcome::beacon
