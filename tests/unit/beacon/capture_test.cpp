// SPDX-License-Identifier: Apache-2.0
// The same traffic in every format that is read, and what a replay makes of it.

#include "beacon/capture.h"

#include <array>
#include <fstream>
#include <future>
#include <gtest/gtest.h>
#include <sstream>
#include <unistd.h>

#include "beacon/ad.h"
#include "beacon/btsnoop.h"
#include "beacon/capture_source.h"
#include "beacon/hci_events.h"
#include "tests/unit/beacon/adverts.h"

namespace welcome::beacon {
namespace {

using namespace testing;
using std::chrono::microseconds;
using Bytes = std::vector<std::uint8_t>;

constexpr CaptureTime kStart{microseconds{1'700'000'000'123'456}};

// A number, least or most significant byte first.
struct Order {
  bool little;
  void put(std::string& out, std::uint64_t value, unsigned bytes) const {
    for (unsigned i = 0; i < bytes; ++i) {
      out += static_cast<char>(value >> (8 * (little ? i : bytes - 1 - i)));
    }
  }
};

CaptureTime at(unsigned number) { return kStart + std::chrono::milliseconds{10} * number; }

// Three adverts; before the second a command.
std::vector<std::pair<std::uint8_t, Bytes>> packets() {
  std::vector<std::pair<std::uint8_t, Bytes>> out;
  for (int i = 0; i < 3; ++i) {
    if (i == 1) out.emplace_back(1, from_hex("0c200201"));
    out.emplace_back(4, make_advertising_event(fob_advert(fob("x"), -60 - i, now_at(0))));
  }
  return out;
}

std::string text(const Bytes& bytes) { return {bytes.begin(), bytes.end()}; }

// What stands in front of the packet with data link `link`.
std::string wrapped(unsigned link, std::uint8_t type, const Bytes& packet) {
  std::string out;
  const Order big{false};
  if (link == 201) big.put(out, type == 4 ? 1 : 0, 4);
  if (link == 254) {
    big.put(out, 0, 2);
    big.put(out, type == 4 ? 3 : 2, 2);
  } else {
    out += static_cast<char>(type);
  }
  return out + text(packet);
}

std::string pcap(unsigned link, bool little, bool nano) {
  const Order order{little};
  std::string out;
  order.put(out, nano ? 0xA1B23C4D : 0xA1B2C3D4, 4);
  order.put(out, 2, 2);
  order.put(out, 4, 2);
  order.put(out, 0, 8);
  order.put(out, 65535, 4);
  order.put(out, link, 4);
  unsigned number = 0;
  for (const auto& [type, packet] : packets()) {
    const std::string data = wrapped(link, type, packet);
    const auto us = static_cast<std::uint64_t>(at(number++).time_since_epoch().count());
    order.put(out, us / 1'000'000, 4);
    order.put(out, us % 1'000'000 * (nano ? 1000 : 1), 4);
    order.put(out, data.size(), 4);
    order.put(out, data.size(), 4);
    out += data;
  }
  return out;
}

std::string block(const Order& order, std::uint32_t type, std::string body) {
  body.resize((body.size() + 3) / 4 * 4);
  std::string out;
  order.put(out, type, 4);
  order.put(out, body.size() + 12, 4);
  out += body;
  order.put(out, body.size() + 12, 4);
  return out;
}

std::string pcapng(unsigned link, bool little, bool nano) {
  const Order order{little};
  std::string section;
  order.put(section, 0x1A2B3C4D, 4);
  order.put(section, 1, 2);
  order.put(section, 0, 2);
  order.put(section, ~std::uint64_t{0}, 8);
  std::string ethernet;  // of the same file, and not read
  order.put(ethernet, 1, 2);
  order.put(ethernet, 0, 6);
  std::string interface;
  order.put(interface, link, 2);
  order.put(interface, 0, 6);
  if (nano) {
    order.put(interface, 9, 2);  // if_tsresol
    order.put(interface, 1, 2);
    order.put(interface, 9, 1);
    order.put(interface, 0, 3);
    order.put(interface, 0, 4);
  }
  std::string out = block(order, 0x0A0D0D0A, section) + block(order, 1, ethernet) +
                    block(order, 1, interface) + block(order, 0x0BAD, "a comment");
  const auto packet_block = [&](std::uint32_t on, std::uint64_t units, const std::string& data) {
    std::string body;
    order.put(body, on, 4);
    order.put(body, units >> 32U, 4);
    order.put(body, units & 0xFFFFFFFF, 4);
    order.put(body, data.size(), 4);
    order.put(body, data.size(), 4);
    return block(order, 6, body + data);
  };
  unsigned number = 0;
  for (const auto& [type, packet] : packets()) {
    const auto us = static_cast<std::uint64_t>(at(number++).time_since_epoch().count());
    out += packet_block(0, us, "a frame of the Ethernet");
    out += packet_block(1, us * (nano ? 1000 : 1), wrapped(link, type, packet));
  }
  return out;
}

std::string packet_logger(bool little) {
  const Order order{little};
  std::string out;
  unsigned number = 0;
  for (const auto& [type, packet] : packets()) {
    const auto us = static_cast<std::uint64_t>(at(number++).time_since_epoch().count());
    const auto record = [&](std::uint8_t kind, const std::string& data) {
      order.put(out, data.size() + 9, 4);
      order.put(out, us / 1'000'000, 4);
      order.put(out, us % 1'000'000, 4);
      out += static_cast<char>(kind);
      out += data;
    };
    record(0xFC, "a note");
    record(type == 4 ? 1 : 0, text(packet));
  }
  return out;
}

Result<std::unique_ptr<CaptureReader>> read(std::string bytes) {
  return read_capture(std::make_unique<std::istringstream>(std::move(bytes)));
}

void expect_packets(std::string bytes, std::string_view format) {
  auto reader = read(std::move(bytes));
  ASSERT_TRUE(reader) << reader.error().message;
  EXPECT_EQ((*reader)->format(), format);
  CaptureRecord record;
  unsigned number = 0;
  for (const auto& [type, packet] : packets()) {
    ASSERT_TRUE((*reader)->next(record)) << format;
    EXPECT_EQ(record.at, at(number++));
    EXPECT_EQ(static_cast<int>(record.type), type);
    EXPECT_EQ(record.from_controller, type == 4);
    EXPECT_EQ(record.packet, packet);
  }
  EXPECT_FALSE((*reader)->next(record));
  EXPECT_FALSE((*reader)->damage());
}

TEST(Capture, EveryFormatIsReadByItsContent) {
  for (const bool little : {true, false}) {
    for (const bool nano : {true, false}) {
      for (const unsigned link : {187U, 201U, 254U}) {
        SCOPED_TRACE(link);
        expect_packets(pcap(link, little, nano), "pcap");
        expect_packets(pcapng(link, little, nano), "pcapng");
      }
    }
    expect_packets(packet_logger(little), "PacketLogger");
  }
  std::string btsnoop;
  put_btsnoop_header(btsnoop);
  unsigned number = 0;
  for (const auto& [type, packet] : packets()) {
    put_btsnoop_record(btsnoop, at(number++), static_cast<HciPacketType>(type), type == 4, packet);
  }
  expect_packets(btsnoop, "btsnoop");
}

TEST(Capture, WhatIsNoneIsRefusedWithTheReason) {
  for (const std::string& bytes : {std::string(), std::string("hello, this is a letter"),
                                   std::string(100, '\0'), std::string("\x89PNG\r\n\x1a\n0000")}) {
    const auto reader = read(bytes);
    ASSERT_FALSE(reader);
    EXPECT_EQ(reader.error().code, ErrorCode::malformed);
    EXPECT_NE(reader.error().message.find("pcapng"), std::string::npos) << "it says what is known";
  }
  // What a sniffer writes is not what a controller told.
  const auto sniffed = read(pcap(251, true, false));
  ASSERT_FALSE(sniffed);
  EXPECT_NE(sniffed.error().message.find("251"), std::string::npos);
  EXPECT_EQ(open_capture("/nowhere/at.all").error().code, ErrorCode::not_found);
}

TEST(Capture, ACutOffFileGivesItsWholeRecordsAndSaysThatItIsDamaged) {
  for (std::string bytes :
       {pcap(187, true, false), pcapng(201, false, true), packet_logger(true)}) {
    bytes.resize(bytes.size() - 5);
    auto reader = read(bytes);
    ASSERT_TRUE(reader);
    CaptureRecord record;
    int records = 0;
    while ((*reader)->next(record)) ++records;
    EXPECT_EQ(records, 3);
    EXPECT_TRUE((*reader)->damage());
  }
}

TEST(Capture, ARecordOfAnImpossibleTimeIsDamage) {
  std::string bytes = pcapng(201, true, false);
  const std::string packet_block("\x06\x00\x00\x00", 4);
  for (auto at = bytes.find(packet_block); at != std::string::npos;
       at = bytes.find(packet_block, at + 4)) {
    bytes.replace(at + 12, 4, "\xFF\xFF\xFF\x0F");  // the upper half of its stamp
  }
  auto reader = read(bytes);
  ASSERT_TRUE(reader);
  CaptureRecord record;
  EXPECT_FALSE((*reader)->next(record));
  ASSERT_TRUE((*reader)->damage());
  EXPECT_NE((*reader)->damage()->message.find("time"), std::string::npos);
}

class Replay : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(file_); }

  std::vector<AdvertReport> play(const std::string& bytes) {
    std::ofstream(file_, std::ios::binary) << bytes;
    std::vector<AdvertReport> reports;
    std::promise<void> end;
    auto source = make_capture_source(file_);
    source->start({[&](std::vector<AdvertReport> batch) {
                     std::move(batch.begin(), batch.end(), std::back_inserter(reports));
                   },
                   [&](const SourceStatus& status) {
                     if (status.state == SourceState::ended) end.set_value();
                   }});
    end.get_future().wait();
    status_ = source->status();
    return reports;
  }

  const std::filesystem::path file_ =
      std::filesystem::temp_directory_path() / ("welcome-replay-" + std::to_string(::getpid()));
  SourceStatus status_;
};

TEST_F(Replay, JoinsFragmentsAsLiveDoes) {
  // The identity stands across two fragments.
  AdvertReport whole = fob_advert(fob("mia"), -60, now_at(0));
  whole.extended = true;
  whole.set_id = 2;
  std::string bytes;
  put_btsnoop_header(bytes);
  for (int i = 0; i < 10; ++i) {
    AdvertReport first = whole;
    first.ad = AdBytes(whole.ad.view().first(15));
    first.event_type = 1U << 5U;
    AdvertReport rest = whole;
    rest.ad = AdBytes(whole.ad.view().subspan(15));
    for (const auto& report : {first, rest}) {
      put_btsnoop_record(bytes, kStart + std::chrono::milliseconds{100} * i, HciPacketType::event,
                         true, make_advertising_event(report));
    }
  }
  const auto reports = play(bytes);
  ASSERT_EQ(reports.size(), 10U);
  for (const auto& report : reports) {
    EXPECT_TRUE(std::ranges::equal(report.ad.view(), whole.ad.view()));
  }
  EXPECT_EQ(status_.lost_parts, 0U);
}

TEST_F(Replay, PlaysWhatWiresharkWrote) {
  const auto reports = play(pcapng(201, true, true));
  ASSERT_EQ(reports.size(), 3U);
  EXPECT_EQ(reports[2].rssi_dbm, -62);
}

TEST_F(Replay, TheFieldsFragmentsAreHeard) {
  const auto data = ble_data();
  const auto capture = data ? *data / "../../field/radio/fragreplay.btsnoop" : "";
  if (!std::filesystem::exists(capture)) GTEST_SKIP() << "no field/radio/fragreplay.btsnoop";
  std::ifstream in(capture, std::ios::binary);
  const auto reports = play({std::istreambuf_iterator<char>(in), {}});
  std::size_t fobs = 0;
  for (const auto& report : reports) {
    for (const auto& frame : decode_ad(report.ad.view()).frames) {
      fobs += std::holds_alternative<IBeacon>(frame) ? 1 : 0;
    }
  }
  EXPECT_GT(fobs, 0U);
}

}  // namespace
}  // namespace welcome::beacon
