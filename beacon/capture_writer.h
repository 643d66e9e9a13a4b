// SPDX-License-Identifier: Apache-2.0
#pragma once
// CaptureWriter: what the radio hears as a btsnoop file that other tools open. Strangers'
// addresses and payloads are left out: of them only time, RSSI and kind of event are kept, unless
// the technician asks for everything. Makes bytes, whole records; where they go is the caller's
// business. One thread.

#include <string>

#include "beacon/advert.h"
#include "core/time.h"

namespace welcome::beacon {

enum class Strangers : std::uint8_t {
  left_out,
  recorded,  // only where the law and the people present allow it
};

class CaptureWriter {
 public:
  explicit CaptureWriter(Strangers strangers);

  // `known`: of an identity that the box knows (Tracker::last_match).
  void record(const AdvertReport& report, bool known, const Now& now);
  // What has come since the last call; the first begins with the file's header.
  std::string take();
  std::size_t waiting() const { return bytes_.size(); }

  std::uint64_t known() const { return known_; }
  std::uint64_t strangers() const { return strangers_heard_; }

 private:
  Strangers strangers_;
  std::string bytes_;
  std::uint64_t known_ = 0;
  std::uint64_t strangers_heard_ = 0;
};

}  // namespace welcome::beacon
