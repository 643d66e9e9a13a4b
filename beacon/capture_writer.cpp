// SPDX-License-Identifier: Apache-2.0
#include "beacon/capture_writer.h"

#include <utility>

#include "beacon/btsnoop.h"
#include "beacon/hci_events.h"

namespace welcome::beacon {

CaptureWriter::CaptureWriter(Strangers strangers) : strangers_(strangers) {
  put_btsnoop_header(bytes_);
}

void CaptureWriter::record(const AdvertReport& report, bool known, const Now& now) {
  ++(known ? known_ : strangers_heard_);
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
  // The wall clock when it was heard.
  put_btsnoop_record(bytes_, CaptureTime{now.wall} - (now.mono - report.at), HciPacketType::event,
                     true, event);
}

std::string CaptureWriter::take() { return std::exchange(bytes_, {}); }

}  // namespace welcome::beacon
