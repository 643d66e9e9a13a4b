// SPDX-License-Identifier: Apache-2.0
#include "vision/recogniser.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <opencv2/dnn.hpp>
#include <opencv2/imgproc.hpp>

#include "vision/gallery.h"
#include "vision/liveness_net.h"
#include "vision/net.h"

namespace welcome::vision {
namespace {

// Non-maximum suppression: of boxes that overlap, the one with the best score stays.
std::vector<Detection> suppress(std::vector<Detection> all) {
  std::sort(all.begin(), all.end(),
            [](const Detection& a, const Detection& b) { return a.score > b.score; });
  std::vector<Detection> kept;
  for (const Detection& candidate : all) {
    const bool covered = std::any_of(kept.begin(), kept.end(), [&](const Detection& k) {
      return overlap(k.box, candidate.box) > 0.4F;
    });
    if (!covered) kept.push_back(candidate);
  }
  return kept;
}

// Ultra-Light-Fast-Generic-Face-Detector, RFB-320: scores [N×2] (background, face) and corners
// [N×4] in 0…1 of the picture; the priors are already applied inside the net.
class UltraLightDetector final : public Detector {
 public:
  explicit UltraLightDetector(const Model& model) : model_(model), net_(read_net(model)) {}

  std::vector<Detection> detect(const Image& image, float min_score) override {
    if (image.empty() || image.width() < 8 || image.height() < 8) return {};
    try {
      // The net sees 4:3. 16:9 is stretched to it, as in its training; tall and very wide pictures
      // keep their proportions, on a grey ground.
      const cv::Size size(model_.input_width, model_.input_height);
      double scale_x = static_cast<double>(size.width) / image.width();
      double scale_y = static_cast<double>(size.height) / image.height();
      const double stretch = scale_y / scale_x;
      if (stretch < 0.85 || stretch > 1.5) scale_x = scale_y = std::min(scale_x, scale_y);
      const cv::Size part(std::max(1, cvRound(image.width() * scale_x)),
                          std::max(1, cvRound(image.height() * scale_y)));
      cv::Mat small;
      const bool shrink = part.width < image.width() && part.height < image.height();
      cv::resize(image.mat(), small, part, 0, 0, shrink ? cv::INTER_AREA : cv::INTER_LINEAR);
      cv::copyMakeBorder(small, small, 0, size.height - part.height, 0, size.width - part.width,
                         cv::BORDER_CONSTANT, cv::Scalar::all(127));
      net_.setInput(to_blob(small, model_));
      std::vector<cv::Mat> out;
      net_.forward(out, std::vector<cv::String>{"scores", "boxes"});
      return suppress(decode(out[0], out[1], static_cast<float>(size.width / scale_x),
                             static_cast<float>(size.height / scale_y),
                             min_score > 0 ? min_score : static_cast<float>(model_.threshold)));
    } catch (const cv::Exception&) {
      return {};
    }
  }

 private:
  std::vector<Detection> decode(const cv::Mat& scores, const cv::Mat& corners, float width,
                                float height, float min_score) const {
    std::vector<Detection> found;
    const auto count = static_cast<std::size_t>(model_.output_size);
    if (scores.total() != count * 2 || corners.total() != count * 4) return found;
    const auto* score = scores.ptr<float>();
    const auto* corner = corners.ptr<float>();
    for (std::size_t i = 0; i < count; ++i, corner += 4) {
      const float s = score[2 * i + 1];
      if (!(s >= min_score)) continue;
      const Box box{corner[0] * width, corner[1] * height, (corner[2] - corner[0]) * width,
                    (corner[3] - corner[1]) * height};
      if (!(box.width > 1 && box.height > 1)) continue;  // also false for NaN
      found.push_back({box, s});
    }
    return found;
  }

  Model model_;
  cv::dnn::Net net_;
};

class NetLandmarks final : public LandmarkFinder {
 public:
  explicit NetLandmarks(const Model& model) : model_(model), net_(read_net(model)) {}

