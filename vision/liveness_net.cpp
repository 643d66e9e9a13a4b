// SPDX-License-Identifier: Apache-2.0
#include "vision/liveness_net.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "vision/net.h"

namespace welcome::vision {
namespace {

// Tighter views say nothing; those below kRoomy hide the edge of a screen or a print, so they must
// look kDoubt (in log-odds) more alive: docs/evaluation-vision.md.
constexpr float kLeast = 1.25F;
constexpr float kRoomy = 1.5F;
constexpr float kDoubt = 3.0F;

cv::Mat cut_square(const Image& image, const Box& box, cv::Size size, bool averaged) {
  const cv::Rect wanted(static_cast<int>(std::floor(box.x)), static_cast<int>(std::floor(box.y)),
                        std::max(1, static_cast<int>(box.width)),
                        std::max(1, static_cast<int>(box.height)));
  const cv::Rect inside = wanted & cv::Rect(0, 0, image.width(), image.height());
  if (inside.empty()) return {};
  cv::Mat square = image.mat()(inside);
  if (inside != wanted) {
    cv::Mat padded;
    cv::copyMakeBorder(square, padded, inside.y - wanted.y, wanted.br().y - inside.br().y,
                       inside.x - wanted.x, wanted.br().x - inside.br().x,
                       cv::BORDER_REFLECT_101 | cv::BORDER_ISOLATED);
    square = padded;
  }
  cv::Mat out;
  const bool shrinks = square.cols > size.width;
  cv::resize(square, out, size, 0, 0, averaged && shrinks ? cv::INTER_AREA : cv::INTER_LINEAR);
  return out;
}

}  // namespace

LivenessCrop liveness_crop(int width, int height, const Box& face, const Crop& crop) {
  const auto w = static_cast<float>(width);
  const auto h = static_cast<float>(height);
  LivenessCrop result;
  result.scale = crop.scale;
  if (!crop.mirrored) result.scale = std::min(crop.scale, (std::min(w, h) - 1) / face.height);
  const float side = face.height * result.scale;
  const Point centre = face.centre();
  result.box = {centre.x - side / 2, centre.y - side / 2, side, side};
  if (!crop.mirrored) {
    result.box.x = std::clamp(result.box.x, 0.0F, w - side);
    result.box.y = std::clamp(result.box.y, 0.0F, h - side);
  }
  return result;
}

struct LivenessNets::Net {
  explicit Net(const Model& m) : model(m), net(read_net(m)) {}

  // Log-odds of the first class, which is "real", against the others.
  std::optional<float> log_odds(const Image& image, const Box& face) {
    const Box box = liveness_crop(image.width(), image.height(), face, model.crop).box;
    const cv::Mat square =
        cut_square(image, box, {model.input_width, model.input_height}, model.crop.averaged);
    if (square.empty()) return std::nullopt;
    net.setInput(to_blob(square, model));
    const cv::Mat out = net.forward();
    if (out.total() != static_cast<std::size_t>(model.output_size)) return std::nullopt;
    const auto* value = out.ptr<float>();
    const float largest = *std::max_element(value + 1, value + out.total());
    float others = 0;
    for (std::size_t i = 1; i < out.total(); ++i) others += std::exp(value[i] - largest);
    const float odds = value[0] - largest - std::log(others);
    return std::isfinite(odds) ? std::optional(odds) : std::nullopt;
  }

  const Model model;
  cv::dnn::Net net;
};

LivenessNets::LivenessNets(const ModelPack& pack) : bias_(pack.liveness_bias) {
  for (const Model& model : pack.liveness) nets_.push_back(std::make_unique<Net>(model));
}
LivenessNets::~LivenessNets() = default;

std::optional<float> LivenessNets::score(const Image& image, const Box& face) {
  if (nets_.empty() || image.empty() || face.width < 1 || face.height < 1) return std::nullopt;
  const float room = static_cast<float>(std::min(image.width(), image.height()) - 1) / face.height;
  if (room < kLeast) return std::nullopt;
  double sum = bias_ - static_cast<double>(room < kRoomy ? kDoubt : 0.0F);
  try {
    for (const auto& net : nets_) {
      const auto odds = net->log_odds(image, face);
      if (!odds) return std::nullopt;
      sum += net->model.weight * static_cast<double>(*odds);
    }
  } catch (const cv::Exception&) {
    return std::nullopt;
  }
  return static_cast<float>(1 / (1 + std::exp(-sum)));
}

}  // namespace welcome::vision
