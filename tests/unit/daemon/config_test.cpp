// SPDX-License-Identifier: Apache-2.0
#include "firmware/daemon/config.h"

#include <algorithm>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

namespace welcome::daemon {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr const char* kGood =
    "# A box in a coffee shop.\n"
    "[box]\n"
    "tenant = demo\n"
    "store = aroma-1   # the first one\n"
    "id = box-1\n";

class ConfigTest : public testing::Test {
 protected:
  ConfigTest() : dir_(fs::path(testing::TempDir()) / ("config-" + std::to_string(::getpid()))) {
    fs::remove_all(dir_);
    fs::create_directories(dir_ / "conf.d");
  }
  ~ConfigTest() override { fs::remove_all(dir_); }

  void write(const std::string& name, const std::string& text) {
    std::ofstream(dir_ / name) << text;
  }

  CommandLine read(std::vector<std::string> more = {}) {
    std::vector<std::string> words{"welcomed", "--config", (dir_ / "welcomed.conf").string()};
    words.insert(words.end(), more.begin(), more.end());
    std::vector<const char*> argv;
    for (const auto& word : words) argv.push_back(word.c_str());
    return read_config(static_cast<int>(argv.size()), argv.data());
  }

  // As `--check` looks at a machine.
  std::string check(const Machine& machine, std::span<const FormerKey> former = {}) {
    const std::string file = (dir_ / "welcomed.conf").string();
    const char* const argv[] = {"welcomed", "--check", "--config", file.c_str()};
    try {
      notes_ = read_config(4, argv, machine, former).notes;
    } catch (const ConfigError& e) {
      return e.what();
    }
    return "no complaint";
  }
  // With models, and with no secret.
  std::string good() {
    write("models.json", "{}");
    return std::string(kGood) + "[vision]\nmodels_dir = " + dir_.string() + "\n";
  }

  std::string complaint(std::vector<std::string> more = {}) {
    try {
      read(std::move(more));
    } catch (const ConfigError& e) {
      return e.what();
    }
    return "no complaint";
  }

