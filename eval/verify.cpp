// SPDX-License-Identifier: Apache-2.0
// welcome-eval verify PAIRS: similarity of each pair of pictures. The faces of a picture are found
// once, however many pairs name it.

#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "eval/command.h"
#include "eval/json_line.h"
#include "eval/vision_options.h"
#include "vision/recogniser.h"

namespace welcome::eval {
namespace {

struct Picture {
  vision::Embedding embedding;
  std::string error;  // why there is none
};

class Pictures {
 public:
  explicit Pictures(vision::Recogniser& recogniser) : recogniser_(recogniser) {}

  const Picture& get(const std::string& path) {
    const auto [it, added] = known_.try_emplace(path);
    if (added) {
      it->second = read(path);
      if (known_.size() % 200 == 0) std::cerr << "verify: " << known_.size() << " pictures\n";
    }
    return it->second;
  }

 private:
  Picture read(const std::string& path) {
    const auto image = vision::Image::load(path);
    if (!image) return {{}, "cannot read"};
    auto face = recogniser_.portrait(*image);
    if (!face) return {{}, "no face in"};
    return {std::move(face->embedding), {}};
  }

  vision::Recogniser& recogniser_;
  std::unordered_map<std::string, Picture> known_;
};

// Names are separated by a tab, or by blanks where there is none.
std::optional<std::pair<std::string, std::string>> split(const std::string& line) {
  if (const auto tab = line.find('\t'); tab != std::string::npos) {
    return std::pair{line.substr(0, tab), line.substr(tab + 1)};
  }
  std::istringstream words(line);
  std::pair<std::string, std::string> pair;
  if (words >> pair.first >> pair.second) return pair;
  return std::nullopt;
}

}  // namespace

int verify(Arguments arguments) {
  const auto options = VisionOptions::parse(arguments);
  if (!options || options->files().size() != 1) return usage_error(kVerifyUsage);
  const std::string& pairs = options->files()[0];
  std::ifstream file;
  if (pairs != "-") {
    file.open(pairs);
    if (!file) throw std::runtime_error("cannot read " + pairs);
  }
  std::istream& in = pairs == "-" ? std::cin : file;
  vision::Recogniser recogniser(options->load_pack());
  Pictures pictures(recogniser);
  std::string line;
  while (std::getline(in, line)) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty()) continue;
    nlohmann::ordered_json out;
    const auto pair = split(line);
    if (!pair) {
      out["error"] = "not a pair";
    } else {
      const Picture& first = pictures.get(pair->first);
      const Picture& second = pictures.get(pair->second);
      if (!first.error.empty()) {
        out["error"] = first.error + " A";
      } else if (!second.error.empty()) {
        out["error"] = second.error + " B";
      } else {
        out["similarity"] = vision::cosine(first.embedding, second.embedding);
      }
    }
    print_line(out);
  }
  return 0;
}

}  // namespace welcome::eval