  Landmarks find(const Image& image, const Box& face) override {
    // The net was trained on square boxes that sit a little lower than the detector's.
    const float side = std::max(face.width, face.height);
    const Point centre = face.centre();
    const Box square{centre.x - side / 2, centre.y - side / 2 + 0.05F * side, side, side};
    Landmarks points{};
    try {
      net_.setInput(
          to_blob(cut(image.mat(), square, {model_.input_width, model_.input_height}), model_));
      const cv::Mat out = net_.forward();
      if (out.total() != points.size() * 2) return points;
      const auto* values = out.ptr<float>();
      for (std::size_t i = 0; i < points.size(); ++i) {
        points[i] = {square.x + values[2 * i] * side, square.y + values[2 * i + 1] * side};
      }
    } catch (const cv::Exception&) {
      points = {};
    }
    return points;
  }

 private:
  Model model_;
  cv::dnn::Net net_;
};

class NetEmbedder {
 public:
  explicit NetEmbedder(const Model& model) : model_(model), net_(read_net(model)) {}

  struct Vector {
    std::vector<float> values;  // of length 1; empty: the picture is of no use
    float length = 0;           // before that
  };
  Vector embed(const Image& aligned) {
    Vector result;
    if (aligned.width() != model_.input_width || aligned.height() != model_.input_height) {
      return result;
    }
    try {
      net_.setInput(to_blob(aligned.mat(), model_));
      const cv::Mat out = net_.forward();
      if (out.total() != static_cast<std::size_t>(model_.output_size)) return result;
      const auto* values = out.ptr<float>();
      double square = 0;
      for (std::size_t i = 0; i < out.total(); ++i) {
        square += static_cast<double>(values[i]) * static_cast<double>(values[i]);
      }
      if (!(square > 1e-12) || !std::isfinite(square)) return result;
      result.length = static_cast<float>(std::sqrt(square));
      result.values.assign(values, values + out.total());
      for (float& value : result.values) value /= result.length;
    } catch (const cv::Exception&) {
      result.values.clear();
    }
    return result;
  }

  Image crop(const Image& image, const Landmarks& landmarks) const {
    return align(image, landmarks, model_.input_width, model_.input_height, model_.points);
  }
  const Model& model() const { return model_; }

