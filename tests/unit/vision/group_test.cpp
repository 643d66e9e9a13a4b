// SPDX-License-Identifier: Apache-2.0
// Four people at the desk, filmed together: two are members, two never agreed to anything.

#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>
#include <gtest/gtest.h>
#include <map>
#include <opencv2/imgproc.hpp>

#include "tests/unit/vision/people.h"
#include "vision/analyser.h"

namespace welcome::vision {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using testing::enrolled_people;
using testing::frames_of;
using testing::media;

const cv::Size kPart{360, 288};

cv::Mat part_of(const Image& image) {
  cv::Mat part;
  const double scale = std::max(static_cast<double>(kPart.width) / image.width(),
                                static_cast<double>(kPart.height) / image.height());
  cv::resize(image.mat(), part, {}, scale, scale, cv::INTER_AREA);
  return part(cv::Rect((part.cols - kPart.width) / 2, 0, kPart.width, kPart.height)).clone();
}

// A person of a photograph, as somebody sways who stands and waits.
class Bystander {
 public:
  Bystander(const Image& photo, double rate) : rate_(rate) {
    auto faces = testing::recogniser().detect(photo);
    EXPECT_FALSE(faces.empty());
    const Box face = std::max_element(faces.begin(), faces.end(), [](const auto& a, const auto& b) {
                       return a.box.area() < b.box.area();
                     })->box;
    // The face 100 pixels wide, as those of the others.
    const double scale = 100 / face.width;
    cv::resize(photo.mat(), photo_, {}, scale, scale, cv::INTER_AREA);
    at_ = {face.centre().x * scale, face.centre().y * scale};
  }
  cv::Mat at(double t) const {
    const cv::Matx23d move(1, 0, kPart.width / 2.0 - at_.x + 6 * std::sin(t * rate_), 0, 1,
                           kPart.height / 2.0 - at_.y + 2 * std::cos(t * rate_));
    cv::Mat part;
    cv::warpAffine(photo_, part, move, kPart, cv::INTER_LINEAR, cv::BORDER_REPLICATE);
    return part;
  }

 private:
  double rate_;
  cv::Mat photo_;
  cv::Point2d at_;
};

nanoseconds processor_time() {
  timespec spent{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
  return seconds(spent.tv_sec) + nanoseconds(spent.tv_nsec);
}

class GroupAtTheDesk : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override { WELCOME_NEEDS_MODELS_AND_MEDIA(); }

  static std::vector<Frame> film(bool in_a_row) {
    const auto paul = frames_of(media("franck.mp4"), seconds(100), seconds(106), 12);
    const auto bruno = frames_of(media("cap13_edit2.mp4"), seconds(1), seconds(7), 12);
    const Bystander audrey(Image::load(media("audrey.jpg")).value(), 2.1);
    const Bystander guest(Image::load(testing::group_picture(1)).value(), 1.7);
    std::vector<Frame> frames;
    for (std::size_t i = 0; i < std::min(paul.size(), bruno.size()); ++i) {
      const double t = std::chrono::duration<double>(paul[i].at - paul[0].at).count();
      const std::array<cv::Mat, 4> people{audrey.at(t), part_of(paul[i].image), guest.at(t),
                                          part_of(bruno[i].image)};
      cv::Mat left;
      cv::Mat right;
      cv::Mat all;
      cv::hconcat(people[0], people[1], left);
      cv::hconcat(people[2], people[3], right);
      if (in_a_row) {
        cv::hconcat(left, right, all);
      } else {
        cv::vconcat(left, right, all);
      }
      frames.push_back({Image(all), MonoTime{} + (paul[i].at - paul[0].at), i});
    }
    return frames;
  }
};

TEST_P(GroupAtTheDesk, NamesBothMembersWithinTwoSecondsAndNobodyElse) {
  const auto frames = film(GetParam());
  const auto gallery = enrolled_people();
  Analyser analyser({}, testing::recogniser());
  // Time as a box has it that does nothing else: what comes while it looks at a picture is replaced
  // by the next.
  nanoseconds busy_until{0};
  std::map<std::string, nanoseconds> named;
  for (const Frame& frame : frames) {
    const nanoseconds taken = frame.at.time_since_epoch();
    if (taken < busy_until) continue;
    const nanoseconds before = processor_time();
    const auto matches = analyser.analyse(frame, gallery.get());
    busy_until = taken + processor_time() - before;
    for (const FaceMatch& match : matches) {
      named.try_emplace(match.customer.str(), busy_until);
      EXPECT_FALSE(match.view) << "a template left the frame";
    }
  }
  ASSERT_EQ(named.size(), 2U);
  for (const char* member : {"c-paul", "c-bruno"}) {
    ASSERT_EQ(named.count(member), 1U) << member;
    EXPECT_LE(named[member], seconds(2)) << member;
  }
  analyser.forget();
  EXPECT_EQ(analyser.counters().faces_seen, 4U);
  EXPECT_EQ(analyser.counters().faces_discarded, 2U);
}

INSTANTIATE_TEST_SUITE_P(Standing, GroupAtTheDesk, ::testing::Values(false, true),
                         [](const auto& test) { return test.param ? "InARow" : "InTwoRows"; });

}  // namespace
}  // namespace welcome::vision
