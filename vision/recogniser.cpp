#include "vision/recogniser.h"

#include <algorithm>
#include <cmath>
#include <opencv2/dnn.hpp>
#include <opencv2/imgproc.hpp>
#include <stdexcept>

namespace welcome::vision {
namespace {

cv::dnn::Net read_net(const Model& model) {
  try {
    cv::dnn::Net net = cv::dnn::readNetFromONNX(model.file.string());
    net.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
    net.setPreferableTarget(cv::dnn::DNN_TARGET_CPU);
    return net;
  } catch (const cv::Exception&) {
    throw std::runtime_error("models: " + model.file.string() + " cannot be loaded by OpenCV");
  }
}

// NCHW float input of a net: (pixel − mean) / scale, in the channel order it was trained on.
cv::Mat to_blob(const cv::Mat& bgr, const Model& model) {
  return cv::dnn::blobFromImage(bgr, 1.0 / model.scale, cv::Size(), cv::Scalar::all(model.mean),
                                model.rgb, false, CV_32F);
}

// Copies `box` out of `bgr` at `size`; what lies beyond the picture is black.
cv::Mat cut(const cv::Mat& bgr, const Box& box, cv::Size size) {
  const double sx = static_cast<double>(box.width) / size.width;
  const double sy = static_cast<double>(box.height) / size.height;
  // Destination pixel centre → source pixel centre.
  const cv::Matx23d back(sx, 0, box.x + 0.5 * sx - 0.5, 0, sy, box.y + 0.5 * sy - 0.5);
  cv::Mat out;
  if (std::max(sx, sy) > 1.5) {
    // Warping skips pixels when it shrinks; averaging over the area does not.
    const cv::Rect wanted(cvRound(box.x), cvRound(box.y), std::max(1, cvRound(box.width)),
                          std::max(1, cvRound(box.height)));
    const cv::Rect inside = wanted & cv::Rect(0, 0, bgr.cols, bgr.rows);
    if (inside.empty()) return cv::Mat::zeros(size, bgr.type());
    cv::Mat padded;
    cv::copyMakeBorder(bgr(inside), padded, inside.y - wanted.y, wanted.br().y - inside.br().y,
                       inside.x - wanted.x, wanted.br().x - inside.br().x, cv::BORDER_CONSTANT);
    cv::resize(padded, out, size, 0, 0, cv::INTER_AREA);
    return out;
  }
  cv::warpAffine(bgr, out, back, size, cv::INTER_LINEAR | cv::WARP_INVERSE_MAP,
                 cv::BORDER_CONSTANT);
  return out;
}

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

class NetEmbedder final : public Embedder {
 public:
  explicit NetEmbedder(const Model& model) : model_(model), net_(read_net(model)) {}

  Embedding embed(const Image& aligned) override {
    Embedding result;
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
      const auto norm = static_cast<float>(1.0 / std::sqrt(square));
      result.values.assign(values, values + out.total());
      for (float& value : result.values) value *= norm;
    } catch (const cv::Exception&) {
      result.values.clear();
    }
    return result;
  }

  const std::string& model() const override { return model_.id; }

 private:
  Model model_;
  cv::dnn::Net net_;
};

// Scores of three classes, of which the first is "real"; wants the surroundings of the face.
class NetLiveness {
 public:
  explicit NetLiveness(const Model& model) : model_(model), net_(read_net(model)) {}

