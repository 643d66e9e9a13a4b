// SPDX-License-Identifier: Apache-2.0
#include <iostream>

#include "crm/cli/cli.h"
#include "crm/door/cli_door.h"

int main(int argc, char** argv) {
  return welcome::crm::run({argv + 1, argv + argc}, std::cout, std::cerr,
                           &welcome::crm::cli::with_door());
}
