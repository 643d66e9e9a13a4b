// SPDX-License-Identifier: Apache-2.0
// welcome-eval groups --labels FILE: is a recogniser as good for one group of people as for
// another? Every pair of pictures is compared; who is of a group is compared with others of that
// group, since those are the people that one is confused with. At one threshold for all, each group
// has rates of its own.

#include <algorithm>
#include <array>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "eval/command.h"
#include "eval/json_line.h"
#include "eval/vision_options.h"
#include "vision/gallery.h"
#include "vision/recogniser.h"

namespace welcome::eval {
namespace {

using Json = nlohmann::ordered_json;

struct Label {
  std::string picture, person, group;
};

struct Portrait {
  std::string person, group;
  vision::Embedding embedding;
};

// picture TAB person TAB group; lines that begin with # are comments. A picture's path is relative
// to the list.
std::vector<Label> read_labels(const std::filesystem::path& file) {
  std::ifstream in(file);
  if (!in) throw std::runtime_error("cannot read " + file.string());
  std::vector<Label> labels;
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty() || line.front() == '#') continue;
    Label label;
    std::istringstream fields(line);
    if (!std::getline(fields, label.picture, '\t') || !std::getline(fields, label.person, '\t') ||
        !std::getline(fields, label.group, '\t') || label.person.empty() || label.group.empty()) {
      throw std::runtime_error(file.string() + ":" + std::to_string(number) +
                               ": not picture TAB person TAB group");
    }
    label.picture = (file.parent_path() / label.picture).string();
    labels.push_back(std::move(label));
  }
  return labels;
}

struct Tally {
  std::size_t pictures = 0;
  std::map<std::string, std::size_t> people;
  std::uint64_t genuine = 0;
  std::uint64_t impostors = 0;
  std::vector<std::uint64_t> accepted;       // genuine pairs, per threshold
  std::vector<std::uint64_t> false_matches;  // impostor pairs, per threshold
};

void count(Tally& tally, bool same, float similarity, const std::vector<double>& thresholds) {
  ++(same ? tally.genuine : tally.impostors);
  auto& passed = same ? tally.accepted : tally.false_matches;
  for (std::size_t i = 0; i < thresholds.size(); ++i) {
    if (static_cast<double>(similarity) >= thresholds[i]) ++passed[i];
  }
}

double share(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

Json report(const std::string& group, const Tally& tally, std::size_t at, double threshold) {
  return {{"group", group},
          {"pictures", tally.pictures},
          {"people", tally.people.size()},
          {"genuine", tally.genuine},
          {"impostors", tally.impostors},
          {"threshold", threshold},
          {"false_match_rate", share(tally.false_matches[at], tally.impostors)},
          {"true_accept_rate", share(tally.accepted[at], tally.genuine)}};
}

std::vector<Portrait> look_at(const std::vector<Label>& labels, vision::Recogniser& recogniser) {
  std::vector<Portrait> portraits;
  for (const Label& label : labels) {
    const auto image = vision::Image::load(label.picture);
    auto face = image ? recogniser.portrait(*image) : std::nullopt;
    if (!face) {
      print_line({{"picture", label.picture}, {"error", image ? "no face" : "cannot read"}});
      continue;
    }
    portraits.push_back({label.person, label.group, std::move(face->embedding)});
    if (portraits.size() % 200 == 0) std::cerr << "groups: " << portraits.size() << " pictures\n";
  }
  return portraits;
}

}  // namespace

int groups(Arguments arguments) {
  const auto options = VisionOptions::parse(arguments, {"labels"});
  if (!options || !options->files().empty() || !options->value("labels")) {
    return usage_error(kGroupsUsage);
  }
  const auto labels = read_labels(*options->value("labels"));
  vision::Recogniser recogniser(options->load_pack());
  const auto portraits = look_at(labels, recogniser);

  // The pack's measured thresholds over all, and those that it is run at.
  const vision::FaceThresholds& measured = recogniser.pack().thresholds;
  const auto point = vision::OperatingPoint::of(recogniser.pack());
  struct Level {
    double rate;
    bool promised;  // to every group
    double threshold;
  };
  const std::array levels{
      Level{1e-3, false, measured.fmr_1e3}, Level{1e-4, false, measured.fmr_1e4},
      Level{1e-5, false, measured.fmr_1e5}, Level{1e-3, true, point.at(1e-3)},
      Level{1e-4, true, point.at(1e-4)},    Level{1e-5, true, point.at(1e-5)}};
  std::vector<double> thresholds;
  for (const Level& level : levels) thresholds.push_back(level.threshold);

  Tally all;
  all.accepted.resize(levels.size());
  all.false_matches.resize(levels.size());
  std::map<std::string, Tally> by_group;
  for (const Portrait& one : portraits) {
    Tally& group = by_group.try_emplace(one.group, Tally{{}, {}, 0, 0, all.accepted, all.accepted})
                       .first->second;
    for (Tally* tally : {&all, &group}) {
      ++tally->pictures;
      ++tally->people[one.person];
    }
  }
  for (std::size_t i = 0; i < portraits.size(); ++i) {
    for (std::size_t k = i + 1; k < portraits.size(); ++k) {
      const Portrait& a = portraits[i];
      const Portrait& b = portraits[k];
      const float similarity = vision::cosine(a.embedding, b.embedding);
      count(all, a.person == b.person, similarity, thresholds);
      if (a.group == b.group) {
        count(by_group.at(a.group), a.person == b.person, similarity, thresholds);
      }
    }
  }
  for (std::size_t at = 0; at < levels.size(); ++at) {
    const auto line = [&](const std::string& name, const Tally& tally) {
      Json out{{"rate", levels[at].rate}, {"for_every_group", levels[at].promised}};
      out.update(report(name, tally, at, levels[at].threshold));
      print_line(out);
    };
    line("all", all);
    for (const auto& [name, tally] : by_group) line(name, tally);
  }
  return 0;
}

}  // namespace welcome::eval
