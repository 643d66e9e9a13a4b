// SPDX-License-Identifier: Apache-2.0
// welcome-eval liveness IMAGE|VIDEO…: is a person there, or a picture of one? One line a file; a
// recording is judged as a track would be, on its biggest face. --attack judges a copy of each that
// is made to look printed or shown on a screen.

#include "vision/liveness.h"

#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>

#include "eval/attack.h"
#include "eval/command.h"
#include "eval/gallery_folder.h"
#include "eval/json_line.h"
#include "eval/vision_options.h"
#include "vision/frame_source.h"
#include "vision/recogniser.h"

namespace welcome::eval {
namespace {

using Json = nlohmann::ordered_json;

void judge_picture(const std::string& file, vision::Recogniser& recogniser,
                   std::optional<Attack> attack) {
  Json line{{"file", file}};
  auto image = vision::Image::load(file);
  if (image && attack) image = imitate(*image, *attack, 1);
  const auto face = image ? recogniser.portrait(*image) : std::nullopt;
  if (!face) {
    line["error"] = image ? "no face" : "cannot read";
  } else if (const auto score = recogniser.liveness(*image, face->box)) {
    line["score"] = *score;
    line["decision"] = vision::to_string(vision::first_sight(*score));
  } else {
    line["decision"] = "undecided";
  }
  print_line(line);
}

void judge_recording(const std::string& file, vision::Recogniser& recogniser, double fps,
                     std::optional<Attack> attack) {
  vision::LivenessVote vote;
  std::uint64_t frames = 0;
  std::uint64_t judged = 0;
  std::uint64_t live = 0;
  // Views after which the sum over the track said so.
  std::uint64_t said_live = 0;
  std::uint64_t said_attack = 0;
  const auto source = vision::make_clip_source({file, {}, {}, fps});
  while (true) {
    auto frame = source->next(std::chrono::milliseconds(0));
    if (!frame && frame.error().code == ErrorCode::malformed) continue;
    if (!frame) break;
    ++frames;
    const vision::Image image =
        attack ? imitate(frame->image, *attack, 1) : std::move(frame->image);
    const auto faces = recogniser.find(image);
    if (faces.empty()) continue;
    const auto score = recogniser.liveness(image, faces.front().box);
    if (!score) continue;
    ++judged;
    live += *score >= 0.5F ? 1U : 0U;
    vote.add(*score);
    said_live += vote.verdict() == vision::Liveness::live ? 1U : 0U;
    said_attack += vote.verdict() == vision::Liveness::attack ? 1U : 0U;
  }
  Json line{{"file", file}};
  if (source->state() == vision::SourceState::failed) {
    line["error"] = "cannot read";
  } else {
    line["frames"] = frames;
    line["judged"] = judged;
    line["live_frames"] = live;
    line["said_live"] = said_live;
    line["said_attack"] = said_attack;
    line["score"] = vote.mean();
    line["decision"] = vision::to_string(vote.verdict());
  }
  print_line(line);
}

}  // namespace

int liveness(Arguments arguments) {
  const auto options = VisionOptions::parse(arguments, {"fps", "attack"});
  if (!options || options->files().empty()) return usage_error(kLivenessUsage);
  const vision::ModelPack pack = options->load_pack();
  if (pack.liveness.empty())
    throw std::runtime_error("the pack " + pack.name + " has no liveness model");
  vision::Recogniser recogniser(pack);
  const double fps = std::stod(options->value("fps").value_or("5"));
  std::optional<Attack> attack;
  if (const auto name = options->value("attack")) {
    attack = attack_from_string(*name);
    if (!attack) return usage_error(kLivenessUsage);
  }
  for (const std::string& file : options->files()) {
    if (is_clip(file)) {
      judge_recording(file, recogniser, fps, attack);
    } else {
      judge_picture(file, recogniser, attack);
    }
  }
  return 0;
}

}  // namespace welcome::eval
