// SPDX-License-Identifier: Apache-2.0
// The source on a real bus, a dbus-daemon of its own, where a service by the name of org.bluez does
// what bluetoothd documents.

#include "beacon/bluez_source.h"

#include <condition_variable>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <mutex>
#include <sdbus-c++/sdbus-c++.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "beacon/ad.h"
#include "tests/unit/beacon/adverts.h"

namespace welcome::beacon {
namespace {

using namespace testing;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Properties = std::map<std::string, sdbus::Variant>;

class Bus {
 public:
  Bus() {
    dir_ = std::filesystem::path(::testing::TempDir()) / ("bus-" + std::to_string(::getpid()));
    std::filesystem::create_directories(dir_);
    address_ = "unix:path=" + (dir_ / "bus").string();
    std::ofstream(dir_ / "bus.conf")
        << "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" "
           "\"http://www.freedesktop.org/standards/dbus/1.0/"
           "busconfig.dtd\"><busconfig><type>session"
           "</type><listen>"
        << address_
        << "</listen><policy context=\"default\"><allow send_destination=\"*\"/><allow "
           "eavesdrop=\"false\"/><allow own=\"*\"/></policy></busconfig>";
    const std::string config = "--config-file=" + (dir_ / "bus.conf").string();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::execlp("dbus-daemon", "dbus-daemon", "--nofork", config.c_str(),
               static_cast<char*>(nullptr));
      ::_exit(127);
    }
  }
  ~Bus() {
    if (pid_ > 0) {
      ::kill(pid_, SIGTERM);
      ::waitpid(pid_, nullptr, 0);
    }
    std::filesystem::remove_all(dir_);
  }
  const std::string& address() const { return address_; }

  // Nothing when the daemon does not start.
  std::unique_ptr<sdbus::IConnection> connect() const {
    for (int i = 0; i < 500; ++i) {
      int status = 0;
      if (::waitpid(pid_, &status, WNOHANG) == pid_) return nullptr;
      try {
        return sdbus::createSessionBusConnectionWithAddress(address_);
      } catch (const sdbus::Error&) {
        std::this_thread::sleep_for(milliseconds{10});
      }
    }
    return nullptr;
  }

 private:
  std::filesystem::path dir_;
  std::string address_;
  pid_t pid_ = -1;
};

// bluetoothd with one adapter.
class FakeBluez {
 public:
  explicit FakeBluez(std::unique_ptr<sdbus::IConnection> connection)
      : connection_(std::move(connection)) {
    root_ = sdbus::createObject(*connection_, "/");
    root_->addObjectManager();
    plug_in();
    connection_->requestName("org.bluez");
    connection_->enterEventLoopAsync();
  }
  ~FakeBluez() { connection_->leaveEventLoop(); }

  void plug_in(const std::string& name = "hci0") {
    adapter_path_ = "/org/bluez/" + name;
    adapter_ = sdbus::createObject(*connection_, adapter_path_);
    adapter_->registerProperty("Address").onInterface("org.bluez.Adapter1").withGetter([] {
      return std::string("00:1A:7D:DA:71:13");
    });
    adapter_->registerMethod("SetDiscoveryFilter")
        .onInterface("org.bluez.Adapter1")
        .implementedAs([this](const Properties& filter) {
          const std::lock_guard lock(mutex_);
          le_only_ = filter.at("Transport").get<std::string>() == "le";
          duplicates_ = filter.at("DuplicateData").get<bool>();
        });
    adapter_->registerMethod("StartDiscovery")
        .onInterface("org.bluez.Adapter1")
        .implementedAs([this] {
          const std::lock_guard lock(mutex_);
          discovering_ = true;
          ++starts_;
          changed_.notify_all();
        });
    adapter_->registerMethod("StopDiscovery")
        .onInterface("org.bluez.Adapter1")
        .implementedAs([this] {
          const std::lock_guard lock(mutex_);
          discovering_ = false;
          changed_.notify_all();
        });
    adapter_->registerProperty("Powered")
        .onInterface("org.bluez.Adapter1")
        .withGetter([this] { return get(powered_); })
        .withSetter([this](const bool& on) { set(powered_, on); });
    adapter_->registerProperty("Discovering").onInterface("org.bluez.Adapter1").withGetter([this] {
      return get(discovering_);
    });
    adapter_->finishRegistration();
    adapter_->emitInterfacesAddedSignal({"org.bluez.Adapter1"});
  }
  void unplug() {
    devices_.clear();
    adapter_->emitInterfacesRemovedSignal({"org.bluez.Adapter1"});
    adapter_.reset();
    set(discovering_, false);
  }
  void switch_off() {
    set(powered_, false);
    set(discovering_, false);
    adapter_->emitPropertiesChangedSignal("org.bluez.Adapter1", {"Powered", "Discovering"});
  }
  // Stops without a word, as after a rival's fault.
  void fall_asleep() { set(discovering_, false); }

