// SPDX-License-Identifier: Apache-2.0
#include "crm/regions.h"

#include <algorithm>
#include <set>

#include "crm/boxes.h"
#include "crm/scope.h"
#include "crm/setting.h"

namespace welcome::crm {
namespace {

constexpr std::string_view kEverywhere = "all";

std::vector<std::string_view> words(std::string_view text, std::string_view between) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const auto end = std::min(text.find_first_of(between), text.size());
    std::string_view word = text.substr(0, end);
    while (word.starts_with(' ')) word.remove_prefix(1);
    while (word.ends_with(' ')) word.remove_suffix(1);
    if (!word.empty()) out.push_back(word);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

}  // namespace

bool Regions::on() const { return setting(db_, "regions") == "on"; }

void Regions::set(bool on) { set_setting(db_, "regions", on ? "on" : "off"); }

std::string Regions::of_store(const std::string& store) const {
  const Rows rows = db_.query("SELECT region FROM store_region WHERE store = $1", {store});
  return rows.empty() ? std::string() : rows[0].text(0);
}

void Regions::put_store(const std::string& store, const std::string& region) {
  db_.execute(
      "INSERT INTO store_region (store, region) VALUES ($1, $2) "
      "ON CONFLICT (store) DO UPDATE SET region = excluded.region",
      {store, region});
}

std::vector<std::string> Regions::stores_without() const {
  std::vector<std::string> out;
  for (const Row& row :
       db_.query("SELECT DISTINCT store FROM box WHERE NOT EXISTS (SELECT 1 FROM store_region "
                 "WHERE store_region.store = box.store) ORDER BY store")) {
    out.push_back(row.text(0));
  }
  return out;
}

Home Regions::home_of(const std::string& customer) const {
  const Rows rows = db_.query("SELECT home FROM customer WHERE customer = $1", {customer});
  return rows.empty() ? Home() : rows[0].text(0);
}

void Regions::put_home(const std::string& customer, const Home& home) {
  db_.execute("UPDATE customer SET home = $2 WHERE customer = $1", {customer, home});
  note(home);
}

void Regions::note(const Home& home) {
  for (const std::string_view region : words(home, ",")) {
    db_.execute("INSERT INTO home (region, home) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                {std::string(region), home});
  }
}

void Regions::note_stores(const Home& stores) {
  for (const std::string_view store : words(stores, ",")) {
    db_.execute("INSERT INTO home (region, home) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                {Scope::of_store(std::string(store)).region, stores});
  }
}

bool Regions::anybody_has_one() const {
  return !db_.query("SELECT 1 FROM home WHERE region <> '' AND region NOT LIKE 'store/%' LIMIT 1")
              .empty();
}

bool Regions::exists(const std::string& region) const {
  return !db_.query("SELECT 1 FROM store_region WHERE region = $1 LIMIT 1", {region}).empty();
}

bool Regions::valid(std::string_view region) {
  return region != kEverywhere && Boxes::valid_name(region);
}

std::vector<std::string> Regions::words_in(std::string_view text) {
  const auto all = words(text, ",;");
  const std::set<std::string_view> sorted(all.begin(), all.end());
  return {sorted.begin(), sorted.end()};
}

Home Regions::joined(const std::vector<std::string>& sorted) {
  Home out;
  for (const std::string& one : sorted) {
    if (!out.empty()) out += ',';
    out += one;
  }
  return out;
}

Result<Home> Regions::home_from(std::string_view text) {
  const auto named = words_in(text);
  if (named.size() == 1 && named[0] == kEverywhere) return Home();
  if (named.size() > kRegionsOfACustomer) {
    return fail(ErrorCode::malformed, "a customer is at home in at most " +
                                          std::to_string(kRegionsOfACustomer) +
                                          " regions: say all");
  }
  for (const std::string& region : named) {
    if (valid(region)) continue;
    return fail(ErrorCode::malformed, "the name of a region is letters, digits, . _ and -, and \"" +
                                          region + "\" is none");
  }
  return joined(named);
}

std::vector<std::string> Regions::named_in(const Home& home) {
  const auto all = words(home, ",");
  return {all.begin(), all.end()};
}

bool Regions::holds(const Home& home, std::string_view region) {
  if (home.empty()) return true;
  const auto all = words(home, ",");
  return std::find(all.begin(), all.end(), region) != all.end();
}

}  // namespace welcome::crm
