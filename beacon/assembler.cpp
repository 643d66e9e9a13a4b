#include "beacon/assembler.h"

#include <algorithm>
#include <utility>

namespace welcome::beacon {
namespace {

constexpr std::size_t kWaiting = 32;
constexpr std::size_t kScannable = 32;
constexpr std::size_t kLongestData = 1650;  // Vol 6, Part B, 2.3.4.9
constexpr MonoClock::duration kPatience = std::chrono::seconds{1};
constexpr unsigned kMoreToCome = 1;
constexpr unsigned kTruncated = 2;

bool same_advertiser(const AdvertReport& a, const AdvertReport& b) {
  return a.address == b.address && a.address_type == b.address_type && a.set_id == b.set_id;
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
}

bool AdvertAssembler::keep(AdvertReport& report) {
  const unsigned status = report.data_status();
  if (report.extended && (status != 0 || !fragments_.empty())) {
    std::erase_if(fragments_, [&](const AdvertReport& waiting) {
      const bool late = report.at - waiting.at > kPatience;
      counters_.abandoned += late ? 1 : 0;
      return late;
    });
    const auto start = std::find_if(fragments_.begin(), fragments_.end(), [&](const auto& waiting) {
      return same_advertiser(waiting, report) && waiting.scan_response() == report.scan_response();
    });
    const bool has_start = start != fragments_.end();
    if (has_start && start->ad.size() + report.ad.size() > kLongestData) {
      fragments_.erase(start);
      ++counters_.abandoned;
      return false;
    }
    if (status == kMoreToCome) {
      if (has_start) {
        start->ad.append(report.ad.view());
        start->rssi_dbm = report.rssi_dbm;
      } else if (fragments_.size() < kWaiting) {
        fragments_.push_back(std::move(report));
      } else {
        ++counters_.abandoned;
      }
      return false;
    }
    if (status == kTruncated) ++counters_.truncated;
    if (has_start) {
      AdBytes whole = std::move(start->ad);
      whole.append(report.ad.view());
      report.ad = std::move(whole);
      fragments_.erase(start);
      ++counters_.joined_fragments;
    }
    // Of a truncated advert the AD structures that are whole still count; the walker finds the end.
  }

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
