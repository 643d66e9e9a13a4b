// SPDX-License-Identifier: Apache-2.0
#include "harness/bench_box.h"

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sqlite3.h>
#include <stdexcept>
#include <unistd.h>

#include "beacon/key_schedule.h"
#include "contract/digest.h"
#include "core/hex.h"
#include "firmware/daemon/radio.h"

namespace welcome::test {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

// The lines of the file: {"topic":…,"payload":…}.
std::vector<json> shop_feed() {
  std::ifstream in(WELCOME_SOURCE_DIR "/tests/replay/data/shop-feed.jsonl");
  std::vector<json> rows;
  for (std::string line; std::getline(in, line);) rows.push_back(json::parse(line));
  if (rows.empty()) throw std::runtime_error("cannot read the shop's feed");
  return rows;
}

void run_sql(const fs::path& file, const std::string& sql) {
  sqlite3* db = nullptr;
  sqlite3_open(file.c_str(), &db);
  char* error = nullptr;
  sqlite3_exec(db, sql.c_str(), nullptr, nullptr, &error);
  const std::string said = error != nullptr ? error : "";
  sqlite3_free(error);
  sqlite3_close(db);
  if (!said.empty()) throw std::runtime_error(said);
}

}  // namespace

std::string CountingIds::next() {
  char text[40];
  std::snprintf(text, sizeof text, "00000000-0000-4000-8000-%012llx",
                static_cast<unsigned long long>(++last_));
  return text;
}

bool FakeWorld::publish(contract::Message message, std::int64_t tag,
                        std::optional<std::chrono::seconds> expiry) {
  if (full) return false;
  if (tag != 0) unacked.emplace_back(message.link, tag);
  sent.push_back({std::move(message), now(), expiry});
  return true;
}

void FakeWorld::look_for(std::shared_ptr<const vision::Gallery> wanted) {
  gallery = std::move(wanted);
}

void FakeWorld::enrol(std::uint64_t job, const FaceConsent&, daemon::Clip,
                      std::shared_ptr<const vision::Gallery>) {
  enrolments.push_back(job);
}

void FakeWorld::check_pin(std::uint64_t job, std::string pin, std::string hash) {
  pins.push_back({job, std::move(pin), std::move(hash)});
}

void FakeWorld::stop_enrolment(std::uint64_t job) { std::erase(enrolments, job); }

nlohmann::json FakeWorld::whole_status() const { return status(); }

void FakeWorld::crm_says(WallTime signed_at, MonoTime heard) {
  crm_said.emplace_back(signed_at, heard);
  hear_time({signed_at, heard});
}

BenchBox::BenchBox(WallTime start_at, BenchSetup how) : setup(std::move(how)), start_(start_at) {
  static int count = 0;
  dir_ = fs::temp_directory_path() /
         ("welcome-bench-box-" + std::to_string(::getpid()) + "-" + std::to_string(++count));
  fs::create_directories(dir_);
  key_.fill(7);
  ids_ = CountingIds(setup.ids_after);
  world_.now = [this] { return mono_; };
  world_.time = [this] { return clock(); };
  world_.status = [this] { return engine_->status(now()); };
  world_.hear_time = [this](const ClockWord& word) {
    if (keeper_) keeper_->crm_says(word);
  };
  power_on();
}

BenchBox::~BenchBox() {
  power_off();
  fs::remove_all(dir_);
}

void BenchBox::power_on() {
  store::StoreOptions options;
  options.vfs = setup.vfs;
  auto opened = store::Store::open((dir_ / "welcomed.db").string(), key_, options);
  if (!opened) throw std::runtime_error(opened.error().message);
  store_.emplace(std::move(*opened));
  daemon::EngineSettings settings;
  settings.box = bench_address;
  settings.version = "test";
  settings.face_model = "test-model";
  settings.crm_keys = setup.crm_keys;
  settings.tracker.away_after = 8s;
  settings.pipeline.visit_timeout = 12s;
  settings.box_eid = box_eid();
  settings.recording_dir = dir_ / "recordings";
  settings.recording_days = 7;
  settings.crm_speaks_first = 0ms;
  if (setup.tweak) setup.tweak(settings);
  address_ = settings.box;
  engine_ = std::make_unique<daemon::Engine>(settings, *store_, world_, ids_, now());
}

