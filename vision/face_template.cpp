#include "vision/face_template.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <iterator>

namespace welcome::vision {
namespace {

constexpr char kMagic[4] = {'W', 'F', 'T', '1'};
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

FaceTemplate::FaceTemplate(const FaceConsent& /*consent*/, std::string model, const Embedding& face)
    : model_(std::move(model)), values_(face.values) {}

FaceTemplate::~FaceTemplate() {
  // Volatile, so that the compiler cannot drop stores to memory that dies.
  volatile float* p = values_.data();
  for (std::size_t i = 0; i < values_.size(); ++i) p[i] = 0;
}

std::optional<FaceTemplate> FaceTemplate::aged(const FaceConsent& consent,
                                               std::span<const FaceTemplate> enrolled,
                                               const FaceTemplate* before, const FaceTemplate& view,
                                               double threshold) {
  constexpr float kStep = 0.1F;
  const auto fits = [&](const FaceTemplate& other) {
    return other.model_ == view.model_ && other.values_.size() == view.values_.size();
  };
  const FaceTemplate* nearest = nullptr;
  float similarity = -1;
  for (const FaceTemplate& one : enrolled) {
    if (!fits(one)) return std::nullopt;
    const float alike = cosine({one.values_}, {view.values_});
    if (nearest != nullptr && alike <= similarity) continue;
    nearest = &one;
    similarity = alike;
  }
  if (nearest == nullptr || static_cast<double>(similarity) < threshold) return std::nullopt;
  if (before == nullptr) before = nearest;
  if (!fits(*before)) return std::nullopt;
  Embedding moved;
  double square = 0;
  for (std::size_t i = 0; i < view.values_.size(); ++i) {
    moved.values.push_back((1 - kStep) * before->values_[i] + kStep * view.values_[i]);
    square += static_cast<double>(moved.values[i]) * static_cast<double>(moved.values[i]);
  }
  if (!(square > 1e-6)) return std::nullopt;
  for (float& value : moved.values) value /= static_cast<float>(std::sqrt(square));
  if (static_cast<double>(cosine({nearest->values_}, moved)) < threshold) return std::nullopt;
  return FaceTemplate(consent, view.model_, moved);
}

std::vector<std::uint8_t> FaceTemplate::to_bytes() const {
  std::vector<std::uint8_t> out(std::begin(kMagic), std::end(kMagic));
  out.reserve(out.size() + 6 + model_.size() + 4 * values_.size());
  put(out, static_cast<std::uint16_t>(model_.size()));
  out.insert(out.end(), model_.begin(), model_.end());
  put(out, static_cast<std::uint32_t>(values_.size()));
  for (const float value : values_) put(out, value);
  return out;
}

Result<FaceTemplate> FaceTemplate::from_bytes(std::span<const std::uint8_t> bytes) {
  const auto bad = [] { return fail(ErrorCode::corrupt, "face template: damaged"); };
  if (bytes.size() < sizeof(kMagic) || std::memcmp(bytes.data(), kMagic, sizeof(kMagic)) != 0) {
    return bad();
  }
  bytes = bytes.subspan(sizeof(kMagic));
  std::uint16_t length = 0;
  if (!take(bytes, length) || length == 0 || length > kMaxModelId || bytes.size() < length) {
    return bad();
  }
  std::string model(bytes.begin(), bytes.begin() + length);
  bytes = bytes.subspan(length);
  std::uint32_t count = 0;
  if (!take(bytes, count) || count == 0 || count > kMaxValues ||
      bytes.size() != count * sizeof(float)) {
    return bad();
  }
  std::vector<float> values(count);
  double square = 0;
  for (float& value : values) {
    take(bytes, value);
    square += static_cast<double>(value) * static_cast<double>(value);
  }
  if (!(square > 0.98 && square < 1.02)) return bad();  // also false for NaN
  return FaceTemplate(std::move(model), std::move(values));
}

}  // namespace welcome::vision