  fs::path dir_;
  std::vector<std::string> notes_;
};

TEST_F(ConfigTest, ReadsSectionsAndFillsInDefaults) {
  write("welcomed.conf", kGood);
  const Config config = read().config;
  EXPECT_EQ(config.tenant, "demo");
  EXPECT_EQ(config.store, "aroma-1");
  EXPECT_EQ(config.state_dir, "/var/lib/welcomed");
  EXPECT_EQ(config.radio_leave_after_s, 20);
  EXPECT_FALSE(config.replaying());
}

TEST_F(ConfigTest, LaterDropInsWinAndTheCommandLineWinsOverAll) {
  write("welcomed.conf", std::string(kGood) + "[zones]\ndesk_m = 1\n[radio]\nleave_after_s = 30\n");
  write("conf.d/10-site.conf", "[zones]\ndesk_m = 1.2\n[box]\nlog_level = debug\n");
  write("conf.d/20-more.conf", "[zones]\ndesk_m = 1.5\n");
  const Config config = read({"--box.log_level=error"}).config;
  EXPECT_EQ(config.zone_desk_m, 1.5);
  EXPECT_EQ(config.radio_leave_after_s, 30);
  EXPECT_EQ(config.log_level, LogLevel::error);
}

TEST_F(ConfigTest, ABrokerOnAnotherMachineNeedsTlsUnlessItIsWrittenDown) {
  for (const char* host : {"127.0.0.1", "127.0.1.1", "::1", "localhost"}) {
    write("welcomed.conf", std::string(kGood) + "[uplink]\nhost = " + host + "\n");
    EXPECT_EQ(complaint(), "no complaint") << host;
  }
  write("welcomed.conf", std::string(kGood) + "[uplink]\nhost = 127.0.0.1.example\n");
  EXPECT_THAT(complaint(), HasSubstr("uplink.tls_ca")) << "a name that looks like ours";
  for (const std::string section : {"uplink", "floor"}) {
    const std::string far = std::string(kGood) + "[" + section + "]\nhost = broker.example\n";
    write("welcomed.conf", far);
    EXPECT_THAT(complaint(),
                testing::AllOf(HasSubstr("welcomed.conf:7: "), HasSubstr(section + ".tls_ca")));
    write("welcomed.conf", far + "tls_ca = " + (dir_ / "ca.pem").string() + "\n");
    EXPECT_EQ(complaint(), "no complaint");
    write("welcomed.conf", far + "plain = yes\n");
    EXPECT_EQ(complaint(), "no complaint");
  }
}

TEST_F(ConfigTest, UnknownKeyNamesFileAndLine) {
  write("welcomed.conf", std::string(kGood) + "[radio]\nsorce = none\n");
  EXPECT_THAT(complaint(),
              testing::AllOf(HasSubstr("welcomed.conf:7: "), HasSubstr("radio.sorce")));
  write("welcomed.conf", kGood);
  write("conf.d/site.conf", "[box]\n\ncolour = red\n");
  EXPECT_THAT(complaint(), testing::AllOf(HasSubstr("site.conf:3: "), HasSubstr("box.colour")));
}

TEST_F(ConfigTest, BadValuesNameFileLineAndWhatIsAllowed) {
  write("welcomed.conf", std::string(kGood) + "[radio]\nleave_after_s = soon\n");
  EXPECT_THAT(complaint(), HasSubstr("welcomed.conf:7: "));
  write("welcomed.conf", std::string(kGood) + "[radio]\nleave_after_s = 1\n");
  EXPECT_THAT(complaint(), testing::AllOf(HasSubstr(":7: "), HasSubstr("2 … 600")));
  write("welcomed.conf", std::string(kGood) + "[camera]\nsource = webcam\n");
  EXPECT_THAT(complaint(), testing::AllOf(HasSubstr(":7: "), HasSubstr("v4l2")));
  write("welcomed.conf", std::string(kGood) + "[camera\n");
  EXPECT_THAT(complaint(), HasSubstr(":6: section without"));
}

TEST_F(ConfigTest, WhatDoesNotFitTogetherIsRefused) {
  write("welcomed.conf", "[box]\nstore = a\nid = b\n");
  EXPECT_THAT(complaint(), HasSubstr("box.tenant"));
  write("welcomed.conf", std::string(kGood) + "[zones]\ndesk_m = 8\n");
  EXPECT_THAT(complaint(), HasSubstr("desk_m < inside_m"));
  write("welcomed.conf", std::string(kGood) + "[radio]\nsource = btsnoop\n");
  EXPECT_THAT(complaint(), HasSubstr("replay.epoch_ms"));
  EXPECT_THAT(complaint({"--nonsense=1"}), HasSubstr("nonsense"));
}

TEST_F(ConfigTest, WithoutASectionOfItsOwnThereIsOneCamera) {
  write("welcomed.conf", std::string(kGood) + "[camera]\nsource = v4l2\npath = /dev/video2\n");
  const Config config = read({"--camera.fps=5"}).config;
  ASSERT_EQ(config.cameras.size(), 1U);
  EXPECT_EQ(config.cameras[0].name, "main");
  EXPECT_EQ(config.cameras[0].path, "/dev/video2");
  EXPECT_EQ(config.cameras[0].fps, 5);
  EXPECT_EQ(config.cameras[0].zone, Zone::desk);
  write("welcomed.conf", kGood);
  EXPECT_TRUE(read().config.cameras.empty());
}

TEST_F(ConfigTest, SeveralCamerasTakeFromTheCommonSectionWhatTheyDoNotSay) {
  write("welcomed.conf", std::string(kGood) +
                             "[camera]\nfps = 8\nsource = v4l2\n"
                             "[camera.desk]\npath = /dev/video0\n"
                             "[camera.door-2]\nsource = rtsp\npath = rtsp://10.0.0.7/live\nzone = "
                             "door\nfps = 4\n");
  write("conf.d/site.conf", "[camera.desk]\nwidth = 1920\nheight = 1080\n");
  const Config config = read({"--camera.door-2.fps=3"}).config;
  ASSERT_EQ(config.cameras.size(), 2U);
  EXPECT_EQ(config.cameras[0].name, "desk");
  EXPECT_EQ(config.cameras[0].source, CameraSource::v4l2);
  EXPECT_EQ(config.cameras[0].width, 1920);
  EXPECT_EQ(config.cameras[0].fps, 8);
  EXPECT_EQ(config.cameras[1].name, "door-2");
  EXPECT_EQ(config.cameras[1].source, CameraSource::rtsp);
  EXPECT_EQ(config.cameras[1].zone, Zone::door);
  EXPECT_EQ(config.cameras[1].fps, 3);
  EXPECT_EQ(config.cameras[1].width, 1280);
}

TEST_F(ConfigTest, ACameraThatCannotWorkIsNamed) {
  const auto with = [&](const std::string& text) {
    write("welcomed.conf", std::string(kGood) + text);
    return complaint();
  };
  EXPECT_THAT(with("[camera.desk]\nsource = v4l2\n"), HasSubstr("camera desk: "));
  EXPECT_THAT(with("[camera.desk]\nsource = rtsp\npath = http://10.0.0.7/\n"),
              HasSubstr("rtsp://"));
  EXPECT_THAT(
      with("[camera.desk]\nsource = rtsp\npath = rtsp://eva:secret@10.0.0.7/live\n"),
      testing::AllOf(HasSubstr("credential camera-desk"), testing::Not(HasSubstr("secret"))));
  EXPECT_THAT(with("[camera.The Desk]\nsource = none\n"), HasSubstr("welcomed.conf:6: "));
  EXPECT_THAT(with("[camera.desk]\nzone = street\n"),
              testing::AllOf(HasSubstr("welcomed.conf:7: "), HasSubstr("door")));
  EXPECT_THAT(with("[camera.desk]\nsorce = v4l2\n"), HasSubstr("camera.desk.sorce"));
  EXPECT_THAT(with("[camera]\nwake = hours\n"), HasSubstr("camera.hours"));
  EXPECT_THAT(with("[camera]\nhours = 7 to 22\n"), HasSubstr("07:00-22:30"));
  EXPECT_THAT(with("[vision]\nmin_face_px = 10\n"), HasSubstr("24 … 400"));
}

TEST_F(ConfigTest, EverythingThatIsWrongIsSaidAtOnce) {
  write("welcomed.conf",
        "[box]\nstore = a/b\nid = b\n[radio]\nsource = hcii\nfile\n[zones]\ndesk_m = 8\n");
  write("conf.d/site.conf", "[uplink]\nport = many\n");
  const std::string all = complaint();
  EXPECT_THAT(all, HasSubstr("welcomed.conf: box.tenant is missing"));
  EXPECT_THAT(all, HasSubstr("welcomed.conf:2: box.store = a/b cannot be used"));
  EXPECT_THAT(all, HasSubstr("welcomed.conf:5: radio.source = hcii is not one of none, hci, bluez, "
                             "btsnoop; did you mean 'hci'?"));
  EXPECT_THAT(all, HasSubstr("welcomed.conf:6: 'file' is neither"));
  EXPECT_THAT(all, HasSubstr("welcomed.conf:8: zones: desk_m < inside_m"));
  EXPECT_THAT(all, HasSubstr("site.conf:2: uplink.port = many is not a whole number"));
  EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), 5) << all;
}

