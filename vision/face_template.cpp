// SPDX-License-Identifier: Apache-2.0
#include "vision/face_template.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <string_view>

namespace welcome::vision {
namespace {

constexpr std::string_view kOnePart = "WFT1";
constexpr std::string_view kParts = "WFT2";
constexpr std::size_t kMaxParts = 8;
constexpr std::size_t kMaxModelId = 128;
constexpr std::size_t kMaxValues = 4096;

static_assert(std::endian::native == std::endian::little, "templates are stored little-endian");

template <class T>
void put(std::vector<std::uint8_t>& out, T value) {
  const auto bytes = std::bit_cast<std::array<std::uint8_t, sizeof(T)>>(value);
  out.insert(out.end(), bytes.begin(), bytes.end());
}

template <class T>
bool take(std::span<const std::uint8_t>& in, T& value) {
  if (in.size() < sizeof(T)) return false;
  std::memcpy(&value, in.data(), sizeof(T));
  in = in.subspan(sizeof(T));
  return true;
}

}  // namespace

float cosine(const Embedding& a, const Embedding& b) {
  if (a.values.size() != b.values.size()) return -1.0F;
  float sum = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i) sum += a.values[i] * b.values[i];
  return sum;
}

std::string FaceModel::name() const {
  std::string name;
  for (const Part& part : parts) name += (name.empty() ? "" : "+") + part.id;
  return name;
}

FaceTemplate::FaceTemplate(const FaceConsent& /*consent*/, const FaceModel& model,
                           const Embedding& face) {
  auto from = face.values.begin();
  for (const FaceModel::Part& part : model.parts) {
    const auto rest = static_cast<std::size_t>(face.values.end() - from);
    const std::size_t size = part.size == 0 ? rest : std::min(part.size, rest);
    Part mine{part.id, {from, from + static_cast<std::ptrdiff_t>(size)}};
    double square = 0;
    for (const float value : mine.values) {
      square += static_cast<double>(value) * static_cast<double>(value);
    }
    for (float& value : mine.values) value /= static_cast<float>(std::sqrt(square));
    parts_.push_back(std::move(mine));
    from += static_cast<std::ptrdiff_t>(size);
  }
}

FaceTemplate::~FaceTemplate() {
  for (Part& part : parts_) {
    // Volatile, so that the compiler cannot drop stores to memory that dies.
    volatile float* p = part.values.data();
    for (std::size_t i = 0; i < part.values.size(); ++i) p[i] = 0;
  }
}

std::string FaceTemplate::model() const {
  FaceModel model;
  for (const Part& part : parts_) model.parts.push_back({part.model, 0, 0});
  return model.name();
}

bool FaceTemplate::fits(const FaceModel& model) const { return joined(model).has_value(); }

std::optional<Embedding> FaceTemplate::joined(const FaceModel& model) const {
  Embedding result;
  for (const FaceModel::Part& wanted : model.parts) {
    const auto mine = std::find_if(parts_.begin(), parts_.end(), [&](const Part& part) {
      return part.model == wanted.id && (wanted.size == 0 || part.values.size() == wanted.size);
    });
    if (mine == parts_.end()) return std::nullopt;
    const auto weight = static_cast<float>(std::sqrt(wanted.weight));
    for (const float value : mine->values) result.values.push_back(weight * value);
  }
  return result;
}

std::optional<FaceTemplate> FaceTemplate::aged(const FaceConsent& consent, const FaceModel& model,
                                               std::span<const FaceTemplate> enrolled,
                                               const FaceTemplate* before, const FaceTemplate& view,
                                               double threshold) {
  constexpr float kStep = 0.1F;
  const auto seen = view.joined(model);
  if (!seen) return std::nullopt;
  std::optional<Embedding> nearest;
  float similarity = -1;
  for (const FaceTemplate& one : enrolled) {
    auto face = one.joined(model);
    if (!face || face->values.size() != seen->values.size()) return std::nullopt;
    const float alike = cosine(*face, *seen);
    if (nearest && alike <= similarity) continue;
    nearest = std::move(face);
    similarity = alike;
  }
  if (!nearest || static_cast<double>(similarity) < threshold) return std::nullopt;
  const auto from = before == nullptr ? nearest : before->joined(model);
  if (!from || from->values.size() != seen->values.size()) return std::nullopt;
  Embedding moved;
  double square = 0;
  for (std::size_t i = 0; i < seen->values.size(); ++i) {
    moved.values.push_back((1 - kStep) * from->values[i] + kStep * seen->values[i]);
    square += static_cast<double>(moved.values[i]) * static_cast<double>(moved.values[i]);
  }
  if (!(square > 1e-6)) return std::nullopt;
  for (float& value : moved.values) value /= static_cast<float>(std::sqrt(square));
  if (static_cast<double>(cosine(*nearest, moved)) < threshold) return std::nullopt;
  return FaceTemplate(consent, model, moved);
}

std::vector<std::uint8_t> FaceTemplate::to_bytes() const {
  const std::string_view magic = parts_.size() == 1 ? kOnePart : kParts;
  std::vector<std::uint8_t> out(magic.begin(), magic.end());
  if (parts_.size() != 1) put(out, static_cast<std::uint8_t>(parts_.size()));
  for (const Part& part : parts_) {
    put(out, static_cast<std::uint16_t>(part.model.size()));
    out.insert(out.end(), part.model.begin(), part.model.end());
    put(out, static_cast<std::uint32_t>(part.values.size()));
    for (const float value : part.values) put(out, value);
  }
  return out;
}

bool FaceTemplate::take_part(std::span<const std::uint8_t>& bytes, Part& part) {
  std::uint16_t length = 0;
  if (!take(bytes, length) || length == 0 || length > kMaxModelId || bytes.size() < length) {
    return false;
  }
  part.model.assign(bytes.begin(), bytes.begin() + length);
  bytes = bytes.subspan(length);
  std::uint32_t count = 0;
  if (!take(bytes, count) || count == 0 || count > kMaxValues ||
      bytes.size() < count * sizeof(float)) {
    return false;
  }
  part.values.resize(count);
  double square = 0;
  for (float& value : part.values) {
    take(bytes, value);
    square += static_cast<double>(value) * static_cast<double>(value);
  }
  return square > 0.98 && square < 1.02;  // also false for NaN
}

Result<FaceTemplate> FaceTemplate::from_bytes(std::span<const std::uint8_t> bytes) {
  const auto bad = [] { return fail(ErrorCode::corrupt, "face template: damaged"); };
  const auto begins = [&](std::string_view magic) {
    return bytes.size() >= magic.size() &&
           std::equal(magic.begin(), magic.end(), bytes.begin(),
                      [](char c, std::uint8_t b) { return static_cast<std::uint8_t>(c) == b; });
  };
  std::uint8_t count = 1;
  const bool several = begins(kParts);
  if (!several && !begins(kOnePart)) return bad();
  bytes = bytes.subspan(kParts.size());
  if (several && (!take(bytes, count) || count < 2 || count > kMaxParts)) return bad();
  std::vector<Part> parts(count);
  for (Part& part : parts) {
    if (!take_part(bytes, part)) return bad();
  }
  if (!bytes.empty()) return bad();
  return FaceTemplate(std::move(parts));
}

}  // namespace welcome::vision
