// SPDX-License-Identifier: Apache-2.0
#pragma once
// PowerVfs: a SQLite VFS over the default one that remembers what was not synced. When the power is
// cut, everything after the last sync of a file may be on the disk, or not, or in part: each
// 512-byte sector of each write is decided by itself. It can also play a full and a read-only disk.

#include <cstdint>
#include <memory>
#include <string>

namespace welcome::test {

class PowerVfs {
 public:
  // Registers itself under `name`. One at a time per name; not for use from several threads.
  explicit PowerVfs(std::string name);
  ~PowerVfs();
  PowerVfs(const PowerVfs&) = delete;
  PowerVfs& operator=(const PowerVfs&) = delete;

  const std::string& name() const;

  // Changes to the disk so far: writes, truncations, syncs, deletions.
  std::int64_t operations() const;

  // The power goes at the operation of this number; that one and all later ones fail.
  void cut_at(std::int64_t operation);
  bool is_cut() const;
  // With all connections closed: leaves the files as a disk might have them, chosen by `seed`, and
  // gives the power back.
  void restore(std::uint64_t seed);

  // From the operation of this number on there is no room; -1 = there is.
  void full_from(std::int64_t operation);
  void read_only(bool on);

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace welcome::test