TEST_F(ConfigTest, WhatIsMistypedGetsTheNearestWord) {
  const auto with = [&](const std::string& text, std::vector<std::string> more = {}) {
    write("welcomed.conf", std::string(kGood) + text);
    return complaint(std::move(more));
  };
  EXPECT_THAT(with("[radio]\nsorce = hci\n"), HasSubstr("did you mean 'radio.source'?"));
  EXPECT_THAT(with("[camera.desk]\nsorce = v4l2\n"),
              HasSubstr("did you mean 'camera.desk.source'?"));
  EXPECT_THAT(with("[camera]\nwake = near\n"), HasSubstr("nearby, hours, always"));
  EXPECT_THAT(with("", {"--chek"}), HasSubstr("did you mean '--check'?"));
  EXPECT_THAT(with("", {"--zones.desk=1"}), HasSubstr("did you mean 'zones.desk_m'?"));
  // Also when nothing follows it.
  EXPECT_THAT(with("[upilnk]\n"),
              testing::AllOf(HasSubstr("welcomed.conf:6: unknown section [upilnk]"),
                             HasSubstr("did you mean 'uplink'?")));
  EXPECT_THAT(with("[visit]\nend_after_s = 9\n"), testing::Not(HasSubstr("\n")));  // once
}

TEST_F(ConfigTest, ValuesThatCannotBeMeantAreRefused) {
  const auto with = [&](const std::string& text) {
    write("welcomed.conf", std::string(kGood) + text);
    return complaint();
  };
  EXPECT_THAT(with("[uplink]\nport = -1\n"),
              HasSubstr(":7: uplink.port = -1 is out of range (1 … 65535)"));
  EXPECT_THAT(with("[uplink]\nport = 0\n"), HasSubstr("1 … 65535"));
  EXPECT_THAT(with("[uplink]\nport = 99999999999999999999\n"), HasSubstr("1 … 65535"));
  EXPECT_THAT(with("[uplink]\nhost = \"broker.example\"\n"), HasSubstr(":7: uplink.host"));
  EXPECT_THAT(with("[uplink]\nhost = mqtts://broker.example/\n"),
              HasSubstr("neither a host's name"));
  EXPECT_THAT(with("[uplink]\nhost =\n"), HasSubstr("neither a host's name"));
  EXPECT_THAT(with("[radio]\nibeacon = 7d1c6f52:1\n"), HasSubstr(":7: radio.ibeacon"));
  EXPECT_THAT(with("[radio]\nibeacon = 7d1c6f52-40b3-4a0e-9c55-0d2f8a7e1b36:12:70000\n"),
              HasSubstr("UUID:MAJOR:MINOR"));
  EXPECT_THAT(with("[radio]\ndevice = ttyAMA1\n"), HasSubstr(":7: radio.device"));
  EXPECT_THAT(with("[radio]\ndevice = hci0x\n"), HasSubstr("hciN"));
  EXPECT_THAT(with("[radio]\ndevice = 00:1A:7D:DA:71\n"), HasSubstr("an adapter's address"));
  EXPECT_EQ(with("[radio]\ndevice = 00:1a:7d:da:71:13\n"), "no complaint");
  EXPECT_EQ(with("[radio]\nsource = bluez\ndevice = 00:1a:7d:da:71:13\n"), "no complaint");
  EXPECT_THAT(with("[box]\nid = box-2\n"), HasSubstr(":7: box.id stands in line 5 already"));
  EXPECT_THAT(with("[zones]\ndesk_m = nan\n"), HasSubstr("out of range"));
}