  struct Device {
    std::unique_ptr<sdbus::IObject> object;
    std::int16_t rssi = -60;
    Properties manufacturer, service;
  };
  void add(const std::string& address, std::int16_t rssi,
           std::map<std::uint16_t, sdbus::Variant> manufacturer, Properties service,
           std::vector<std::string> uuids, bool announce = true) {
    std::string path = adapter_path_ + "/dev_" + address;
    std::replace(path.begin(), path.end(), ':', '_');
    auto& device = devices_[address];
    device = std::make_unique<Device>();
    device->rssi = rssi;
    device->object = sdbus::createObject(*connection_, path);
    auto& object = *device->object;
    constexpr const char* kDevice = "org.bluez.Device1";
    object.registerProperty("Address").onInterface(kDevice).withGetter(
        [address] { return address; });
    object.registerProperty("AddressType").onInterface(kDevice).withGetter([] {
      return std::string("random");
    });
    object.registerProperty("RSSI").onInterface(kDevice).withGetter(
        [d = device.get()] { return d->rssi; });
    object.registerProperty("ManufacturerData").onInterface(kDevice).withGetter([manufacturer] {
      return manufacturer;
    });
    object.registerProperty("ServiceData").onInterface(kDevice).withGetter([service] {
      return service;
    });
    object.registerProperty("UUIDs").onInterface(kDevice).withGetter([uuids] { return uuids; });
    object.finishRegistration();
    if (announce) object.emitInterfacesAddedSignal({kDevice});
  }
  void rssi(const std::string& address, std::int16_t rssi) {
    auto& device = *devices_.at(address);
    device.rssi = rssi;
    device.object->emitPropertiesChangedSignal("org.bluez.Device1", {"RSSI"});
  }

  bool le_only() { return get(le_only_); }
  bool duplicates() { return get(duplicates_); }
  bool wait_until_discovering() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, seconds{20}, [this] { return discovering_; });
  }
  bool wait_until_stopped() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, seconds{20}, [this] { return !discovering_; });
  }

 private:
  bool get(const bool& what) {
    const std::lock_guard lock(mutex_);
    return what;
  }
  void set(bool& what, bool value) {
    const std::lock_guard lock(mutex_);
    what = value;
    changed_.notify_all();
  }

  std::unique_ptr<sdbus::IConnection> connection_;
  std::unique_ptr<sdbus::IObject> root_, adapter_;
  std::string adapter_path_;
  std::map<std::string, std::unique_ptr<Device>> devices_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool powered_ = false, discovering_ = false, le_only_ = false, duplicates_ = false;
  int starts_ = 0;
};

Now steady_now() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return {MonoTime{std::chrono::duration_cast<std::chrono::microseconds>(since)}, kMorning, true};
}

class BluezSourceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto connection = bus_.connect();
    if (!connection) GTEST_SKIP() << "no dbus-daemon here";
    bluez_ = std::make_unique<FakeBluez>(std::move(connection));
  }
  void start(const std::string& adapter = "hci0") {
    BluezSourceConfig config;
    config.adapter = adapter;
    config.bus = bus_.address();
    config.first_pause = milliseconds{20};
    config.longest_pause = milliseconds{100};
    config.check_every = milliseconds{200};
    source_ = make_bluez_source(config, steady_now);
    source_->start({[this](std::vector<AdvertReport> batch) {
                      const std::lock_guard lock(mutex_);
                      std::move(batch.begin(), batch.end(), std::back_inserter(reports_));
                      changed_.notify_all();
                    },
                    [this](const SourceStatus& status) {
                      const std::lock_guard lock(mutex_);
                      states_.push_back(status);
                      changed_.notify_all();
                    }});
  }
  void start_and_scan() {
    start();
    ASSERT_TRUE(wait_for(SourceState::running));
  }
  bool wait_for(SourceState state) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, seconds{20},
                             [&] { return !states_.empty() && states_.back().state == state; });
  }
  bool wait_for_reports(std::size_t n) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, seconds{20}, [&] { return reports_.size() >= n; });
  }
  AdvertReport report(std::size_t i) {
    const std::lock_guard lock(mutex_);
    return reports_.at(i);
  }
  // What BlueZ makes of Mia's fob, an iBeacon.
  std::map<std::uint16_t, sdbus::Variant> mias_fob() const {
    std::vector<std::uint8_t> data{0x02, 0x15};
    const auto id = fob("mia").static_id;
    data.insert(data.end(), id.begin(), id.end());
    data.push_back(0xC5);
    return {{0x004C, sdbus::Variant(data)}};
  }

  Bus bus_;
  std::unique_ptr<FakeBluez> bluez_;
  std::unique_ptr<AdvertSource> source_;  // ends before what it calls
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<AdvertReport> reports_;
  std::vector<SourceStatus> states_;
  struct StopFirst {
    std::unique_ptr<AdvertSource>& source;
    ~StopFirst() { source.reset(); }
  } stop_first_{source_};
};

TEST_F(BluezSourceTest, SwitchesOnScansLeAndHearsIBeaconsAsTheyWereSent) {
  start_and_scan();
  EXPECT_TRUE(bluez_->le_only());
  EXPECT_TRUE(bluez_->duplicates());
  bluez_->add("C0:11:22:33:44:55", -71, mias_fob(), {}, {});
  ASSERT_TRUE(wait_for_reports(1));
  const AdvertReport heard = report(0);
  EXPECT_EQ(heard.rssi_dbm, -71);
  EXPECT_EQ(heard.address, (Address{0xC0, 0x11, 0x22, 0x33, 0x44, 0x55}));
  EXPECT_EQ(heard.address_type, AddressType::random_device);
  const AdContent content = decode_ad(heard.ad.view());
  ASSERT_EQ(content.frames.size(), 1U);
  EXPECT_TRUE(std::holds_alternative<IBeacon>(content.frames[0]));

  bluez_->rssi("C0:11:22:33:44:55", -55);
  ASSERT_TRUE(wait_for_reports(2));
  EXPECT_EQ(report(1).rssi_dbm, -55);
  EXPECT_TRUE(std::ranges::equal(report(1).ad.view(), heard.ad.view())) << "with what it knew";
}

TEST_F(BluezSourceTest, EidsAndServiceUuidsComeThroughAndResolve) {
  start_and_scan();
  const IdentityKey ann = phone("ann", 1);
  const Eid eid = eddystone_eid(ann.key, ann.rotation_exponent, beacon_time(now_at(0)));
  std::vector<std::uint8_t> frame{0x30, 0xEE};
  frame.insert(frame.end(), eid.begin(), eid.end());
  bluez_->add("40:00:00:00:00:01", -60, {},
              {{"0000feaa-0000-1000-8000-00805f9b34fb", sdbus::Variant(frame)}},
              {"0000feaa-0000-1000-8000-00805f9b34fb", "891c1762-b742-8526-ae13-4986f4e9c3c3"});
  ASSERT_TRUE(wait_for_reports(1));
  const AdContent content = decode_ad(report(0).ad.view());
  ASSERT_EQ(content.malformed, 0U);
  bool found = false;
  for (const Frame& one : content.frames) {
    if (const auto* heard = std::get_if<EddystoneEid>(&one)) found = heard->eid == eid;
  }
  EXPECT_TRUE(found);
  EXPECT_NE(to_hex(report(0).ad.view()).find("1106c3c3e9f4864913ae268542b762171c89"),
            std::string::npos);
}

