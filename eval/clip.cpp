// SPDX-License-Identifier: Apache-2.0
// welcome-eval clip VIDEO --gallery DIR: what the camera worker would have said about a recording,
// frame by frame: every view that was compared, every match, and what each track came to.

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "eval/command.h"
#include "eval/gallery_folder.h"
#include "eval/json_line.h"
#include "eval/vision_options.h"
#include "vision/analyser.h"

namespace welcome::eval {
namespace {

using Json = nlohmann::ordered_json;

double seconds(MonoTime at) { return std::chrono::duration<double>(at.time_since_epoch()).count(); }

}  // namespace

int clip(Arguments arguments) {
  const auto options =
      VisionOptions::parse(arguments, {"gallery", "fps", "fmr"}, {"quality", "liveness"});
  if (!options || options->files().size() != 1 || !options->value("gallery")) {
    return usage_error(kClipUsage);
  }
  vision::Recogniser recogniser(options->load_pack());
  const auto point = vision::OperatingPoint::of(recogniser.pack(), options->false_match_rate());
  const auto gallery = read_gallery(*options->value("gallery"), recogniser, point);

  vision::AnalyserOptions analysis;
  analysis.require_liveness = options->flag("liveness");
  if (!options->flag("quality")) analysis.limits = vision::QualityLimits::none();
  vision::Analyser analyser(analysis, recogniser);
  analyser.set_observer([](std::uint64_t track, MonoTime at, const vision::Quality& quality,
                           const vision::GalleryMatch& match) {
    const Json line{{"t_s", seconds(at)},           {"track", track},
                    {"best", match.customer.str()}, {"similarity", match.similarity},
                    {"second", match.second},       {"accepted", match.accepted},
                    {"quality", quality.score}};
    print_line(line);
  });
  const auto source = vision::make_clip_source(
      {options->files()[0], {}, {}, std::stod(options->value("fps").value_or("15"))});
  std::uint64_t bad = 0;
  while (true) {
    const auto frame = source->next(std::chrono::milliseconds(0));
    if (!frame) {
      if (source->state() == vision::SourceState::failed) {
        throw std::runtime_error("cannot open " + options->files()[0]);
      }
      if (frame.error().code != ErrorCode::malformed) break;
      ++bad;
      continue;
    }
    for (const vision::FaceMatch& match : analyser.analyse(*frame, gallery.get())) {
      const Json line{{"t_s", seconds(match.at)},
                      {"track", match.track},
                      {"match", match.customer.str()},
                      {"similarity", match.similarity}};
      print_line(line);
    }
  }
  analyser.forget();
  const vision::AnalyserCounters& counters = analyser.counters();
  const Json line{
      {"frames", counters.frames_analysed},       {"frames_bad", bad},
      {"threshold", gallery->threshold()},        {"faces_seen", counters.faces_seen},
      {"faces_matched", counters.faces_matched},  {"faces_discarded", counters.faces_discarded},
      {"faces_embedded", counters.faces_embedded}};
  print_line(line);
  return 0;
}

}  // namespace welcome::eval
