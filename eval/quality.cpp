// SPDX-License-Identifier: Apache-2.0
// welcome-eval quality IMAGE|VIDEO…: would enrolment take this face, and if not, why? One line a
// picture. --cover judges it with a mask, sunglasses, a hand or something else before it, drawn;
// --turn as if the camera hung on its side or head.

#include "vision/quality.h"

#include <optional>
#include <string>

#include "eval/command.h"
#include "eval/cover.h"
#include "eval/gallery_folder.h"
#include "eval/json_line.h"
#include "eval/vision_options.h"
#include "vision/enrolment.h"
#include "vision/frame_source.h"
#include "vision/recogniser.h"

namespace welcome::eval {
namespace {

using Json = nlohmann::ordered_json;

struct Change {
  std::optional<Cover> cover;
  int degrees = 0;
};

void judge(const std::string& file, std::uint64_t number, const vision::Image& original,
           const Change& change, vision::Recogniser& recogniser) {
  Json line{{"file", file}, {"picture", number}};
  vision::Image image = original;
  auto face = recogniser.portrait(image);
  if (face && change.cover) image = covered(image, face->landmarks, *change.cover, number + 1);
  if (change.degrees != 0) image = image.turned(change.degrees);
  if (change.cover || change.degrees != 0) face = recogniser.portrait(image);
  if (!face) {
    line["taken"] = false;
    line["why"] = "no face";
  } else {
    const vision::Quality quality = vision::measure_quality(*face);
    const auto defect = vision::first_defect(quality, vision::EnrolmentOptions{}.limits);
    const vision::Cover cover = recogniser.cover_of(*face);
    const int turned = recogniser.turn_of(image, *face);
    line["defect"] = vision::to_string(defect);
    line["cover"] = vision::to_string(cover);
    line["turned"] = turned;
    line["taken"] = defect == vision::Defect::none && cover == vision::Cover::none && turned == 0;
  }
  print_line(line);
}

std::optional<Cover> cover_from_string(const std::string& text) {
  for (const Cover cover : kCovers) {
    if (to_string(cover) == text) return cover;
  }
  return std::nullopt;
}

}  // namespace

int quality(Arguments arguments) {
  const auto options = VisionOptions::parse(arguments, {"cover", "turn", "fps"});
  if (!options || options->files().empty()) return usage_error(kQualityUsage);
  Change change;
  if (const auto name = options->value("cover")) {
    change.cover = cover_from_string(*name);
    if (!change.cover) return usage_error(kQualityUsage);
  }
  change.degrees = std::stoi(options->value("turn").value_or("0"));
  if (change.degrees % 90 != 0 || change.degrees < 0 || change.degrees > 270) {
    return usage_error(kQualityUsage);
  }
  vision::Recogniser recogniser(options->load_pack());
  const double fps = std::stod(options->value("fps").value_or("1"));
  for (const std::string& file : options->files()) {
    if (!is_clip(file)) {
      const auto image = vision::Image::load(file);
      if (image) {
        judge(file, 0, *image, change, recogniser);
      } else {
        print_line({{"file", file}, {"error", image.error().message}});
      }
      continue;
    }
    const auto source = vision::make_clip_source({file, {}, {}, fps});
    for (std::uint64_t number = 0;; ++number) {
      const auto frame = source->next(std::chrono::milliseconds(0));
      if (!frame && frame.error().code == ErrorCode::malformed) continue;
      if (!frame) break;
      judge(file, number, frame->image, change, recogniser);
    }
  }
  return 0;
}

}  // namespace welcome::eval
