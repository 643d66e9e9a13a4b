#pragma once
// AdvertRecorder: what the radio hears as a btsnoop file that other tools open. Strangers'
// addresses and payloads are left out: of them only time, RSSI and kind of event are kept, unless
// the technician asks for everything. One thread.

#include <filesystem>

#include "beacon/advert.h"
#include "beacon/btsnoop.h"
#include "firmware/core/result.h"

namespace welcome::beacon {

enum class Strangers : std::uint8_t {
  left_out,
  recorded,  // only where the law and the people present allow it
};

class AdvertRecorder {
 public:
  static Result<AdvertRecorder> create(const std::filesystem::path& file,
                                       Strangers strangers = Strangers::left_out);

  // `known`: of an identity that the box knows (Tracker::last_was_known).
  Result<void> record(const AdvertReport& report, bool known, const Now& now);
  Result<void> close() { return writer_.close(); }
  std::uint64_t recorded() const { return recorded_; }

 private:
  AdvertRecorder(BtsnoopWriter writer, Strangers strangers)
      : writer_(std::move(writer)), strangers_(strangers) {}

  BtsnoopWriter writer_;
  Strangers strangers_;
  std::uint64_t recorded_ = 0;
};

}  // namespace welcome::beacon
