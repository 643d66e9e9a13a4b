// SPDX-License-Identifier: Apache-2.0
#pragma once
// Envelope: what of a message goes over MQTT. A message embeds one, the outbox keeps it as it is,
// and nobody copies it field by field.

#include <string>

namespace welcome {

struct Envelope {
  std::string topic;
  std::string payload;
  int qos = 1;
  bool retain = false;
  std::string content_type = "application/json";
  std::string response_topic;  // of a command, for its answer; may be empty
  std::string correlation;     // repeated by the answer; may be empty
};

}  // namespace welcome