TEST_F(ConfigTest, AHashBeginsACommentOnlyAfterASpace) {
  write("welcomed.conf", std::string(kGood) +
                             "[uplink]\nuser = box#1   # the account\n"
                             "tls_ca = /etc/ssl/ca#2.pem\n#host = nobody\n");
  const Config config = read().config;
  EXPECT_EQ(config.uplink.user, "box#1");
  EXPECT_EQ(config.uplink.tls_ca, "/etc/ssl/ca#2.pem");
  EXPECT_EQ(config.uplink.host, "127.0.0.1");
}

TEST_F(ConfigTest, WhatDoesNotFitTogetherNamesFileAndLine) {
  const auto with = [&](const std::string& text) {
    write("welcomed.conf", std::string(kGood) + text);
    return complaint();
  };
  EXPECT_THAT(with("[radio]\nsource = btsnoop\nfile = a\n"),
              HasSubstr("welcomed.conf:7: radio.source"));
  EXPECT_THAT(with("[radio]\nsource = bluez\ndevice = /dev/ttyAMA1\n"),
              HasSubstr("welcomed.conf:8: "));
  EXPECT_THAT(with("[radio]\nscan_window_ms = 90\n"), HasSubstr("welcomed.conf:7: "));
  EXPECT_THAT(with("[camera]\nwake = hours\n"), HasSubstr("welcomed.conf:7: camera.wake"));
  EXPECT_THAT(with("[camera.desk]\nsource = v4l2\n"), HasSubstr("welcomed.conf:7: camera desk"));
  EXPECT_THAT(with("[camera]\nsource = v4l2\n[camera.desk]\nzone = desk\n"),
              HasSubstr("welcomed.conf:7: camera desk"));
}