  std::optional<float> score(const Image& image, const Box& face) {
    const auto width = static_cast<float>(image.width());
    const auto height = static_cast<float>(image.height());
    if (face.width < 1 || face.height < 1) return std::nullopt;
    // As large as the picture allows, moved to lie inside it.
    constexpr float kScale = 2.7F;
    // Tighter crops say nothing; those below kRoomy hide the edge of a screen or a print, so they
    // must look kDoubt (in log-odds) more alive (docs/evaluation-vision.md).
    constexpr float kLeast = 1.25F;
    constexpr float kRoomy = 1.5F;
    constexpr float kDoubt = 2.0F;
    const float scale = std::min({kScale, (width - 1) / face.width, (height - 1) / face.height});
    if (scale < kLeast) return std::nullopt;
    const Point centre = face.centre();
    Box box{0, 0, face.width * scale, face.height * scale};
    box.x = std::clamp(centre.x - box.width / 2, 0.0F, width - box.width);
    box.y = std::clamp(centre.y - box.height / 2, 0.0F, height - box.height);
    try {
      cv::Mat crop;
      const cv::Rect inside = cv::Rect(static_cast<int>(box.x), static_cast<int>(box.y),
                                       static_cast<int>(box.width), static_cast<int>(box.height)) &
                              cv::Rect(0, 0, image.width(), image.height());
      cv::resize(image.mat()(inside), crop, {model_.input_width, model_.input_height});
      net_.setInput(to_blob(crop, model_));
      const cv::Mat out = net_.forward();
      if (out.total() != static_cast<std::size_t>(model_.output_size)) return std::nullopt;
      const auto* value = out.ptr<float>();
      const float largest = *std::max_element(value, value + out.total());
      float others = 0;
      for (std::size_t i = 1; i < out.total(); ++i) others += std::exp(value[i] - largest);
      if (scale < kRoomy) others *= std::exp(kDoubt);
      const float alive = std::exp(value[0] - largest);
      const float real = alive / (alive + others);
      return std::isfinite(real) ? std::optional(real) : std::nullopt;
    } catch (const cv::Exception&) {
      return std::nullopt;
    }
  }

