// SPDX-License-Identifier: Apache-2.0
#include "beacon/h4_framer.h"

#include <algorithm>

#include "beacon/hci_events.h"

namespace welcome::beacon {
namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::uint8_t kH4Event = 0x04;
constexpr std::size_t kEventHeader = 3;

constexpr std::uint8_t kCommandComplete = 0x0E;
constexpr std::uint8_t kCommandStatus = 0x0F;
constexpr std::uint8_t kHardwareError = 0x10;
constexpr std::uint8_t kDataBufferOverflow = 0x1A;
constexpr std::uint8_t kVendor = 0xFF;

enum class Fit : std::uint8_t {
  no,       // no packet begins here
  partly,   // one may
  roughly,  // a whole packet whose inside is not as it should be
  whole,
};

struct Judged {
  Fit fit = Fit::no;
  std::size_t length = 0;  // of a whole one
};

// Opcode groups that we send commands of: nothing, controller, information, LE.
bool answers_us(std::uint8_t opcode_high) {
  const unsigned group = opcode_high >> 2U;
  return group == 0x03 || group == 0x04 || group == 0x08;
}

// The advertising reports in `b`, which begins at the subevent and should have `length` bytes: do
// they end where the event does?
Fit judge_reports(Bytes b, std::size_t length) {
  constexpr std::size_t kBefore = 2;  // subevent, number
  if (length < kBefore) return Fit::no;
  if (b.empty()) return Fit::partly;
  const bool extended = b[0] == kSubeventExtendedAdvertisingReport;
  if (!extended && b[0] != kSubeventAdvertisingReport) return Fit::no;
  if (b.size() < kBefore) return Fit::partly;
  const std::size_t length_at = extended ? 23 : 8;
  const std::size_t behind = extended ? 0 : 1;  // RSSI
  std::size_t at = kBefore;
  for (unsigned i = 0; i < b[1]; ++i) {
    if (at + length_at + 1 + behind > length) return Fit::roughly;
    if (at + length_at >= b.size()) return Fit::partly;
    at += length_at + 1 + b[at + length_at] + behind;
    if (at > length) return Fit::roughly;
  }
  if (b[1] == 0 || at != length) return Fit::roughly;
  return b.size() < length ? Fit::partly : Fit::whole;
}

// What begins at the front of `b`. `sure`: behind a whole packet, where less must fit.
Judged judge(Bytes b, bool sure) {
  if (b.empty()) return {Fit::partly};
  if (b[0] != kH4Event) return {};
  if (b.size() < 2) return {Fit::partly};
  const std::uint8_t code = b[1];
  const bool known = code == kCommandComplete || code == kCommandStatus || code == kHardwareError ||
                     code == kDataBufferOverflow || code == kEventLeMeta ||
                     (code == kVendor && sure);
  if (!known) return {};
  if (b.size() < kEventHeader) return {Fit::partly};
  const std::size_t length = b[2];
  const std::size_t all = kEventHeader + length;
  const Bytes inside = b.subspan(kEventHeader);
  const bool here = b.size() >= all;
  switch (code) {
    case kCommandComplete: {
      constexpr std::size_t kLongest = 3 + 1 + 64;  // supported commands
      if (length < 3 || length > kLongest) return {};
      if (inside.size() >= 3 && !answers_us(inside[2]) && (inside[1] != 0 || inside[2] != 0)) {
        return {};
      }
      break;
    }
    case kCommandStatus:
      if (length != 4) return {};
      if (inside.size() >= 4 && !answers_us(inside[3]) && (inside[2] != 0 || inside[3] != 0)) {
        return {};
      }
      break;
    case kHardwareError:
    case kDataBufferOverflow:
      if (length != 1) return {};
      break;
    case kEventLeMeta: {
      const Fit fit = judge_reports(inside.first(std::min(length, inside.size())), length);
      // What contradicts itself before its end is not waited for.
      if (fit == Fit::roughly && (!here || !sure)) return {};
      return {fit, all};
    }
    default:
      break;
  }
  return {here ? Fit::whole : Fit::partly, all};
}

// Of a packet of `length` bytes at the front of `b`: the place inside it where a packet begins that
// does not end within it, and that has a whole one's looks, or nothing against it so far. 0: there
// is none.
std::size_t begins_within(Bytes b, std::size_t length) {
  std::size_t perhaps = 0;
  for (std::size_t at = 1; at < length; ++at) {
    const Judged inner = judge(b.subspan(at), false);
    if (inner.fit == Fit::whole && at + inner.length > length) return at;
    if (inner.fit == Fit::partly && perhaps == 0) perhaps = at;
  }
  return b.size() > length ? perhaps : 0;
}

// Debug output of the vendor's, or a wrong length with other events in it?
std::size_t event_within(Bytes vendor) {
  for (std::size_t at = 1; at < vendor.size(); ++at) {
    const Judged inner = judge(vendor.subspan(at), false);
    if (inner.fit == Fit::whole && vendor[at + 1] == kEventLeMeta) return at;
  }
  return 0;
}

}  // namespace

void H4Framer::skip_to(std::size_t next) {
  if (next > out_) {
    skipped_ += next - out_;
    if (!lost_) ++losses_;
    lost_ = true;
  }
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(next));
  out_ = 0;
}

// To the next place where a packet may begin.
void H4Framer::skip() {
  std::size_t next = out_ + 1;
  while (next < buffer_.size() && judge(Bytes(buffer_).subspan(next), false).fit == Fit::no) ++next;
  skip_to(next);
}

void H4Framer::cut(std::vector<std::vector<std::uint8_t>>& packets) {
  while (out_ < buffer_.size()) {
    const Bytes rest = Bytes(buffer_).subspan(out_);
    const Judged here = judge(rest, !lost_ && out_ > 0);
    if (here.fit == Fit::partly) return;
    if (here.fit == Fit::no) {
      // The packet that came out last may have taken the first bytes of this one.
      const std::size_t within = out_ > 0 ? begins_within(buffer_, out_) : 0;
      if (within > 0) {
        ++losses_;
        buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(within));
        out_ = 0;
        continue;
      }
      skip();
      continue;
    }
    // Whole, as far as it can tell by itself. What follows may tell more.
    const Bytes packet = rest.first(here.length);
    std::size_t within = packet[1] == kVendor ? event_within(packet) : 0;
    if (within == 0 && judge(rest.subspan(here.length), true).fit == Fit::no) {
      within = begins_within(rest, here.length);
    }
    if (within > 0) {
      skip_to(out_ + within);
      continue;
    }
    packets.emplace_back(packet.begin(), packet.end());
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(out_));
    out_ = here.length;
    lost_ = false;
  }
}

void H4Framer::feed(Bytes bytes, std::vector<std::vector<std::uint8_t>>& packets) {
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  cut(packets);
}

void H4Framer::idle(std::vector<std::vector<std::uint8_t>>& packets) {
  while (out_ < buffer_.size()) {
    skip();
    cut(packets);
  }
}

}  // namespace welcome::beacon