TEST_F(ConfigTest, ACheckAlsoLooksForTheFilesThatItNames) {
  write("models.json", "{}");
  const std::string models = "[vision]\nmodels_dir = " + dir_.string() + "\n";
  write("welcomed.conf", std::string(kGood) + models);
  EXPECT_EQ(complaint({"--check"}), "no complaint");
  write("welcomed.conf", std::string(kGood) + models +
                             "[uplink]\ntls_ca = /nowhere/ca.pem\n"
                             "tls_key = /run/credentials/welcomed.service/uplink-tls-key\n"
                             "[consent]\ncrm_keys = /nowhere/keys\n");
  const std::string all = complaint({"--check"});
  EXPECT_THAT(all, HasSubstr("welcomed.conf:9: uplink.tls_ca = /nowhere/ca.pem cannot be read"));
  EXPECT_THAT(all, HasSubstr("welcomed.conf:12: consent.crm_keys = /nowhere/keys cannot be read"));
  EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), 1) << all;
  // A box starts all the same: the file may come yet. It says so.
  EXPECT_EQ(read().unreadable.size(), 2U);
}

TEST_F(ConfigTest, ACheckMissesTheSecretsThatTheBoxWillNeed) {
  write("welcomed.conf", good());
  Machine machine;
  EXPECT_EQ(check(machine), "no complaint") << "who may not see them cannot say";
  machine.credentials = {"boot-id"};
  EXPECT_THAT(check(machine), HasSubstr("welcomed.conf: the credential box-key is missing"));
  write("welcomed.conf", good() +
                             "[uplink]\nuser = demo/aroma-1/box-1\n"
                             "tls_key = /run/credentials/welcomed.service/uplink-tls-key\n"
                             "[floor]\nuser = box-1\n[zones]\nbox = door\n");
  const std::string all = check(machine);
  EXPECT_THAT(all, HasSubstr("welcomed.conf:9: uplink.user: the credential uplink-password is "
                             "missing: /etc/credstore/welcomed.uplink-password"));
  EXPECT_THAT(all, HasSubstr("welcomed.conf:10: uplink.tls_key: the credential uplink-tls-key"));
  EXPECT_THAT(all, HasSubstr("welcomed.conf:12: floor.user: the credential floor-password"));
  EXPECT_THAT(all, HasSubstr("welcomed.conf:14: zones.box: the credential store-key"));
  EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), 4) << all;
  machine.credentials = {"box-key", "uplink-password", "uplink-tls-key", "floor-password",
                         "store-key"};
  EXPECT_EQ(check(machine), "no complaint");
}

