// SPDX-License-Identifier: Apache-2.0
// welcome-eval identify --gallery DIR --probes DIR: open-set identification of pictures. Folders
// hold one folder per person; a probe whose person is not in the gallery ought to be "unknown".

#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "eval/command.h"
#include "eval/gallery_folder.h"
#include "eval/json_line.h"
#include "eval/vision_options.h"

namespace welcome::eval {
namespace {

using Json = nlohmann::ordered_json;

void probe(const std::filesystem::path& file, const std::string& person,
           vision::Recogniser& recogniser, const vision::Gallery& gallery) {
  Json line{{"probe", file.string()}};
  if (!person.empty()) line["person"] = person;
  const auto image = vision::Image::load(file);
  const auto face = image ? recogniser.portrait(*image) : std::nullopt;
  if (!face) {
    line["error"] = image ? "no face" : "cannot read";
  } else if (const auto match = gallery.match(face->embedding)) {
    line["best"] = match->customer.str();
    line["similarity"] = match->similarity;
    line["second"] = match->second;
    line["decision"] = match->accepted ? match->customer.str() : "unknown";
  } else {
    line["decision"] = "unknown";
  }
  print_line(line);
}

}  // namespace

int identify(Arguments arguments) {
  const auto options = VisionOptions::parse(arguments, {"gallery", "probes", "fmr"});
  if (!options || !options->files().empty() || !options->value("gallery") ||
      !options->value("probes")) {
    return usage_error(kIdentifyUsage);
  }
  vision::Recogniser recogniser(options->load_pack());
  const auto point = vision::OperatingPoint::of(recogniser.pack(), options->false_match_rate());
  const auto gallery = read_gallery(*options->value("gallery"), recogniser, point);
  std::cerr << "identify: " << gallery->people() << " people, threshold " << gallery->threshold()
            << '\n';
  for (const auto& entry : list_folder(*options->value("probes"))) {
    if (!std::filesystem::is_directory(entry)) {
      probe(entry, "", recogniser, *gallery);
      continue;
    }
    for (const auto& file : list_folder(entry)) {
      probe(file, entry.filename().string(), recogniser, *gallery);
    }
  }
  return 0;
}

}  // namespace welcome::eval
