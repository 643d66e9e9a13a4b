#include "beacon/recorder.h"

#include <utility>

#include "beacon/hci_events.h"

namespace welcome::beacon {

Result<AdvertRecorder> AdvertRecorder::create(const std::filesystem::path& file,
                                              Strangers strangers) {
  auto writer = BtsnoopWriter::create(file);
  if (!writer) return tl::unexpected(writer.error());
  return AdvertRecorder(std::move(*writer), strangers);
}

Result<void> AdvertRecorder::record(const AdvertReport& report, bool known, const Now& now) {
  std::vector<std::uint8_t> event;
  if (known || strangers_ == Strangers::recorded) {
    event = make_advertising_event(report);
  } else {
    AdvertReport nobody;
    nobody.address_type = AddressType::random_device;
    nobody.extended = report.extended;
    nobody.event_type = report.event_type;
    nobody.rssi_dbm = report.rssi_dbm;
    event = make_advertising_event(nobody);
  }
  ++recorded_;
  // The wall clock when it was heard.
  return writer_.write(CaptureTime{now.wall} - (now.mono - report.at), HciPacketType::event, true,
                       event);
}

}  // namespace welcome::beacon