void BenchBox::hear_mia() {
  beacon::AdvertReport report;
  report.at = now().mono;
  report.address = {0xC0, 1, 2, 3, 4, 5};
  report.address_type = beacon::AddressType::random_device;
  report.rssi_dbm = -64;
  const std::uint8_t ad[] = {0x1A, 0xFF, 0x4C, 0x00, 0x02, 0x15, 0x7d, 0x1c, 0x6f,
                             0x52, 0x40, 0xb3, 0x4a, 0x0e, 0x9c, 0x55, 0x0d, 0x2f,
                             0x8a, 0x7e, 0x1b, 0x36, 0x00, 0x0C, 0x0B, 0xFF, 0xC5};
  report.ad = beacon::AdBytes(ad);
  engine_->handle(daemon::input::Adverts{{report}, {}}, now());
}

void BenchBox::hear_mia_for(std::chrono::seconds time) {
  for (const auto end = mono_ + time; mono_ < end;) {
    hear_mia();
    advance(200ms);
  }
}

std::optional<beacon::BoxAdverts::RotatingEid> BenchBox::box_eid() const {
  daemon::Config config;
  config.radio_source = daemon::RadioSource::hci;
  config.radio_advertise_eid = true;
  return daemon::box_eid(config, key_);
}

void BenchBox::power_off() {
  engine_.reset();
  store_.reset();
  world_.unacked.clear();
}

void BenchBox::power_cycle() {
  power_off();
  power_on();
}

void BenchBox::set_wall(std::chrono::milliseconds beside, bool trusted) {
  beside_ = beside;
  trusted_ = trusted;
}

WallTime BenchBox::right_time() const {
  return start_ + std::chrono::duration_cast<std::chrono::milliseconds>(mono_.time_since_epoch());
}

ClockState BenchBox::clock() const {
  const ClockReading reading{mono_, right_time() + beside_, synchronised_};
  if (keeper_) return keeper_->judge(reading);
  Timekeeper keeper;
  if (trusted_) keeper.crm_says({reading.wall, mono_});
  return keeper.judge(reading);
}

Now BenchBox::now() const { return clock().now; }

void BenchBox::ntp_says(std::chrono::milliseconds beside) {
  beside_ = beside;
  synchronised_ = synchronised_.value_or(0) + 1;
  (void)clock();  // a box looks every second
}

void BenchBox::crm_says(WallTime signed_at) { keeper_->crm_says({signed_at, mono_}); }

void BenchBox::reboot() {
  power_off();
  synchronised_.reset();
  keeper_.emplace();
  power_on();
}

void BenchBox::advance(std::chrono::microseconds by) {
  const MonoTime end = mono_ + by;
  while (mono_ < end) {
    mono_ = std::min<MonoTime>(mono_ + 50ms, end);
    engine_->tick(now());
    if (broker_acks) ack_all();
  }
}

void BenchBox::skip(std::chrono::microseconds by) {
  mono_ += by;
  engine_->tick(now());
  if (broker_acks) ack_all();
}

void BenchBox::link_up(contract::LinkName link) {
  engine_->handle(daemon::input::FromLink{link, sync::LinkUp{}, {}}, now());
  if (broker_acks) ack_all();
  if (link == contract::LinkName::uplink && crm_answers) answer_hello();
}

void BenchBox::links_up() {
  link_up(contract::LinkName::uplink);
  link_up(contract::LinkName::floor);
}

