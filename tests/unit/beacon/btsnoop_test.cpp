// SPDX-License-Identifier: Apache-2.0
#include "beacon/btsnoop.h"

#include <atomic>
#include <fstream>
#include <future>
#include <gtest/gtest.h>
#include <sstream>
#include <unistd.h>

#include "beacon/capture_source.h"
#include "tests/unit/beacon/bytes.h"

namespace welcome::beacon {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using testing::from_hex;

// One legacy report with the event's number as the address.
std::vector<std::uint8_t> advert(std::uint8_t number) {
  auto event = from_hex("3e0f0201000100000000000003020106c5");
  event[6] = number;
  return event;
}

class Btsnoop : public ::testing::Test {
 protected:
  void SetUp() override {
    file_ = std::filesystem::temp_directory_path() /
            ("welcome-" + std::to_string(::getpid()) + "-" +
             ::testing::UnitTest::GetInstance()->current_test_info()->name() + ".btsnoop");
  }
  void TearDown() override { std::filesystem::remove(file_); }

  void write(int adverts, microseconds apart = milliseconds{10}) {
    auto writer = BtsnoopWriter::create(file_);
    ASSERT_TRUE(writer);
    for (int i = 0; i < adverts; ++i) {
      ASSERT_TRUE(writer->write(kStart + apart * i, HciPacketType::event, true,
                                advert(static_cast<std::uint8_t>(i))));
    }
    ASSERT_TRUE(writer->close());
  }

  static constexpr CaptureTime kStart{microseconds{1'700'000'000'123'456}};
  std::filesystem::path file_;
};

TEST_F(Btsnoop, WhatWasWrittenIsReadBack) {
  write(3);
  auto reader = BtsnoopReader::open(file_);
  ASSERT_TRUE(reader);
  CaptureRecord record;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(reader->next(record));
    EXPECT_EQ(record.at, kStart + milliseconds{10} * i);
    EXPECT_EQ(record.type, HciPacketType::event);
    EXPECT_TRUE(record.from_controller);
    EXPECT_EQ(record.packet, advert(static_cast<std::uint8_t>(i)));
  }
  EXPECT_FALSE(reader->next(record));
  EXPECT_FALSE(reader->damage());
}

TEST_F(Btsnoop, ARecordOfAnImpossibleTimeIsDamage) {
  constexpr std::int64_t kYear10000 = 253'402'300'800'000'000;
  auto writer = BtsnoopWriter::create(file_);
  ASSERT_TRUE(writer);
  for (const std::int64_t us : {kYear10000 - 1, kYear10000}) {
    ASSERT_TRUE(
        writer->write(CaptureTime{microseconds{us}}, HciPacketType::event, true, advert(1)));
  }
  ASSERT_TRUE(writer->close());
  auto reader = BtsnoopReader::open(file_);
  ASSERT_TRUE(reader);
  CaptureRecord record;
  EXPECT_TRUE(reader->next(record));
  EXPECT_FALSE(reader->next(record));
  EXPECT_TRUE(reader->damage());
}

TEST_F(Btsnoop, AFileIsReadableByItsOwnerAlone) {
  write(1);
  const auto others = std::filesystem::perms::group_all | std::filesystem::perms::others_all;
  EXPECT_EQ(std::filesystem::status(file_).permissions() & others, std::filesystem::perms::none);
}

TEST_F(Btsnoop, ACutOffFileGivesItsWholeRecordsAndSaysThatItIsDamaged) {
  write(3);
  const auto size = std::filesystem::file_size(file_);
  std::filesystem::resize_file(file_, size - 5);
  auto reader = BtsnoopReader::open(file_);
  ASSERT_TRUE(reader);
  CaptureRecord record;
  EXPECT_TRUE(reader->next(record));
  EXPECT_TRUE(reader->next(record));
  EXPECT_FALSE(reader->next(record));
  EXPECT_TRUE(reader->damage());
}

TEST_F(Btsnoop, WhatIsNoBtsnoopFileIsRefused) {
  EXPECT_EQ(BtsnoopReader::open(file_).error().code, ErrorCode::not_found);
  const auto refuse = [](std::string bytes) {
    auto reader = BtsnoopReader::from(std::make_unique<std::istringstream>(std::move(bytes)));
    return !reader && reader.error().code == ErrorCode::malformed;
  };
  using namespace std::string_literals;
  EXPECT_TRUE(refuse(""));
  EXPECT_TRUE(refuse("pcap\0\0\0\0\0\0\0\1\0\0\3\xEA"s));
  EXPECT_TRUE(refuse("btsnoop\0\0\0\0\2\0\0\3\xEA"s));
  EXPECT_TRUE(refuse("btsnoop\0\0\0\0\1\0\0\0\1"s));
}

TEST_F(Btsnoop, ARecordOfImpossibleLengthEndsTheFile) {
  using namespace std::string_literals;
  auto reader = BtsnoopReader::from(std::make_unique<std::istringstream>(
      "btsnoop\0\0\0\0\1\0\0\3\xEA"s + "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"s +
      std::string(16, '\0')));
  ASSERT_TRUE(reader);
  CaptureRecord record;
  EXPECT_FALSE(reader->next(record));
  EXPECT_TRUE(reader->damage());
}

struct Collected {
  std::mutex mutex;
  std::vector<AdvertReport> reports;
  std::promise<SourceStatus> end;

