// SPDX-License-Identifier: Apache-2.0
#include "contract/schema_set.h"

#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "contract/contract.h"
#include "contract/json_text.h"

namespace welcome::contract {

namespace {

using nlohmann::json;
using valijson::adapters::NlohmannJsonAdapter;

// Which members a value may have, as a tree.
struct Shape {
  std::map<std::string, Shape, std::less<>> members;
  std::unique_ptr<Shape> each;  // elements of an array, or members of any name
  bool closed = false;          // the members are listed: others are unknown
};

struct Compiled {
  valijson::Schema schema;
  Shape shape;
};

class SchemaSet {
 public:
  SchemaSet() {
    for (const SchemaText& source : schema_texts()) {
      const json document = json::parse(source.text);
      auto compiled = std::make_unique<Compiled>();
      valijson::SchemaParser parser;
      parser.populateSchema(NlohmannJsonAdapter(document), compiled->schema);
      compiled->shape = shape_of(document, document);
      collect_names(document);
      schemas_.emplace(source.name, std::move(compiled));
    }
  }

  const Compiled& find(std::string_view name) const {
    const auto found = schemas_.find(name);
    if (found == schemas_.end()) throw std::logic_error("no schema " + std::string(name));
    return *found->second;
  }

  bool knows(std::string_view name) const { return names_.contains(name); }

 private:
  static Shape shape_of(const json& node, const json& document) {
    if (node.contains("$ref")) {
      const std::string target = node["$ref"].get<std::string>().substr(1);
      return shape_of(document.at(json::json_pointer(target)), document);
    }
    Shape shape;
    if (node.contains("properties")) {
      shape.closed = true;
      for (const auto& [name, child] : node["properties"].items()) {
        shape.members.emplace(name, shape_of(child, document));
      }
    }
    if (node.contains("items")) {
      shape.each = std::make_unique<Shape>(shape_of(node["items"], document));
    } else if (node.contains("additionalProperties")) {
      shape.each = std::make_unique<Shape>(shape_of(node["additionalProperties"], document));
    }
    return shape;
  }

  void collect_names(const json& node) {
    if (!node.is_structured()) return;
    if (node.is_object() && node.contains("properties")) {
      for (const auto& [name, child] : node["properties"].items()) names_.insert(name);
    }
    for (const auto& child : node) collect_names(child);
  }

  std::map<std::string, std::unique_ptr<Compiled>, std::less<>> schemas_;
  std::set<std::string, std::less<>> names_;
};

const SchemaSet& schemas() {
  static const SchemaSet set;
  return set;
}

void strip(const Shape& shape, json& value) {
  if (value.is_array()) {
    if (!shape.each) return;
    for (auto& element : value) strip(*shape.each, element);
  } else if (value.is_object()) {
    for (auto member = value.begin(); member != value.end();) {
      const auto known = shape.members.find(member.key());
      if (known != shape.members.end()) {
        strip(known->second, member.value());
        ++member;
      } else if (shape.closed) {
        member = value.erase(member);
      } else {
        if (shape.each) strip(*shape.each, member.value());
        ++member;
      }
    }
  }
}

// The validator's text, without any word that came from the message: what stands in quotes stays
// only if a schema knows it.
std::string without_values(std::string_view text) {
  std::string out;
  for (;;) {
    const std::size_t open = text.find('\'');
    out.append(text.substr(0, open));
    if (open == std::string_view::npos) break;
    const std::size_t close = text.find('\'', open + 1);
    if (close == std::string_view::npos) break;
    const std::string_view word = text.substr(open + 1, close - open - 1);
    if (schemas().knows(word)) out.append("'").append(word).append("'");
    text.remove_prefix(close + 1);
  }
  return out;
}

std::string place(const std::vector<std::string>& context) {
  std::string out;
  for (const std::string& step : context) {
    if (step.size() < 2 || step.front() != '[') continue;  // "<root>"
    const std::string_view word = std::string_view(step).substr(1, step.size() - 2);
    const bool index = word.find_first_not_of("0123456789") == std::string_view::npos;
    if (index) {
      out.append("[").append(word).append("]");
    } else {
      if (!out.empty()) out += '.';
      out.append(schemas().knows(word) ? word : "*");
    }
  }
  return out;
}

}  // namespace

Result<void> check_schema(std::string_view name, const json& value) {
  // The validator only caches compiled patterns; one per thread keeps that without a lock.
  thread_local valijson::Validator validator;
  const Compiled& compiled = schemas().find(name);
  const NlohmannJsonAdapter target(value);
  if (validator.validate(compiled.schema, target, nullptr)) return {};

  valijson::ValidationResults results;
  validator.validate(compiled.schema, target, &results);
  valijson::ValidationResults::Error error, deepest;
  while (results.popError(error)) {
    if (error.context.size() > deepest.context.size()) deepest = error;
  }
  const std::string where = place(deepest.context);
  return fail(ErrorCode::malformed, std::string(name) + ": " + (where.empty() ? "" : where + ": ") +
                                        without_values(deepest.description));
}

Result<json> accepted(std::string_view schema, std::string_view payload) {
  auto value = parse_json(payload);
  if (!value) {
    return fail(value.error().code, std::string(schema) + ": " + value.error().message);
  }
  if (auto checked = check_schema(schema, *value); !checked) {
    return tl::unexpected(checked.error());
  }
  return value;
}

void keep_known(std::string_view name, json& value) { strip(schemas().find(name).shape, value); }

Result<void> validate(std::string_view schema, std::string_view text) {
  const auto value = parse_json(text);
  if (!value) return tl::unexpected(value.error());
  return check_schema(schema, *value);
}

}  // namespace welcome::contract
