// The hot paths of vision, one thread. Pictures are made here, so the figures need models but no
// sample media; a benchmark without its models says so and is skipped.

#include <benchmark/benchmark.h>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <opencv2/imgproc.hpp>
#include <random>

#include "firmware/core/consent_gate.h"
#include "vision/analyser.h"
#include "vision/gallery.h"
#include "vision/quality.h"
#include "vision/recogniser.h"
#include "vision/tracker.h"

namespace welcome::vision {
namespace {

std::filesystem::path models_dir() {
  if (const char* set = std::getenv("WELCOME_MODELS")) return set;
  return WELCOME_SOURCE_DIR "/build/models";
}

Recogniser* recogniser(benchmark::State& state) {
  if (!std::filesystem::exists(models_dir() / "models.json")) {
    state.SkipWithError("no models: run vision/models/prepare");
    return nullptr;
  }
  static Recogniser instance(load_model_pack(models_dir(), "best"));
  return &instance;
}

Image noise(int width, int height) {
  cv::Mat pixels(height, width, CV_8UC3);
  cv::theRNG().state = 1;
  cv::randu(pixels, 0, 255);
  return Image(pixels);
}

FaceConsent consent_of(const std::string& customer) {
  const WallTime given{std::chrono::hours(1)};
  const Now now{MonoTime{}, given + std::chrono::hours(1), true};
  ConsentRecord record;
  record.record_id = customer;
  record.customer = CustomerId(customer);
  record.purpose = Purpose::face_recognition;
  record.history = {{ConsentState::given, given, "desk"}};
  ConsentGate gate;
  gate.heard_from_crm(now.wall);
  gate.put(record);
  return gate.face_consent(record.customer, now).value();
}

Embedding random_face(std::mt19937& random) {
  std::normal_distribution<float> normal;
  Embedding face;
  double square = 0;
  for (int i = 0; i < 512; ++i) {
    face.values.push_back(normal(random));
    square += static_cast<double>(face.values.back()) * static_cast<double>(face.values.back());
  }
  for (float& value : face.values) value /= static_cast<float>(std::sqrt(square));
  return face;
}

void Detect720p(benchmark::State& state) {
  Recogniser* r = recogniser(state);
  const Image image = noise(1280, 720);
  for (auto _ : state) {
    if (r == nullptr) break;
    benchmark::DoNotOptimize(r->detect(image));
  }
}
BENCHMARK(Detect720p)->Unit(benchmark::kMillisecond);

void Landmarks68(benchmark::State& state) {
  Recogniser* r = recogniser(state);
  const Image image = noise(1280, 720);
  for (auto _ : state) {
    if (r == nullptr) break;
    benchmark::DoNotOptimize(r->locate(image, {{400, 200, 160, 180}, 1}));
  }
}
BENCHMARK(Landmarks68)->Unit(benchmark::kMillisecond);

void AlignAndEmbed(benchmark::State& state) {
  Recogniser* r = recogniser(state);
  if (r == nullptr) return;
  const Image image = noise(1280, 720);
  Face face = r->locate(image, {{400, 200, 160, 180}, 1});
  for (auto _ : state) {
    r->embed(image, face);
    benchmark::DoNotOptimize(face.embedding.values.data());
  }
}
BENCHMARK(AlignAndEmbed)->Unit(benchmark::kMillisecond);

void MeasureQuality(benchmark::State& state) {
  const Image aligned = noise(112, 112);
  Face face;
  face.box = {0, 0, 100, 100};
  for (std::size_t i = 0; i < face.landmarks.size(); ++i) {
    face.landmarks[i] = {static_cast<float>(i % 10) * 10, static_cast<float>(i)};
  }
  for (auto _ : state) benchmark::DoNotOptimize(measure_quality(face, aligned));
}
BENCHMARK(MeasureQuality)->Unit(benchmark::kMicrosecond);

void SearchGallery(benchmark::State& state) {
  std::mt19937 random(1);
  Gallery::Builder builder("m", OperatingPoint{});
  const auto people = state.range(0);
  for (std::int64_t person = 0; person < people; ++person) {
    const FaceConsent consent = consent_of("c-" + std::to_string(person));
    for (int view = 0; view < 3; ++view) {
      if (!builder.add(consent, FaceTemplate(consent, "m", random_face(random)))) std::abort();
    }
  }
  const auto gallery = std::move(builder).build(1);
  const Embedding face = random_face(random);
  for (auto _ : state) benchmark::DoNotOptimize(gallery->match(face));
}
BENCHMARK(SearchGallery)->Arg(10)->Arg(1000)->Arg(10000)->Unit(benchmark::kMicrosecond);

void TrackFiveFaces(benchmark::State& state) {
  FaceTracker tracker;
  std::int64_t frame = 0;
  for (auto _ : state) {
    std::vector<Detection> seen;
    for (int i = 0; i < 5; ++i) {
      seen.push_back({{static_cast<float>(200 * i + frame % 40), 100, 80, 90}, 1});
    }
    benchmark::DoNotOptimize(
        tracker.update(seen, MonoTime{} + std::chrono::milliseconds(66 * frame)));
    ++frame;
  }
}
BENCHMARK(TrackFiveFaces)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace welcome::vision
