// SPDX-License-Identifier: Apache-2.0
// welcome-eval adverts, ad: what the parser makes of a capture or of single payloads.

#include <cstdint>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "beacon/capture.h"
#include "beacon/hci_events.h"
#include "core/hex.h"
#include "eval/command.h"
#include "eval/frames_json.h"

namespace welcome::eval {
namespace {

using Json = nlohmann::ordered_json;

std::string address_text(const beacon::Address& address) {
  std::string text = to_hex(address);
  for (const std::size_t at : {10U, 8U, 6U, 4U, 2U}) text.insert(at, 1, ':');
  return text;
}

// Names may hold any bytes; what is no UTF-8 is replaced.
std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

int adverts(Arguments arguments) {
  if (arguments.size() != 1) return usage_error("adverts CAPTURE");
  auto reader = beacon::open_capture(std::string(arguments[0]));
  if (!reader) {
    std::cerr << "welcome-eval adverts: " << reader.error().message << "\n";
    return 1;
  }
  beacon::CaptureRecord record;
  beacon::HciReportCounters counters;
  std::vector<beacon::AdvertReport> reports;
  std::uint64_t malformed_payloads = 0;
  while ((*reader)->next(record)) {
    if (record.type != beacon::HciPacketType::event) continue;
    reports.clear();
    beacon::parse_advertising_event(record.packet, MonoTime{record.at.time_since_epoch()}, reports,
                                    counters);
    for (const beacon::AdvertReport& report : reports) {
      const beacon::AdContent content = beacon::decode_ad(report.ad.view());
      if (content.malformed) ++malformed_payloads;
      Json line;
      line["t_us"] = report.at.time_since_epoch().count();
      line["addr"] = address_text(report.address);
      line["addr_type"] = static_cast<unsigned>(report.address_type);
      line["event"] = report.event_type;
      line["rssi"] = report.rssi_dbm;
      line["ad"] = to_hex(report.ad.view());
      line["frames"] = frames_json(content);
      std::cout << dump(line) << "\n";
    }
  }
  Json last;
  last["reports"] = counters.reports;
  last["malformed"] = malformed_payloads + counters.malformed();
  std::cout << dump(last) << std::endl;
  if ((*reader)->damage()) {
    std::cerr << "welcome-eval adverts: " << (*reader)->damage()->message << "\n";
    return 1;
  }
  return 0;
}

int ad(Arguments arguments) {
  if (!arguments.empty()) return usage_error("ad < HEX_LINES");
  std::string line;
  while (std::getline(std::cin, line)) {
    const auto first = line.find_first_not_of(" \t\r");
    const auto last = line.find_last_not_of(" \t\r");
    const std::string_view text = first == std::string::npos
                                      ? std::string_view{}
                                      : std::string_view(line).substr(first, last - first + 1);
    Json out;
    std::vector<std::uint8_t> bytes(text.size() / 2);
    if (from_hex(text, bytes)) {
      const beacon::AdContent content = beacon::decode_ad(bytes);
      out["frames"] = frames_json(content);
      out["malformed"] = content.malformed;
    } else {
      out["frames"] = Json::array();
      out["malformed"] = true;
      std::cerr << "welcome-eval ad: not hex\n";
    }
    std::cout << dump(out) << std::endl;  // flushed: callers may wait for the answer
  }
  return 0;
}

}  // namespace welcome::eval