TEST_F(ConfigTest, ACheckLooksForSecretsWhereSystemdDoesAndAtTheirForm) {
  write("welcomed.conf", good());
  fs::create_directories(dir_ / "credstore");
  fs::create_directories(dir_ / "credstore.encrypted");
  const auto machine = [&] {
    return machine_with({dir_ / "credstore", dir_ / "credstore.encrypted", dir_ / "nowhere"});
  };
  write("credstore/welcome-crm.box-key", std::string(64, 'a'));
  EXPECT_THAT(check(machine()), HasSubstr("box-key is missing")) << "of another service";
  write("credstore/welcomed.box-key", "too short\n");
  EXPECT_THAT(check(machine()), HasSubstr("the credential box-key is not 32 bytes"));
  write("credstore/welcomed.box-key", std::string(64, 'a') + "\n");
  EXPECT_EQ(check(machine()), "no complaint");
  fs::remove(dir_ / "credstore/welcomed.box-key");
  write("credstore.encrypted/welcomed.box-key", "sealed: nobody can look into it here\n");
  EXPECT_EQ(check(machine()), "no complaint");
}

TEST_F(ConfigTest, ACheckMissesAdaptersAndCameras) {
  Machine machine;
  machine.adapters = dir_ / "adapters";
  const auto with = [&](const std::string& text) {
    write("welcomed.conf", good() + text);
    return check(machine);
  };
  EXPECT_THAT(with("[radio]\nsource = hci\n"),
              HasSubstr("welcomed.conf:9: radio.device = hci0: there is no such adapter"));
  EXPECT_THAT(with("[radio]\nsource = bluez\ndevice = hci1\n"),
              HasSubstr("welcomed.conf:10: radio.device = hci1"));
  write("a-file", "");
  EXPECT_THAT(with("[radio]\nsource = hci\ndevice = /dev/shm\n"), HasSubstr("no such adapter"));
  EXPECT_THAT(with("[radio]\nsource = hci\ndevice = unix:" + (dir_ / "a-file").string() + "\n"),
              HasSubstr("no such adapter"));
  fs::create_directories(dir_ / "adapters/hci0");
  EXPECT_EQ(with("[radio]\nsource = hci\n"), "no complaint");
  EXPECT_EQ(with("[radio]\nsource = hci\ndevice = /dev/null\n"), "no complaint") << "a line";
  EXPECT_EQ(with("[radio]\ndevice = hci7\n"), "no complaint") << "it is not used";
  EXPECT_THAT(with("[camera.desk]\nsource = v4l2\npath = /dev/video97\n"),
              HasSubstr("welcomed.conf:10: camera desk: path = /dev/video97: there is no such"));
}

TEST_F(ConfigTest, ACheckLooksIntoTheFiles) {
  write("ca.pem", "no certificate\n");
  write("keys", "k1 no-key\n");
  write("welcomed.conf", good() + "[uplink]\ntls_ca = " + (dir_ / "ca.pem").string() +
                             "\n[consent]\ncrm_keys = " + (dir_ / "keys").string() + "\n");
  const std::string all = check({});
  EXPECT_THAT(all, testing::ContainsRegex("welcomed.conf:9: uplink.tls_ca = .* no certificate"));
  EXPECT_THAT(all, testing::ContainsRegex("welcomed.conf:11: consent.crm_keys = .*keys: "));
  EXPECT_THAT(all, testing::Not(HasSubstr("no-key"))) << "what stands in it is nobody's to read";
  write("models.json",
        R"({"packs":{"fused":{"detector":"d","landmarks":"d","recognisers":[{"model":"d"}]}},)"
        R"("models":[{"id":"d","file":"d.onnx"}],"preferred":["fused"]})");
  write("welcomed.conf",
        std::string(kGood) + "[vision]\nmodels_dir = " + dir_.string() + "\npack = fused\n");
  EXPECT_THAT(check({}), testing::ContainsRegex("welcomed.conf:8: vision.pack = fused: .*d.onnx"));
}

TEST_F(ConfigTest, AValueThatAHashMayHaveCutIsPointedAt) {
  write("welcomed.conf", good() +
                             "[uplink]\nuser = box #1\n[floor]\nuser = box # the account\n"
                             "host = 127.0.0.1 #the old one\n");
  EXPECT_EQ(check({}), "no complaint");
  ASSERT_EQ(notes_.size(), 1U);
  EXPECT_THAT(notes_[0], HasSubstr("welcomed.conf:9: uplink.user = box ends before the '#'"));
}