// A heartbeat of each collection: nothing new since what the box has.
void BenchBox::answer_hello() {
  const auto hello = std::find_if(world_.sent.rbegin(), world_.sent.rend(), [](const auto& sent) {
    return sent.message.topic.ends_with("/hello");
  });
  if (hello == world_.sent.rend()) return;
  const auto address = contract::parse_topic(hello->message.topic)->address;
  const auto have = json::parse(hello->message.payload).at("have");
  for (const auto& [collection, said] : have.items()) {
    contract::FeedBatch heartbeat;
    heartbeat.collection = *contract::collection_from_string(collection);
    heartbeat.epoch = said.at("epoch");
    heartbeat.from_seq = heartbeat.to_seq = said.at("seq");
    heartbeat.digest = said.at("digest");
    contract::Message message = contract::encode_feed(address, heartbeat);
    inbound(contract::LinkName::uplink, std::move(message.topic), std::move(message.payload));
  }
}

void BenchBox::link_down(contract::LinkName link) {
  std::erase_if(world_.unacked, [&](const auto& row) { return row.first == link; });
  engine_->handle(daemon::input::FromLink{link, sync::LinkDown{"pulled", 0, 1s}, {}}, now());
}

void BenchBox::ack_all() {
  while (!world_.unacked.empty()) {
    const auto [link, row] = world_.unacked.front();
    world_.unacked.pop_front();
    engine_->handle(daemon::input::FromLink{link, sync::Acked{row}, {}}, now());
  }
}

void BenchBox::inbound(contract::LinkName link, std::string topic, std::string payload) {
  contract::RawMessage raw;
  raw.topic = std::move(topic);
  raw.payload = std::move(payload);
  engine_->handle(daemon::input::FromLink{link, std::move(raw), {}}, now());
  if (broker_acks) ack_all();
}

void BenchBox::feed_shop() {
  for (const json& row : shop_feed()) {
    const json& batch = row.at("payload");
    const auto collection =
        contract::collection_from_string(batch.at("collection").get<std::string>());
    inbound(contract::LinkName::uplink, feed_topic(address_, *collection), batch.dump());
  }
}

json BenchBox::shop_consents() {
  for (json& row : shop_feed()) {
    if (row.at("payload").at("collection") == "consents") return std::move(row["payload"]);
  }
  throw std::runtime_error("a feed without consents");
}

void BenchBox::feed_consent(json record, int nth) {
  const json batch = shop_consents();
  const std::int64_t seq = batch.at("to_seq").get<std::int64_t>() + nth;
  const json item{
      {"key", record.at("record_id")}, {"seq", seq}, {"op", "put"}, {"value", std::move(record)}};
  inbound(contract::LinkName::uplink, feed_topic(address_, contract::Collection::consents),
          json{{"v", 1},
               {"collection", "consents"},
               {"kind", "delta"},
               {"epoch", batch.at("epoch")},
               {"from_seq", seq - 1},
               {"to_seq", seq},
               {"items", {item}}}
              .dump());
}

void BenchBox::feed_deletion(const std::string& record, int nth) {
  const json batch = shop_consents();
  const std::int64_t seq = batch.at("to_seq").get<std::int64_t>() + nth;
  inbound(contract::LinkName::uplink, feed_topic(address_, contract::Collection::consents),
          json{{"v", 1},
               {"collection", "consents"},
               {"kind", "delta"},
               {"epoch", batch.at("epoch")},
               {"from_seq", seq - 1},
               {"to_seq", seq},
               {"items", {{{"key", record}, {"seq", seq}, {"op", "delete"}}}}}
              .dump());
}

json BenchBox::shop_consent(const std::string& customer, const std::string& purpose) {
  const json batch = shop_consents();
  for (const json& item : batch.at("items")) {
    const json& record = item.at("value");
    if (record.at("customer") == customer && record.at("purpose") == purpose) return record;
  }
  throw std::runtime_error("no consent of " + customer + " to " + purpose);
}

void BenchBox::feed_step_of_consent(const std::string& customer, const std::string& purpose,
                                    const std::string& state, int nth) {
  json record = shop_consent(customer, purpose);
  record["history"].push_back(
      {{"state", state}, {"at", contract::to_rfc3339(now().wall)}, {"how", "app"}});
  feed_consent(std::move(record), nth);
}

std::vector<std::string> BenchBox::audit() const {
  std::vector<std::string> lines;
  const auto rows = engine_->audit_trail();
  for (const auto& row : *rows) {
    lines.push_back(row["kind"].get<std::string>() + " " + row["actor"].get<std::string>() + " " +
                    row["detail"].get<std::string>());
  }
  return lines;
}

