// SPDX-License-Identifier: Apache-2.0
// welcome-eval detect IMAGE…: the faces of each picture, the surest first.

#include <iostream>
#include <nlohmann/json.hpp>

#include "eval/command.h"
#include "eval/json_line.h"
#include "eval/vision_options.h"
#include "vision/recogniser.h"

namespace welcome::eval {

int detect(Arguments arguments) {
  using Json = nlohmann::ordered_json;
  const auto options = VisionOptions::parse(arguments, {}, {"far"});
  if (!options || options->files().empty()) return usage_error(kDetectUsage);
  vision::Recogniser recogniser(options->load_pack());
  for (const std::string& file : options->files()) {
    Json line{{"image", file}};
    if (const auto image = vision::Image::load(file)) {
      line["width"] = image->width();
      line["height"] = image->height();
      line["faces"] = Json::array();
      const auto tiles = vision::tiles_of(image->width(), image->height());
      for (const vision::Detection& face :
           options->flag("far") ? recogniser.detect(*image, tiles) : recogniser.detect(*image)) {
        line["faces"].push_back({{"x", face.box.x},
                                 {"y", face.box.y},
                                 {"width", face.box.width},
                                 {"height", face.box.height},
                                 {"score", face.score}});
      }
    } else {
      line["error"] = image.error().message;
    }
    print_line(line);
  }
  return 0;
}

}  // namespace welcome::eval