 private:
  Model model_;
  cv::dnn::Net net_;
};

// Of vectors of length 1, of which one may have been scaled.
float alike(std::span<const float> a, std::span<const float> b, float length_of_a) {
  if (a.size() != b.size() || length_of_a <= 0) return -1;
  float sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum / length_of_a;
}

bool in_arcface_frame(const Model& model) {
  if (model.input_width != kArcFaceSide || model.input_height != kArcFaceSide) return false;
  return std::equal(
      kArcFace.begin(), kArcFace.end(), model.points.begin(),
      [](const Point& a, const Point& b) { return std::hypot(a.x - b.x, a.y - b.y) < 0.01F; });
}

// Rows of the ArcFace frame that hold the eyes, and those below the tip of the nose.
const cv::Rect kEyeRows(0, 36, kArcFaceSide, 30);
const cv::Rect kLowerRows(0, 72, kArcFaceSide, 40);

Image without(const Image& aligned, const cv::Rect& rows) {
  cv::Mat hidden = aligned.mat().clone();
  hidden(rows).setTo(cv::Scalar::all(127));
  return Image(hidden);
}

// The brighter parts of the brighter eye, as a share of the brighter cheek: the white of an eye
// outshines dark glass.
float light_of_eyes(const Image& aligned) {
  cv::Mat grey;
  cv::cvtColor(aligned.mat(), grey, cv::COLOR_BGR2GRAY);
  const auto bright_share = [&](const cv::Rect& eye) {
    std::vector<std::uint8_t> pixels;
    for (int y = eye.y; y < eye.br().y; ++y) {
      pixels.insert(pixels.end(), grey.ptr(y) + eye.x, grey.ptr(y) + eye.br().x);
    }
    const auto at = pixels.begin() + static_cast<std::ptrdiff_t>(pixels.size() * 4 / 5);
    std::nth_element(pixels.begin(), at, pixels.end());
    return static_cast<double>(*at);
  };
  const double eyes = std::max(bright_share({28, 44, 20, 15}), bright_share({64, 44, 20, 15}));
  const double cheeks = std::max(cv::mean(grey(cv::Rect(24, 66, 16, 14)))[0],
                                 cv::mean(grey(cv::Rect(72, 66, 16, 14)))[0]);
  return static_cast<float>(eyes / std::max(cheeks, 1.0));
}

// Of a face whose lower part is not there the detector makes a box that is wide for its height.
double squatness(const Box& face) {
  constexpr double kUsual = 0.85;
  constexpr double kWeight = 10;
  return kWeight * (static_cast<double>(face.width / face.height) - kUsual);
}

bool holds(const CoverRule& rule, double lower, double eyes, double light, double more = 0) {
  const double sum = rule.lower * lower + rule.eyes * eyes + rule.light * light + more;
  return rule.least != 0 && sum > rule.least;
}

// How much a face is the subject of its picture: big, and near the middle.
float prominence(const Box& box, int width, int height) {
  const Point centre = box.centre();
  const float dx = (centre.x - static_cast<float>(width) / 2) / static_cast<float>(width);
  const float dy = (centre.y - static_cast<float>(height) / 2) / static_cast<float>(height);
  const float away = std::hypot(dx, dy);  // 0 in the middle, 0.7 in a corner
  return std::sqrt(std::max(box.area(), 0.0F)) * std::exp(-4.0F * away * away);
}

}  // namespace

std::string_view to_string(Cover cover) {
  switch (cover) {
    case Cover::none:
      return "none";
    case Cover::eyes:
      return "eyes";
    case Cover::lower_half:
      return "lower_half";
  }
  return "";
}

std::array<Box, 4> tiles_of(int width, int height) {
  constexpr float kShare = 0.6F;
  const auto w = static_cast<float>(width);
  const auto h = static_cast<float>(height);
  const Box first{0, 0, w * kShare, h * kShare};
  std::array<Box, 4> tiles{first, first, first, first};
  tiles[1].x = tiles[3].x = w - first.width;
  tiles[2].y = tiles[3].y = h - first.height;
  return tiles;
}

struct Recogniser::Impl {
  explicit Impl(const ModelPack& p)
      : pack(p), model(model_of(p)), detector(p.detector), landmarks(p.landmarks), liveness(p) {
    for (const Model& one : p.recognisers) embedders.emplace_back(one);
  }

  std::vector<Detection> detect(const Image& image, float min_score) {
    const std::lock_guard lock(turn);
    return detector.detect(image, min_score);
  }
  Landmarks find_landmarks(const Image& image, const Box& box) {
    const std::lock_guard lock(turn);
    return landmarks.find(image, box);
  }
  NetEmbedder::Vector embed(std::size_t which, const Image& crop) {
    const std::lock_guard lock(turn);
    return embedders[which].embed(crop);
  }
  std::optional<float> alive(const Image& image, const Box& face) {
    const std::lock_guard lock(turn);
    return liveness.score(image, face);
  }

