// SPDX-License-Identifier: Apache-2.0
// docs/examples against docs/schemas and the code: what is published as an example is accepted,
// what is published as refused is refused, and every message of the contract has an example.

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "contract/contract.h"
#include "contract/digest.h"
#include "contract/signed_text.h"
#include "tests/unit/contract/box.h"

namespace welcome::contract {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string read(const fs::path& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<fs::path> files(const char* folder) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(fs::path(WELCOME_DOCS) / folder)) {
    if (entry.path().extension() == ".json") found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

// "floor.action.note.json" belongs to the schema "floor.action": the longest that fits.
std::string schema_of(const fs::path& example) {
  const std::string name = example.stem().string();
  std::string best;
  for (const fs::path& schema : files("schemas")) {
    const std::string candidate = schema.stem().string();
    const bool fits = name == candidate || name.starts_with(candidate + ".");
    if (fits && candidate.size() > best.size()) best = candidate;
  }
  return best;
}

// What has an id comes out with the reason for its answer.
Result<void> carried_out(const std::string& text) {
  RawMessage raw;
  raw.topic = command_topic(kBox);
  raw.payload = text;
  const auto decoded = decode_for_box(kBox, raw);
  if (!decoded) return tl::unexpected(decoded.error());
  const auto& refused = std::get<Command>(*decoded).refused;
  if (refused) return tl::unexpected(*refused);
  return {};
}

// Takes the message the way it takes at the peer that receives it.
Result<void> receive(const std::string& schema, const std::string& text) {
  const auto nothing = [](const auto& result) -> Result<void> {
    if (!result) return tl::unexpected(result.error());
    return {};
  };
  const json value = json::parse(text);
  RawMessage raw;
  raw.payload = text;
  if (schema.starts_with("item.")) {
    return nothing(decode_item(*collection_from_string(schema.substr(5)), text));
  }
  if (schema == "feed") {
    raw.topic = "welcome/v1/demo/aroma-1/box-1/feed/" + value.value("collection", "profiles");
    return nothing(decode_for_box(kBox, raw));
  }
  if (schema == "command") return carried_out(text);
  if (schema == "taken" || schema == "found") {
    raw.topic = schema == "taken" ? taken_topic(kBox) : found_topic(kBox);
    return nothing(decode_for_box(kBox, raw));
  }
  // What a box says to a tablet no box listens to.
  if (schema == "floor.enrol" && value.value("from", "") == "box") return validate(schema, text);
  if (schema == "control" || schema == "floor.action" || schema == "floor.enrol" ||
      schema == "floor.sign_in" || schema == "floor.manage" || schema == "floor.session" ||
      schema == "floor.ranging") {
    raw.topic = schema == "control"         ? control_topic("demo", value.value("store", "_all"))
                : schema == "floor.action"  ? action_topic("t", value.value("visit", "v"))
                : schema == "floor.enrol"   ? enrol_topic("t", value.value("session", "s"))
                : schema == "floor.sign_in" ? sign_in_topic("t")
                : schema == "floor.manage"  ? manage_topic("t")
                : schema == "floor.session" ? session_topic("t")
                                            : ranging_topic(value.value("box", "b"));
    return nothing(decode_for_box(kBox, raw));
  }
  if (schema.starts_with("event") || schema == "state" || schema == "hello" || schema == "lookup" ||
      schema == "command.response") {
    raw.topic = schema == "state"              ? state_topic(kBox)
                : schema == "hello"            ? hello_topic(kBox)
                : schema == "lookup"           ? lookup_topic(kBox)
                : schema == "command.response" ? response_topic(kBox)
                                               : event_topic(kBox);
    return nothing(decode_for_crm("demo", raw));
  }
  if (schema == "door.request") return nothing(decode_door_request(text));
  return validate(schema, text);
}

TEST(Examples, AreAccepted) {
  for (const fs::path& example : files("examples")) {
    const std::string schema = schema_of(example);
    ASSERT_FALSE(schema.empty()) << example.filename();
    const auto result = receive(schema, read(example));
    EXPECT_TRUE(result) << example.filename() << ": " << (result ? "" : result.error().message);
  }
}

// As they are sent, without white space, they are signed with the key of the published vectors.
TEST(Examples, OfTheFeedAreSigned) {
  KeyRing keys;
  keys.pin("k1", *public_key_from_text("A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="));
  for (const char* name : {"feed.delta.json", "feed.snapshot.json"}) {
    const auto example = fs::path(WELCOME_DOCS) / "examples" / name;
    const std::string sent = nlohmann::ordered_json::parse(read(example)).dump();
    const auto text = verified_text(keys, sent);
    EXPECT_TRUE(text) << name << ": " << (text ? "" : text.error().message);
  }
}

TEST(Examples, OfWhatMustBeRefusedAreRefused) {
  for (const fs::path& example : files("examples/refused")) {
    const std::string schema = schema_of(example);
    ASSERT_FALSE(schema.empty()) << example.filename();
    EXPECT_FALSE(receive(schema, read(example))) << example.filename();
  }
}

TEST(Examples, ExistForEverySchema) {
  std::set<std::string> shown;
  for (const fs::path& example : files("examples")) {
    shown.insert(schema_of(example));
    if (example.stem().string().starts_with("event.")) shown.insert("event");
  }
  // Visits share one schema.
  shown.insert("event.visit");
  for (const fs::path& schema : files("schemas")) {
    EXPECT_TRUE(shown.contains(schema.stem().string())) << schema.filename();
  }
}

// What goes over MQTT in the one document, what goes over HTTPS in the other.
TEST(AsyncApiAndOpenApi, NameEverySchemaAndNothingThatIsNotThere) {
  const std::string text = read(fs::path(WELCOME_DOCS) / "asyncapi.yaml") +
                           read(fs::path(WELCOME_DOCS) / "openapi.yaml");
  std::set<std::string> named;
  const std::regex reference("\\$ref: \"?((schemas|examples)/[a-z._/]+[.]json)");
  for (auto it = std::sregex_iterator(text.begin(), text.end(), reference);
       it != std::sregex_iterator(); ++it) {
    EXPECT_TRUE(fs::exists(fs::path(WELCOME_DOCS) / (*it)[1].str())) << (*it)[1];
    named.insert((*it)[1].str());
  }
  for (const fs::path& schema : files("schemas")) {
    EXPECT_TRUE(named.contains("schemas/" + schema.filename().string())) << schema.filename();
  }
}

// Whoever computes digests checks the own code by these.
TEST(Examples, HaveRealDigests) {
  for (const fs::path& example : files("examples")) {
    const json value = json::parse(read(example));
    if (!example.stem().string().starts_with("feed.") || !value.contains("digest")) continue;
    Digest digest;
    for (const json& item : value["items"]) {
      digest.toggle(item["key"].get<std::string>(), item["seq"].get<std::uint64_t>());
    }
    EXPECT_EQ(value["digest"], digest.hex()) << example.filename();
  }
  const json have = json::parse(read(fs::path(WELCOME_DOCS) / "examples/hello.json"))["have"];
  Digest policy, one, two;
  policy.toggle("policy", 1);
  one.toggle("r-paul-face", 12);
  two = one;
  two.toggle("r-mia-offers", 13);
  EXPECT_EQ(have["policy"]["digest"], policy.hex());
  EXPECT_EQ(have["consents"]["digest"], one.hex());
  const std::string protocol = read(fs::path(WELCOME_DOCS) / "protocol.md");
  EXPECT_NE(protocol.find("`" + one.hex() + "`; with `r-mia-offers` at 13 as well: `" + two.hex()),
            std::string::npos);
}

// The regular expressions of the standard library recurse once per repeated character: an unbounded
// repetition would let a long string exhaust the stack.
TEST(Schemas, HaveNoUnboundedPatternAndBoundEveryText) {
  for (const fs::path& path : files("schemas")) {
    const auto walk = [&](const auto& self, const json& node) -> void {
      if (!node.is_structured()) return;
      if (node.is_object() && node.contains("pattern") && node["pattern"].is_string()) {
        const std::string pattern = std::regex_replace(node["pattern"].get<std::string>(),
                                                       std::regex("\\[[^\\]]*\\]"), "x");
        EXPECT_EQ(pattern.find_first_of("*+"), std::string::npos) << path << " " << pattern;
      }
      if (node.is_object() && node.contains("maxLength") == false && node.contains("type") &&
          node["type"] == "string") {
        EXPECT_TRUE(node.contains("pattern") || node.contains("enum") || node.contains("const"))
            << path.filename() << ": a string without a bound: " << node.dump();
      }
      for (const auto& child : node) self(self, child);
    };
    walk(walk, json::parse(read(path)));
  }
}

// No example may carry a member that its schema does not describe.
TEST(Examples, SurviveTheRemovalOfUnknownMembers) {
  for (const fs::path& example : files("examples")) {
    const std::string name = example.stem().string();
    if (!name.starts_with("item.") || name.starts_with("item.consents")) continue;
    const std::string schema = schema_of(example);
    const json value = json::parse(read(example));
    const Collection collection = *collection_from_string(schema.substr(5));
    static const std::map<std::string, std::string> kKeys{{"item.profiles", "customer"},
                                                          {"item.identities", "identity"},
                                                          {"item.campaigns", "campaign"},
                                                          {"item.staff", "staff"}};
    const auto key = kKeys.find(schema);
    const json batch{{"v", 1},
                     {"collection", to_string(collection)},
                     {"epoch", "e"},
                     {"kind", "delta"},
                     {"from_seq", 0},
                     {"to_seq", 1},
                     {"items",
                      {{{"seq", 1},
                        {"op", "put"},
                        {"key", key == kKeys.end() ? json("policy") : value.at(key->second)},
                        {"value", value}}}}};
    RawMessage raw;
    raw.topic = feed_topic(kBox, collection);
    raw.payload = batch.dump();
    const auto decoded = decode_for_box(kBox, raw);
    ASSERT_TRUE(decoded) << name;
    const FeedItem& item = std::get<FeedBatch>(*decoded).items.at(0);
    EXPECT_EQ(item.error, "") << name;
    EXPECT_EQ(json::parse(item.value), value) << name;
  }
}

}  // namespace
}  // namespace welcome::contract