void BenchBox::feed_policy(const json& changes) {
  for (const json& row : shop_feed()) {
    const json& batch = row.at("payload");
    if (batch.at("collection") != "policy") continue;
    json policy = batch.at("items").at(0).at("value");
    policy.update(changes);
    const std::int64_t seq = batch.at("to_seq").get<std::int64_t>() + 1;
    inbound(contract::LinkName::uplink, feed_topic(address_, contract::Collection::policy),
            json{{"v", 1},
                 {"collection", "policy"},
                 {"kind", "delta"},
                 {"epoch", batch.at("epoch")},
                 {"from_seq", seq - 1},
                 {"to_seq", seq},
                 {"items", {{{"key", "policy"}, {"seq", seq}, {"op", "put"}, {"value", policy}}}}}
                .dump());
  }
}

std::string BenchBox::feed_an_offer() {
  for (const json& row : shop_feed()) {
    const json& batch = row.at("payload");
    if (batch.at("collection") != "campaigns") continue;
    json campaign = batch.at("items").at(0).at("value");
    campaign["campaign"] = "k-everybody";
    campaign.erase("audience");
    campaign["trigger"] = {{"on", "enter"}};
    for (json& variant : campaign["variants"]) {  // a word that anybody may be told
      variant["title"] = {{"en", "An espresso?"}};
      variant["text"] = {{"en", "Come in: the espresso is on us."}};
    }
    const std::int64_t seq = batch.at("to_seq").get<std::int64_t>() + 1;
    inbound(contract::LinkName::uplink, feed_topic(address_, contract::Collection::campaigns),
            json{{"v", 1},
                 {"collection", "campaigns"},
                 {"kind", "delta"},
                 {"epoch", batch.at("epoch")},
                 {"from_seq", seq - 1},
                 {"to_seq", seq},
                 {"items",
                  {{{"key", "k-everybody"}, {"seq", seq}, {"op", "put"}, {"value", campaign}}}}}
                .dump());
    return "k-everybody";
  }
  throw std::runtime_error("no campaign");
}

void BenchBox::report_presence(const std::string& customer) {
  const auto box = *box_eid();
  const auto time = std::chrono::floor<std::chrono::seconds>(now().wall - box.clock_zero).count();
  const auto length = std::int64_t{1} << box.rotation_exponent;
  const beacon::Eid eid = beacon::eddystone_eid(box.key, box.rotation_exponent,
                                                static_cast<std::uint32_t>(time / length * length));
  static int number = 0;
  inbound(contract::LinkName::uplink, box_prefix + "command",
          json{{"v", 1},
               {"id", "presence-" + std::to_string(++number)},
               {"kind", "presence"},
               {"customer", customer},
               {"eid", to_hex(eid)},
               {"at", contract::to_rfc3339(now().wall)}}
              .dump());
}

void BenchBox::refuse(const std::string& id, int code, bool for_good) {
  const auto found =
      std::find_if(world_.unacked.begin(), world_.unacked.end(), [&](const auto& row) {
        const auto waiting = store_->outbox().peek(1000);
        return waiting && std::any_of(waiting->begin(), waiting->end(), [&](const auto& message) {
                 return message.row == row.second && message.id.str() == id;
               });
      });
  if (found == world_.unacked.end()) throw std::runtime_error("no such message on its way");
  const auto [link, row] = *found;
  world_.unacked.erase(found);
  engine_->handle(daemon::input::FromLink{link, sync::Refused{row, code, for_good}, {}}, now());
}

void BenchBox::refuse_to_store(const std::string& on, const std::string& when) {
  run_sql(dir_ / "welcomed.db", "CREATE TRIGGER bad_disk BEFORE " + on +
                                    (when.empty() ? "" : " WHEN " + when) +
                                    " BEGIN SELECT RAISE(ABORT, 'bad disk'); END");
}

void BenchBox::store_everything_again() { run_sql(dir_ / "welcomed.db", "DROP TRIGGER bad_disk"); }