  const ModelPack pack;
  const FaceModel model;
  std::mutex turn;  // of the nets below
  UltraLightDetector detector;
  NetLandmarks landmarks;
  std::vector<NetEmbedder> embedders;
  LivenessNets liveness;
};

Recogniser::Recogniser(const ModelPack& pack) {
  cv::setNumThreads(1);  // one core is the budget, and pools fight for it
  impl_ = std::make_shared<Impl>(pack);
}

std::vector<Detection> Recogniser::detect(const Image& image) { return impl_->detect(image, 0); }

std::vector<Detection> Recogniser::detect(const Image& image, std::span<const Box> parts) {
  std::vector<Detection> all = detect(image);
  if (image.empty()) return all;
  for (const Box& part : parts) {
    const cv::Rect inside = cv::Rect(static_cast<int>(part.x), static_cast<int>(part.y),
                                     static_cast<int>(part.width), static_cast<int>(part.height)) &
                            cv::Rect(0, 0, image.width(), image.height());
    if (inside.empty()) continue;
    for (Detection detection : impl_->detect(Image(image.mat()(inside)), 0)) {
      detection.box.x += static_cast<float>(inside.x);
      detection.box.y += static_cast<float>(inside.y);
      all.push_back(detection);
    }
  }
  return suppress(std::move(all));
}

std::optional<float> Recogniser::liveness(const Image& image, const Box& face) {
  return impl_->alive(image, face);
}

Face Recogniser::locate(const Image& image, const Detection& detection) {
  Face face;
  face.box = detection.box;
  face.score = detection.score;
  face.landmarks = impl_->find_landmarks(image, detection.box);
  face.aligned = align(image, face.landmarks);
  if (face.aligned.empty()) return face;
  for (const NetEmbedder& embedder : impl_->embedders) {
    face.crops.push_back(in_arcface_frame(embedder.model()) ? face.aligned
                                                            : embedder.crop(image, face.landmarks));
  }
  return face;
}

std::vector<Face> Recogniser::find(const Image& image) {
  std::vector<Face> faces;
  for (const Detection& detection : detect(image)) {
    Face face = locate(image, detection);
    if (!face.aligned.empty()) faces.push_back(std::move(face));
  }
  std::sort(faces.begin(), faces.end(),
            [](const Face& a, const Face& b) { return a.box.area() > b.box.area(); });
  return faces;
}

void Recogniser::embed(Face& face) {
  face.embedding = {};
  if (face.crops.size() != impl_->embedders.size()) return;
  Embedding joined;
  for (std::size_t i = 0; i < face.crops.size(); ++i) {
    const auto part = impl_->embed(i, face.crops[i]);
    if (part.values.empty()) return;
    if (i == 0) face.strength = part.length;
    const auto weight = static_cast<float>(std::sqrt(impl_->embedders[i].model().weight));
    for (const float value : part.values) joined.values.push_back(weight * value);
  }
  face.embedding = std::move(joined);
}

int Recogniser::turn_of(const Image& image, const Face& face) {
  if (face.embedding.empty()) return 0;
  // The face and as much around it: turning a whole picture would cost more than the nets.
  const float side = 2 * std::max(face.box.width, face.box.height);
  const Point centre = face.box.centre();
  const cv::Rect around = cv::Rect(cvRound(centre.x - side / 2), cvRound(centre.y - side / 2),
                                   cvRound(side), cvRound(side)) &
                          cv::Rect(0, 0, image.width(), image.height());
  if (around.empty()) return 0;
  const Box box{face.box.x - static_cast<float>(around.x),
                face.box.y - static_cast<float>(around.y), face.box.width, face.box.height};
  const auto w = static_cast<float>(around.width);
  const auto h = static_cast<float>(around.height);
  struct Turn {
    int degrees;
    cv::RotateFlags flag;
    Box box;
  };
  const std::array<Turn, 3> turns{{
      {90, cv::ROTATE_90_CLOCKWISE, {h - box.bottom(), box.x, box.height, box.width}},
      {180, cv::ROTATE_180, {w - box.right(), h - box.bottom(), box.width, box.height}},
      {270, cv::ROTATE_90_COUNTERCLOCKWISE, {box.y, w - box.right(), box.height, box.width}},
  }};
  int best = 0;
  float strength = face.strength;
  for (const Turn& turn : turns) {
    cv::Mat turned;
    cv::rotate(image.mat()(around), turned, turn.flag);
    const Image picture(turned);
    const auto seen = impl_->embed(
        0, impl_->embedders.front().crop(picture, impl_->find_landmarks(picture, turn.box)));
    if (seen.length <= strength) continue;
    best = turn.degrees;
    strength = seen.length;
  }
  return best;
}

Cover Recogniser::cover_of(const Face& face) {
  const Model& model = impl_->embedders.front().model();
  if (face.embedding.empty() || !in_arcface_frame(model)) return Cover::none;
  const std::span<const float> whole =
      std::span(face.embedding.values).first(static_cast<std::size_t>(model.output_size));
  const auto length = static_cast<float>(std::sqrt(model.weight));
  try {
    const auto lower = static_cast<double>(
        alike(whole, impl_->embed(0, without(face.aligned, kLowerRows)).values, length));
    const auto eyes = static_cast<double>(
        alike(whole, impl_->embed(0, without(face.aligned, kEyeRows)).values, length));
    const auto light = static_cast<double>(light_of_eyes(face.aligned));
    if (holds(model.lower_covered, lower, eyes, light, squatness(face.box))) {
      return Cover::lower_half;
    }
    if (holds(model.eyes_covered, lower, eyes, light)) return Cover::eyes;
  } catch (const cv::Exception&) {
    return Cover::none;
  }
  return Cover::none;
}

std::optional<Face> Recogniser::portrait(const Image& image) {
  if (image.empty()) return std::nullopt;
  const double net_aspect =
      static_cast<double>(impl_->pack.detector.input_width) / impl_->pack.detector.input_height;
  // The detector sees a few hundred pixels anyway; a copy with margins of a large picture would
  // take several times its memory.
  constexpr double kEnough = 1280;
  const double share = std::min(1.0, kEnough / std::max(image.width(), image.height()));
  cv::Mat small = image.mat();
  if (share < 1) cv::resize(image.mat(), small, {}, share, share, cv::INTER_AREA);
  // A little margin first: tight crops cut forehead and chin, and the picture is brought to the
  // net's proportions so that it does not stretch faces. Then without margin, for small faces;
  // then with a lot, for crops that are nothing but a face. Last, what the detector is less sure
  // of: somebody asked about a portrait, so there probably is a face.
  struct Try {
    double margin;
    float min_score;
  };
  for (const auto& [margin, min_score] : {Try{0.2, 0}, Try{0.0, 0}, Try{0.8, 0}, Try{0.2, 0.4F}}) {
    double width = small.cols * (1 + 2 * margin);
    double height = small.rows * (1 + 2 * margin);
    (width < height * net_aspect ? width : height) =
        width < height * net_aspect ? height * net_aspect : width / net_aspect;
    const int dx = static_cast<int>((width - small.cols) / 2);
    const int dy = static_cast<int>((height - small.rows) / 2);
    cv::Mat padded;
    cv::copyMakeBorder(small, padded, dy, dy, dx, dx, cv::BORDER_CONSTANT, cv::Scalar::all(127));
    const std::vector<Detection> found = impl_->detect(Image(padded), min_score);
    const auto best =
        std::max_element(found.begin(), found.end(), [&](const Detection& a, const Detection& b) {
          return prominence(a.box, padded.cols, padded.rows) <
                 prominence(b.box, padded.cols, padded.rows);
        });
    if (best == found.end()) continue;
    Detection detection = *best;
    const auto grow_x = static_cast<float>(image.width()) / static_cast<float>(small.cols);
    const auto grow_y = static_cast<float>(image.height()) / static_cast<float>(small.rows);
    detection.box = {(detection.box.x - static_cast<float>(dx)) * grow_x,
                     (detection.box.y - static_cast<float>(dy)) * grow_y,
                     detection.box.width * grow_x, detection.box.height * grow_y};
    Face face = locate(image, detection);
    embed(face);
    if (!face.embedding.empty()) return face;
  }
  return std::nullopt;
}

const FaceModel& Recogniser::model() const { return impl_->model; }
const ModelPack& Recogniser::pack() const { return impl_->pack; }

}  // namespace welcome::vision
