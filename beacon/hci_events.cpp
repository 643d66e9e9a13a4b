// SPDX-License-Identifier: Apache-2.0
#include "beacon/hci_events.h"

#include <algorithm>
#include <cstddef>

namespace welcome::beacon {
namespace {

using Bytes = std::span<const std::uint8_t>;

Address read_address(Bytes b, std::size_t from) {  // on the wire least significant byte first
  Address address;
  std::reverse_copy(b.begin() + static_cast<std::ptrdiff_t>(from),
                    b.begin() + static_cast<std::ptrdiff_t>(from + 6), address.begin());
  return address;
}

// Each reads one report from the front of `rest` and says how long it was; 0 = it does not fit.

// Core 5.4, Vol 4, Part E, 7.7.65.2: event type, address type, address, data length, data, RSSI.
std::size_t read_legacy(Bytes rest, AdvertReport& report) {
  constexpr std::size_t kHeader = 9;
  if (rest.size() < kHeader) return 0;
  const std::size_t length = rest[8];
  if (rest.size() < kHeader + length + 1) return 0;
  report.event_type = rest[0];
  report.address_type = static_cast<AddressType>(rest[1]);
  report.address = read_address(rest, 2);
  report.ad.append(rest.subspan(kHeader, length));
  report.rssi_dbm = static_cast<std::int8_t>(rest[kHeader + length]);
  return kHeader + length + 1;
}

// Core 5.4, Vol 4, Part E, 7.7.65.13.
std::size_t read_extended(Bytes rest, AdvertReport& report) {
  constexpr std::size_t kHeader = 24;
  if (rest.size() < kHeader) return 0;
  const std::size_t length = rest[23];
  if (rest.size() < kHeader + length) return 0;
  report.extended = true;
  report.event_type = static_cast<std::uint16_t>(rest[0] | (rest[1] << 8U));
  report.address_type = static_cast<AddressType>(rest[2]);
  report.address = read_address(rest, 3);
  report.set_id = rest[11];
  report.tx_power_dbm = static_cast<std::int8_t>(rest[12]);
  report.rssi_dbm = static_cast<std::int8_t>(rest[13]);
  report.ad.append(rest.subspan(kHeader, length));
  return kHeader + length;
}

}  // namespace

void parse_advertising_event(Bytes event, MonoTime at, std::vector<AdvertReport>& out,
                             HciReportCounters& counters) {
  if (event.size() < 3 || event[0] != kEventLeMeta) return;
  const std::uint8_t subevent = event[2];
  if (subevent != kSubeventAdvertisingReport && subevent != kSubeventExtendedAdvertisingReport) {
    return;
  }
  ++counters.events;

  Bytes rest = event.subspan(2);
  if (event[1] > rest.size()) {
    ++counters.truncated_event;
  } else {
    rest = rest.first(event[1]);
  }
  if (rest.size() < 2 || rest[1] == 0) {
    ++counters.no_reports;
    return;
  }

  const unsigned reports = rest[1];
  rest = rest.subspan(2);
  for (unsigned i = 0; i < reports; ++i) {
    AdvertReport report;
    report.at = at;
    const std::size_t length = subevent == kSubeventAdvertisingReport ? read_legacy(rest, report)
                                                                      : read_extended(rest, report);
    if (length == 0) {
      ++counters.short_report;
      return;
    }
    rest = rest.subspan(length);
    ++counters.reports;
    out.push_back(std::move(report));
  }
  if (!rest.empty()) ++counters.trailing_bytes;
}

std::vector<std::uint8_t> make_advertising_event(const AdvertReport& report) {
  const Bytes ad =
      report.ad.view().first(std::min<std::size_t>(report.ad.size(), report.extended ? 229U : 31U));
  std::vector<std::uint8_t> e{kEventLeMeta, 0};
  const auto put_address = [&] {
    e.push_back(static_cast<std::uint8_t>(report.address_type));
    e.insert(e.end(), report.address.rbegin(), report.address.rend());
  };
  const auto put_data = [&] {
    e.push_back(static_cast<std::uint8_t>(ad.size()));
    e.insert(e.end(), ad.begin(), ad.end());
  };
  const auto rssi = static_cast<std::uint8_t>(report.rssi_dbm);
  if (report.extended) {
    e.insert(e.end(), {kSubeventExtendedAdvertisingReport, 1,
                       static_cast<std::uint8_t>(report.event_type & 0xFFU),
                       static_cast<std::uint8_t>(report.event_type >> 8U)});
    put_address();
    e.insert(e.end(), {1, 0, report.set_id, static_cast<std::uint8_t>(report.tx_power_dbm), rssi});
    e.insert(e.end(), 9, 0);  // no periodic advertising, no direct address
    put_data();
  } else {
    e.insert(e.end(),
             {kSubeventAdvertisingReport, 1, static_cast<std::uint8_t>(report.event_type)});
    put_address();
    put_data();
    e.push_back(rssi);
  }
  e[1] = static_cast<std::uint8_t>(e.size() - 2);
  return e;
}

}  // namespace welcome::beacon
