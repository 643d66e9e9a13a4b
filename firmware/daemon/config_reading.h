// SPDX-License-Identifier: Apache-2.0
#pragma once
// Reading: puts together what stands in the files and on the command line, and gathers all that is
// wrong with it. Start-up only.

#include <cstddef>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "firmware/daemon/config.h"
#include "firmware/daemon/config_file.h"
#include "firmware/daemon/config_machine.h"
#include "firmware/daemon/settings.h"

namespace welcome::daemon {

// What the command line says beside its action.
struct Arguments {
  CommandLine::Action action = CommandLine::Action::run;
  std::string file;
  std::string instead;  // read in the place of conf.d/90-local.conf; empty: that itself
  std::vector<Given> keys;
  std::vector<std::string> wrong;
};

class Reading {
 public:
  Reading(const Arguments& arguments, std::span<const FormerKey> former);

  void check_together();
  // Files that the configuration names and nobody can read.
  std::vector<std::string> unreadable() const;
  // What else it needs and the machine does not have, and files that hold something else.
  std::vector<std::string> missing(const Machine& machine) const;

  const std::vector<std::string>& wrong() const { return wrong_; }
  const std::vector<std::string>& notes() const { return text_.notes; }
  Config& config() { return config_; }
  std::map<std::string, std::string> given() const;
  std::vector<SettingState> settings() const;

 private:
  void find_cameras();
  const Section* section(std::string_view name) const;
  void check_headers();
  bool is_bad(const std::string& name) const;
  std::vector<std::string_view> section_names() const;
  void rename_former(std::span<const FormerKey> former);
  void sort_values();
  std::string unknown_key(const Given& given) const;
  void apply();
  void apply(const Section& s, const Setting& setting);
  std::optional<std::size_t> camera_index(const Section& s) const;
  // Where the last of some keys stands; the file as a whole when none is given.
  std::string at(std::initializer_list<std::string> names) const;
  // Of a camera: the key in its own section, in the common one, or its section.
  std::string at_camera(const CameraConfig& camera, const std::string& key) const;

  void check_words_of_topics();
  void check_broker(const std::string& section, const BrokerConfig& broker);
  void check_radio();
  void check_camera(const CameraConfig& camera);

  void look_for_credentials(const Machine& machine, std::vector<std::string>& out) const;
  void look_for_devices(const Machine& machine, std::vector<std::string>& out) const;
  void look_into_files(std::vector<std::string>& out) const;

  const std::string file_;
  ConfigText text_;
  std::vector<std::string> wrong_;
  std::vector<std::string> cameras_;       // names of the sections [camera.NAME]
  std::vector<std::string> bad_sections_;  // complained about already
  std::map<std::string, std::string> headers_;
  std::vector<Section> sections_;
  std::map<std::string, Given> given_;  // by name; what holds
  Config config_;
};

}  // namespace welcome::daemon
