// SPDX-License-Identifier: Apache-2.0
#pragma once
// H4Framer: cuts what a controller sends over a serial line into events. A line loses bytes, and H4
// has no mark where a packet begins: so only what a controller sends who has no connections counts
// as one (event codes, lengths and the layout of advertising reports are looked at), and after a
// loss the first event that fits is the way back. Costs the damaged event, seldom one more.
// Core Specification 5.4, Vol 4, Part A, 2 and Part E, 5.4.4 and 7.7. Bytes from outside; one
// thread.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace welcome::beacon {

class H4Framer {
 public:
  // Appends whole packets, with their H4 type. How the bytes are split between calls only matters
  // to a damaged packet: it may come out when nothing shows yet that it is one.
  void feed(std::span<const std::uint8_t> bytes, std::vector<std::vector<std::uint8_t>>& packets);
  // The line was idle for longer than a packet takes: what is incomplete stays so.
  void idle(std::vector<std::vector<std::uint8_t>>& packets);

  std::uint64_t skipped() const { return skipped_; }  // bytes that belonged to no packet
  std::uint64_t losses() const { return losses_; }    // stretches of them

 private:
  void cut(std::vector<std::vector<std::uint8_t>>& packets);
  void skip();
  void skip_to(std::size_t next);

  // Begins with the last packet that came out, for as long as what follows it is not sure.
  std::vector<std::uint8_t> buffer_;
  std::size_t out_ = 0;  // bytes of that one
  bool lost_ = false;    // no packet has come since bytes were skipped
  std::uint64_t skipped_ = 0;
  std::uint64_t losses_ = 0;
};

}  // namespace welcome::beacon