 private:
  Model model_;
  cv::dnn::Net net_;
};

Point mean_of(const Landmarks& points, std::size_t first, std::size_t last) {
  Point sum;
  for (std::size_t i = first; i <= last; ++i) {
    sum.x += points[i].x;
    sum.y += points[i].y;
  }
  const auto n = static_cast<float>(last - first + 1);
  return {sum.x / n, sum.y / n};
}

bool usable(const Landmarks& points) {
  const Point left = mean_of(points, 36, 41);
  const Point right = mean_of(points, 42, 47);
  return std::hypot(right.x - left.x, right.y - left.y) >= 2.0F;
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

Image align(const Image& image, const Landmarks& landmarks) {
  if (image.empty() || !usable(landmarks)) return {};
  // The five points of the ArcFace template for 112×112 (insightface, face_align.py).
  static constexpr std::array<Point, 5> kTemplate{{{38.2946F, 51.6963F},
                                                   {73.5318F, 51.5014F},
                                                   {56.0252F, 71.7366F},
                                                   {41.5493F, 92.3655F},
                                                   {70.7299F, 92.2041F}}};
  const std::array<Point, 5> from{{mean_of(landmarks, 36, 41), mean_of(landmarks, 42, 47),
                                   landmarks[30], landmarks[48], landmarks[54]}};
  // Least squares for x' = a·x − b·y + c, y' = b·x + a·y + d, both sets about their means.
  double fx = 0;
  double fy = 0;
  double tx = 0;
  double ty = 0;
  for (std::size_t i = 0; i < 5; ++i) {
    fx += static_cast<double>(from[i].x) / 5;
    fy += static_cast<double>(from[i].y) / 5;
    tx += static_cast<double>(kTemplate[i].x) / 5;
    ty += static_cast<double>(kTemplate[i].y) / 5;
  }
  double square = 0;
  double same = 0;
  double cross = 0;
  for (std::size_t i = 0; i < 5; ++i) {
    const double x = static_cast<double>(from[i].x) - fx;
    const double y = static_cast<double>(from[i].y) - fy;
    const double u = static_cast<double>(kTemplate[i].x) - tx;
    const double v = static_cast<double>(kTemplate[i].y) - ty;
    square += x * x + y * y;
    same += x * u + y * v;
    cross += x * v - y * u;
  }
  if (!(square > 1e-6)) return {};
  const double a = same / square;
  const double b = cross / square;
  const cv::Matx23d forward(a, -b, tx - a * fx + b * fy, b, a, ty - b * fx - a * fy);
  try {
    cv::Mat out;
    cv::warpAffine(image.mat(), out, forward, {112, 112}, cv::INTER_LINEAR, cv::BORDER_CONSTANT);
    return Image(out);
  } catch (const cv::Exception&) {
    return {};
  }
}

struct Recogniser::Impl {
  explicit Impl(const ModelPack& p)
      : pack(p), detector(p.detector), landmarks(p.landmarks), embedder(p.embedder) {
    if (p.liveness) liveness.emplace(*p.liveness);
  }

  ModelPack pack;
  UltraLightDetector detector;
  NetLandmarks landmarks;
  NetEmbedder embedder;
  std::optional<NetLiveness> liveness;
};

Recogniser::Recogniser(const ModelPack& pack) {
  cv::setNumThreads(1);  // one core is the budget, and pools fight for it
  impl_ = std::make_unique<Impl>(pack);
}

Recogniser::~Recogniser() = default;

std::vector<Detection> Recogniser::detect(const Image& image) {
  return impl_->detector.detect(image, 0);
}

std::vector<Detection> Recogniser::detect(const Image& image, std::span<const Box> parts) {
  std::vector<Detection> all = detect(image);
  if (image.empty()) return all;
  for (const Box& part : parts) {
    const cv::Rect inside = cv::Rect(static_cast<int>(part.x), static_cast<int>(part.y),
                                     static_cast<int>(part.width), static_cast<int>(part.height)) &
                            cv::Rect(0, 0, image.width(), image.height());
    if (inside.empty()) continue;
    for (Detection detection : impl_->detector.detect(Image(image.mat()(inside)), 0)) {
      detection.box.x += static_cast<float>(inside.x);
      detection.box.y += static_cast<float>(inside.y);
      all.push_back(detection);
    }
  }
  return suppress(std::move(all));
}

std::optional<float> Recogniser::liveness(const Image& image, const Box& face) {
  if (image.empty() || !impl_->liveness) return std::nullopt;
  return impl_->liveness->score(image, face);
}

Face Recogniser::locate(const Image& image, const Detection& detection) {
  Face face;
  face.box = detection.box;
  face.score = detection.score;
  face.landmarks = impl_->landmarks.find(image, detection.box);
  face.aligned = align(image, face.landmarks);
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
  face.embedding = face.aligned.empty() ? Embedding{} : impl_->embedder.embed(face.aligned);
}

std::optional<Face> Recogniser::portrait(const Image& image) {
  if (image.empty()) return std::nullopt;
  const double net_aspect =
      static_cast<double>(impl_->pack.detector.input_width) / impl_->pack.detector.input_height;
  // A little margin first: tight crops cut forehead and chin, and the picture is brought to the
  // net's proportions so that it does not stretch faces. Then without margin, for small faces;
  // then with a lot, for crops that are nothing but a face. Last, what the detector is less sure
  // of: somebody asked about a portrait, so there probably is a face.
  struct Try {
    double margin;
    float min_score;
  };
  for (const auto& [margin, min_score] : {Try{0.2, 0}, Try{0.0, 0}, Try{0.8, 0}, Try{0.2, 0.4F}}) {
    double width = image.width() * (1 + 2 * margin);
    double height = image.height() * (1 + 2 * margin);
    (width < height * net_aspect ? width : height) =
        width < height * net_aspect ? height * net_aspect : width / net_aspect;
    const int dx = static_cast<int>((width - image.width()) / 2);
    const int dy = static_cast<int>((height - image.height()) / 2);
    cv::Mat padded;
    cv::copyMakeBorder(image.mat(), padded, dy, dy, dx, dx, cv::BORDER_CONSTANT,
                       cv::Scalar::all(127));
    const std::vector<Detection> found = impl_->detector.detect(Image(padded), min_score);
    const auto best =
        std::max_element(found.begin(), found.end(), [&](const Detection& a, const Detection& b) {
          return prominence(a.box, padded.cols, padded.rows) <
                 prominence(b.box, padded.cols, padded.rows);
        });
    if (best == found.end()) continue;
    Detection detection = *best;
    detection.box.x -= static_cast<float>(dx);
    detection.box.y -= static_cast<float>(dy);
    Face face = locate(image, detection);
    embed(face);
    if (!face.embedding.empty()) return face;
  }
  return std::nullopt;
}

const std::string& Recogniser::model() const { return impl_->embedder.model(); }
const ModelPack& Recogniser::pack() const { return impl_->pack; }

}  // namespace welcome::vision