TEST_F(ConfigTest, AKeyThatGotAnotherNameStillCountsAndSaysSo) {
  constexpr FormerKey kFormer[] = {{"radio.adapter", "radio.device"}};
  const auto device = [&](const std::string& text) {
    write("welcomed.conf", good() + text);
    const std::string file = (dir_ / "welcomed.conf").string();
    const char* const argv[] = {"welcomed", "--config", file.c_str()};
    const CommandLine line = read_config(3, argv, std::nullopt, kFormer);
    notes_ = line.notes;
    return line.config.radio_device;
  };
  EXPECT_EQ(device("[radio]\nadapter = hci3\n"), "hci3");
  ASSERT_EQ(notes_.size(), 1U);
  EXPECT_THAT(notes_[0], HasSubstr("welcomed.conf:9: radio.adapter is called radio.device now"));
  EXPECT_EQ(device("[radio]\nadapter = hci3\ndevice = hci4\n"), "hci4");
  EXPECT_EQ(notes_.size(), 1U);
  EXPECT_EQ(device("[radio]\ndevice = hci4\n"), "hci4");
  EXPECT_TRUE(notes_.empty());
  write("welcomed.conf", good() + "[radio]\nadapter = ttyAMA1\n");
  EXPECT_THAT(check({}, kFormer), HasSubstr("welcomed.conf:9: radio.device = ttyAMA1"));
}

TEST_F(ConfigTest, SettingsSayTheirValueAndWhereItStands) {
  write("welcomed.conf", good() +
                             "[camera]\nfps = 5\n[camera.desk]\nsource = rtsp\n"
                             "path = rtsp://eva:secret@10.0.0.7/live\n[radio]\nsorce = 1\n");
  write("conf.d/90-local.conf", "[radio]\nsource = bluez\n");
  write("candidate", "[radio]\nsource = hci\n");
  const auto line = read({"--settings", "--instead", (dir_ / "candidate").string()});
  const auto of = [&](const std::string& name) {
    for (const auto& one : line.settings) {
      if (one.name == name) return one.value + " @" + one.where;
    }
    return std::string("none");
  };
  const std::string conf = dir_ / "welcomed.conf";
  EXPECT_EQ(of("box.store"), "aroma-1 @" + conf + ":4");
  EXPECT_EQ(of("uplink.port"), "8883 @");
  EXPECT_EQ(of("radio.source"), "hci @" + (dir_ / "conf.d/90-local.conf:2").string());
  EXPECT_EQ(of("camera.desk.fps"), "5 @" + conf + ":9");
  EXPECT_EQ(of("camera.desk.path"), "rtsp://…@10.0.0.7/live @" + conf + ":12");
  EXPECT_EQ(line.wrong.size(), 2U) << "the password, and what is mistyped";
  std::ostringstream out;
  print_settings(line, out);
  EXPECT_THAT(out.str(), testing::Not(HasSubstr("secret")));
}

TEST_F(ConfigTest, WhatChangedOnTheDiskIsToldWithWhatItNeeds) {
  write("welcomed.conf", std::string(kGood) + "[zones]\ndesk_m = 2\n");
  auto line = read();
  auto& in_force = line.settings;
  write("welcomed.conf", std::string(kGood) +
                             "[zones]\ndesk_m = 3\n[radio]\nsource = hci\n"
                             "[camera.desk]\nsource = none\n");
  const auto on_disk = read().settings;
  const auto all = differences(in_force, on_disk);
  ASSERT_EQ(all.size(), 8U) << all.dump();
  EXPECT_EQ(all[0], (nlohmann::json{{"key", "radio.source"},
                                    {"in_force", "none"},
                                    {"on_disk", "hci"},
                                    {"needs", "restart"}}));
  EXPECT_EQ(all[1].value("key", ""), "zones.desk_m");
  EXPECT_EQ(all[1].value("needs", ""), "reload");
  take_over(on_disk, in_force, line.config);
  EXPECT_EQ(differences(in_force, on_disk).size(), 7U) << "the zones are in force";
  EXPECT_EQ(line.config.zone_desk_m, 3);
}