void BenchBox::have_an_item_refused(const std::string& about) {
  inbound(contract::LinkName::uplink, feed_topic(address_, contract::Collection::profiles),
          json{{"v", 1},
               {"collection", "profiles"},
               {"epoch", "e-" + about},
               {"kind", "snapshot"},
               {"part", 1},
               {"parts", 2},
               {"to_seq", 10},
               {"digest", std::string(32, '0')},
               {"items",
                {{{"seq", 1},
                  {"op", "put"},
                  {"key", about},
                  {"value", {{"customer", about}, {"name", 7}}}}}}}
              .dump());
}

void BenchBox::erase(const std::string& customer, const std::string& id) {
  inbound(contract::LinkName::uplink, box_prefix + "command",
          json{{"v", 1}, {"id", id}, {"kind", "erase"}, {"customer", customer}}.dump());
}

std::vector<json> BenchBox::sent(const std::string& topic_part) const {
  std::vector<json> found;
  for (const auto& [message, at, expiry] : world_.sent) {
    if (message.topic.find(topic_part) == std::string::npos) continue;
    found.push_back(message.payload.empty() ? json() : json::parse(message.payload));
  }
  return found;
}

std::vector<json> BenchBox::events(const std::string& type_part) const {
  auto found = sent("/event");
  std::erase_if(found, [&](const json& event) {
    return event.at("type").get<std::string>().find(type_part) == std::string::npos;
  });
  return found;
}

void BenchBox::feed_staff(const std::vector<std::string>& ids,
                          const std::map<std::string, std::string>& also) {
  json items = json::array();
  for (const std::string& id : ids) {
    const bool pin = !id.ends_with('-');
    const std::string name = pin ? id : id.substr(0, id.size() - 1);
    json value{{"staff", name}, {"name", "Name of " + name}, {"roles", {"staff"}}};
    if (const auto role = also.find(name); role != also.end())
      value["roles"].push_back(role->second);
    // Whoever checks it is the test.
    if (pin) {
      value["pin"] = "$argon2id$v=19$m=8192,t=1,p=1$" + std::string(22, 'a') + "$" +
                     (name + std::string(43, 'b')).substr(0, 43);
    }
    items.push_back({{"key", name}, {"seq", ++staff_seq_}, {"op", "put"}, {"value", value}});
  }
  contract::Digest digest;
  for (const json& item : items) {
    digest.toggle(item.at("key").get<std::string>(), item.at("seq").get<std::uint64_t>());
  }
  ++staff_seq_;
  json batch{{"v", 1},
             {"collection", "staff"},
             {"kind", "snapshot"},
             {"epoch", "staff"},
             {"part", 1},
             {"parts", 1},
             {"to_seq", staff_seq_},
             {"items", std::move(items)}};
  batch["digest"] = digest.hex();
  inbound(contract::LinkName::uplink, feed_topic(address_, contract::Collection::staff),
          batch.dump());
}

void BenchBox::tablet_says(const std::string& what, json message, const std::string& tablet) {
  message["v"] = 1;
  message["at"] = contract::to_rfc3339(now().wall);
  if (!message.contains("id")) message["id"] = "t-" + std::to_string(++tablet_said_);
  inbound(contract::LinkName::floor, "welcome/v1/floor/tablet/" + tablet + "/" + what,
          message.dump());
}

std::string BenchBox::sign_in(const std::string& staff, const std::string& tablet) {
  const std::string id = "in-" + std::to_string(++tablet_said_);
  tablet_says("session", {{"id", id}, {"kind", "sign_in"}, {"staff", staff}, {"pin", "1"}}, tablet);
  if (world_.pins.empty()) throw std::runtime_error("no PIN is checked");
  engine_->handle(daemon::input::PinChecked{world_.pins.back().job, true}, now());
  if (broker_acks) ack_all();
  // Who was signed in already goes on with her session.
  const auto said = sent("floor/to/" + tablet + "/session");
  return said.empty() ? id : said.back().at("sign_in").get<std::string>();
}

}  // namespace welcome::test