TEST_F(BluezSourceTest, OfADeviceThatWasThereBeforeOnlyChangesAreHeardWithWhatIsKnownOfIt) {
  bluez_->add("C0:11:22:33:44:55", -71, mias_fob(), {}, {}, false);
  start_and_scan();
  bluez_->rssi("C0:11:22:33:44:55", -50);
  ASSERT_TRUE(wait_for_reports(1));
  EXPECT_EQ(report(0).rssi_dbm, -50);
  EXPECT_EQ(decode_ad(report(0).ad.view()).frames.size(), 1U);
}

TEST_F(BluezSourceTest, AnAdapterThatVanishesIsReportedAndHeardAgainWhenItReturns) {
  start_and_scan();
  bluez_->unplug();
  ASSERT_TRUE(wait_for(SourceState::recovering));
  EXPECT_EQ(source_->status().reports_per_second, 0.0);
  bluez_->plug_in();
  ASSERT_TRUE(wait_for(SourceState::running));
  bluez_->add("C0:11:22:33:44:55", -71, mias_fob(), {}, {});
  EXPECT_TRUE(wait_for_reports(1));
  EXPECT_EQ(source_->status().restarts, 1U);
}

TEST_F(BluezSourceTest, AnAdapterIsFoundByItsAddressWhateverNumberItHas) {
  start("00:1a:7d:da:71:13");
  ASSERT_TRUE(wait_for(SourceState::running));
  bluez_->unplug();
  ASSERT_TRUE(wait_for(SourceState::recovering));
  bluez_->plug_in("hci1");
  ASSERT_TRUE(wait_for(SourceState::running));
  bluez_->add("C0:11:22:33:44:55", -71, mias_fob(), {}, {});
  EXPECT_TRUE(wait_for_reports(1));
}

TEST_F(BluezSourceTest, AnAddressThatIsNotThereIsSaid) {
  start("FE:01:02:03:04:05");
  ASSERT_TRUE(wait_for(SourceState::recovering));
  EXPECT_EQ(source_->status().detail, "there is no adapter FE:01:02:03:04:05");
}

TEST_F(BluezSourceTest, ARestartOfBluetoothdIsSurvived) {
  start_and_scan();
  bluez_.reset();
  ASSERT_TRUE(wait_for(SourceState::recovering));
  bluez_ = std::make_unique<FakeBluez>(bus_.connect());
  ASSERT_TRUE(wait_for(SourceState::running));
  bluez_->add("C0:11:22:33:44:55", -71, mias_fob(), {}, {});
  EXPECT_TRUE(wait_for_reports(1));
}

TEST_F(BluezSourceTest, AnAdapterThatWasSwitchedOffIsSwitchedOnAgain) {
  start_and_scan();
  bluez_->switch_off();
  EXPECT_TRUE(bluez_->wait_until_discovering());
  EXPECT_TRUE(wait_for(SourceState::running));
}

TEST_F(BluezSourceTest, AScanThatStoppedWithoutAWordIsNoticed) {
  start_and_scan();
  bluez_->fall_asleep();
  EXPECT_TRUE(bluez_->wait_until_discovering());
}

TEST_F(BluezSourceTest, StopsPromptlyAndStopsTheScan) {
  start_and_scan();
  const auto begin = std::chrono::steady_clock::now();
  source_->stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds{5});
  EXPECT_EQ(source_->status().state, SourceState::stopped);
  EXPECT_TRUE(bluez_->wait_until_stopped());
}

TEST_F(BluezSourceTest, WithoutABusItSaysSoAndGoesOnTrying) {
  BluezSourceConfig config;
  config.bus = "unix:path=/nowhere/at/all";
  config.first_pause = config.longest_pause = milliseconds{10};
  source_ = make_bluez_source(config, steady_now);
  source_->start({[](std::vector<AdvertReport>) {},
                  [this](const SourceStatus& status) {
                    const std::lock_guard lock(mutex_);
                    states_.push_back(status);
                    changed_.notify_all();
                  }});
  ASSERT_TRUE(wait_for(SourceState::recovering));
  EXPECT_FALSE(source_->status().detail.empty());
}

}  // namespace
}  // namespace welcome::beacon