TEST_F(ConfigTest, AReloadPutsInForceWhatItSaysAndNothingElse) {
  write("welcomed.conf", kGood);
  auto line = read();
  write("welcomed.conf", std::string(kGood) +
                             "log_level = debug\n"
                             "[zones]\ndesk_m = 1\ninside_m = 2\ndoor_m = 3\nstreet_m = 4\n"
                             "path_loss_exponent = 3\nbox = desk\n"
                             "[radio]\nleave_after_s = 60\n"
                             "[consent]\nunsigned = yes\ncrm_keys = /etc/welcomed/crm-keys\n");
  const auto on_disk = read().settings;
  take_over(on_disk, line.settings, line.config);
  const Config& now = line.config;
  EXPECT_EQ(now.log_level, LogLevel::debug);
  EXPECT_EQ((std::vector{now.zone_desk_m, now.zone_inside_m, now.zone_door_m, now.zone_street_m,
                         now.path_loss_exponent}),
            (std::vector{1.0, 2.0, 3.0, 4.0, 3.0}));
  EXPECT_EQ(now.crm_keys, "/etc/welcomed/crm-keys");
  EXPECT_FALSE(now.zone_of_box);
  EXPECT_EQ(now.radio_leave_after_s, 20);
  EXPECT_FALSE(now.consent_unsigned) << "signatures are looked at until the restart";
  std::vector<std::string> restart;
  for (const auto& one : differences(line.settings, on_disk)) restart.push_back(one.at("key"));
  EXPECT_THAT(restart, testing::UnorderedElementsAre("zones.box", "radio.leave_after_s",
                                                     "consent.unsigned"));
}

TEST_F(ConfigTest, TheHelpNamesEveryKeyAndEveryWordWithItsMeaning) {
  std::ostringstream help;
  print_help(help);
  for (const char* part : {"[radio]", "source = none", "bluez (by way of bluetoothd",
                           "wake = nearby", "known-origin (", "--check", "-h"}) {
    EXPECT_THAT(help.str(), HasSubstr(part));
  }
}

TEST_F(ConfigTest, OpeningHoursMayEndAfterMidnight) {
  write("welcomed.conf", std::string(kGood) + "[camera]\nwake = hours\nhours = 18:00-02:30\n");
  const Config config = read().config;
  ASSERT_TRUE(config.camera_hours.has_value());
  EXPECT_EQ(config.camera_hours->from, std::chrono::hours(18));
  EXPECT_EQ(config.camera_hours->to, std::chrono::minutes(150));
}

TEST_F(ConfigTest, MissingFileSaysWhatToDo) {
  EXPECT_THAT(complaint(), testing::AllOf(HasSubstr("cannot be read"), HasSubstr("--config")));
}

TEST_F(ConfigTest, ReferenceListsEveryKeyWithItsDefault) {
  std::ostringstream out;
  print_markdown_reference(out);
  EXPECT_THAT(out.str(), HasSubstr("| `camera.fps` | 15 |"));
  EXPECT_THAT(out.str(), HasSubstr("| `box.tenant` | none |"));
}

TEST(PublishedReference, IsWhatTheProgramSays) {
  std::ostringstream table;
  print_markdown_reference(table);
  std::ifstream in(std::string(WELCOME_SOURCE_DIR) + "/docs/configuration.md");
  const std::string page{std::istreambuf_iterator<char>(in), {}};
  EXPECT_THAT(page, HasSubstr(table.str()))
      << "put the output of welcomed --describe-options into docs/configuration.md";
}

}  // namespace
}  // namespace welcome::daemon