  SourceCallbacks callbacks() {
    return {[this](std::vector<AdvertReport> batch) {
              const std::lock_guard lock(mutex);
              std::move(batch.begin(), batch.end(), std::back_inserter(reports));
            },
            [this](const SourceStatus& status) {
              if (status.state == SourceState::ended || status.state == SourceState::failed ||
                  status.state == SourceState::stopped) {
                end.set_value(status);
              }
            }};
  }
};

TEST_F(Btsnoop, TheSourcePlaysAsFastAsPossibleAndSaysThatItEnded) {
  write(100, std::chrono::seconds{1});
  Collected got;
  auto source = make_capture_source(file_);
  source->start(got.callbacks());
  EXPECT_EQ(got.end.get_future().get().state, SourceState::ended);
  ASSERT_EQ(got.reports.size(), 100U);
  EXPECT_EQ(got.reports[1].at - got.reports[0].at, std::chrono::seconds{1});
  EXPECT_EQ(source->status().reports, 100U);
}

TEST_F(Btsnoop, TheSourceSkipsWhatIsPastAndFollowsItsSchedule) {
  write(10);
  Collected got;
  const auto begin = std::chrono::steady_clock::now();
  const MonoTime mono{std::chrono::seconds{5}};
  // The clock stands at capture time 50 ms; it runs at double speed.
  auto source = make_capture_source(file_, [&](CaptureTime at) -> std::optional<ReplaySlot> {
    const microseconds into = at - kStart - milliseconds{50};
    if (into < microseconds{0}) return std::nullopt;
    return ReplaySlot{mono + into, begin + into / 2};
  });
  source->start(got.callbacks());
  EXPECT_EQ(got.end.get_future().get().skipped, 5U);
  ASSERT_EQ(got.reports.size(), 5U);
  EXPECT_EQ(got.reports[0].at, mono);
  EXPECT_EQ(got.reports[4].at, mono + milliseconds{40});
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds{10});
}

TEST_F(Btsnoop, TheSourceStopsPromptlyInTheMiddleOfALongWait) {
  write(2, std::chrono::hours{1});
  Collected got;
  const auto begin = std::chrono::steady_clock::now();
  auto source = make_capture_source(file_, [&](CaptureTime at) {
    return ReplaySlot{MonoTime{}, begin + (at - kStart)};
  });
  source->start(got.callbacks());
  source->stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds{5});
  EXPECT_EQ(source->status().state, SourceState::stopped);
}

TEST_F(Btsnoop, AMissingFileFailsWithAReason) {
  Collected got;
  auto source = make_capture_source(file_);
  source->start(got.callbacks());
  const SourceStatus status = got.end.get_future().get();
  EXPECT_EQ(status.state, SourceState::failed);
  EXPECT_FALSE(status.detail.empty());
}

}  // namespace
}  // namespace welcome::beacon
