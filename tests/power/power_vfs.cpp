// SPDX-License-Identifier: Apache-2.0
#include "tests/power/power_vfs.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <sqlite3.h>
#include <stdexcept>
#include <vector>

namespace welcome::test {

namespace {

constexpr std::size_t kSector = 512;

// One change that was not synced, and what was there before.
struct Change {
  std::int64_t offset = 0;
  std::string bytes;  // written; empty for a truncation
  std::string before;
  std::int64_t size_before = 0;
  bool truncation = false;
};

struct Shim;

// What SQLite allocates for us: our part, then the real file.
struct File {
  sqlite3_file base;
  Shim* shim;
  sqlite3_file* real;
  char path[512];
};

}  // namespace

struct PowerVfs::Impl {
  std::string name;
  sqlite3_vfs vfs{};
  sqlite3_vfs* real = nullptr;
  sqlite3_io_methods methods{};
  std::map<std::string, std::vector<Change>> unsynced;
  std::int64_t operations = 0;
  std::int64_t cut_at = -1;
  std::int64_t full_from = -1;
  bool cut = false;
  bool read_only = false;

  // Counts a change. False: the power is gone.
  bool count() {
    if (cut) return false;
    if (++operations == cut_at) cut = true;
    return true;
  }
};

namespace {

struct Shim : PowerVfs::Impl {};

File& file_of(sqlite3_file* f) { return *reinterpret_cast<File*>(f); }
Shim& shim_of(sqlite3_vfs* vfs) { return *static_cast<Shim*>(vfs->pAppData); }

std::int64_t size_of(File& file) {
  sqlite3_int64 size = 0;
  file.real->pMethods->xFileSize(file.real, &size);
  return size;
}

std::string read_back(File& file, std::int64_t offset, std::int64_t size) {
  const std::int64_t have = std::clamp<std::int64_t>(size_of(file) - offset, 0, size);
  std::string bytes(static_cast<std::size_t>(have), '\0');
  if (have > 0) file.real->pMethods->xRead(file.real, bytes.data(), static_cast<int>(have), offset);
  return bytes;
}

int x_close(sqlite3_file* f) {
  File& file = file_of(f);
  return file.real->pMethods ? file.real->pMethods->xClose(file.real) : SQLITE_OK;
}

int x_read(sqlite3_file* f, void* to, int amount, sqlite3_int64 offset) {
  File& file = file_of(f);
  if (file.shim->cut) return SQLITE_IOERR_READ;
  return file.real->pMethods->xRead(file.real, to, amount, offset);
}

int x_write(sqlite3_file* f, const void* from, int amount, sqlite3_int64 offset) {
  File& file = file_of(f);
  Shim& shim = *file.shim;
  if (!shim.count()) return SQLITE_IOERR_WRITE;
  if (shim.full_from >= 0 && shim.operations >= shim.full_from) return SQLITE_FULL;
  Change change;
  change.offset = offset;
  change.bytes.assign(static_cast<const char*>(from), static_cast<std::size_t>(amount));
  change.before = read_back(file, offset, amount);
  change.size_before = size_of(file);
  shim.unsynced[file.path].push_back(std::move(change));
  const int rc = file.real->pMethods->xWrite(file.real, from, amount, offset);
  return shim.cut ? SQLITE_IOERR_WRITE : rc;
}

int x_truncate(sqlite3_file* f, sqlite3_int64 size) {
  File& file = file_of(f);
  Shim& shim = *file.shim;
  if (!shim.count()) return SQLITE_IOERR_TRUNCATE;
  Change change;
  change.offset = size;
  change.size_before = size_of(file);
  change.before = read_back(file, size, change.size_before - size);
  change.truncation = true;
  shim.unsynced[file.path].push_back(std::move(change));
  const int rc = file.real->pMethods->xTruncate(file.real, size);
  return shim.cut ? SQLITE_IOERR_TRUNCATE : rc;
}

int x_sync(sqlite3_file* f, int) {
  File& file = file_of(f);
  Shim& shim = *file.shim;
  if (!shim.count() || shim.cut) return SQLITE_IOERR_FSYNC;
  shim.unsynced.erase(file.path);
  return SQLITE_OK;
}

int x_file_size(sqlite3_file* f, sqlite3_int64* size) {
  return file_of(f).real->pMethods->xFileSize(file_of(f).real, size);
}
int x_lock(sqlite3_file* f, int level) {
  return file_of(f).real->pMethods->xLock(file_of(f).real, level);
}
int x_unlock(sqlite3_file* f, int level) {
  return file_of(f).real->pMethods->xUnlock(file_of(f).real, level);
}
int x_check_reserved(sqlite3_file* f, int* out) {
  return file_of(f).real->pMethods->xCheckReservedLock(file_of(f).real, out);
}
int x_file_control(sqlite3_file* f, int op, void* arg) {
  return file_of(f).real->pMethods->xFileControl(file_of(f).real, op, arg);
}
int x_sector_size(sqlite3_file*) { return kSector; }
int x_characteristics(sqlite3_file* f) {
  return file_of(f).real->pMethods->xDeviceCharacteristics(file_of(f).real);
}

int x_open(sqlite3_vfs* vfs, const char* path, sqlite3_file* f, int flags, int* out_flags) {
  Shim& shim = shim_of(vfs);
  File& file = file_of(f);
  file.base.pMethods = nullptr;
  if (shim.cut) return SQLITE_CANTOPEN;
  if (shim.read_only && (flags & SQLITE_OPEN_READWRITE)) {
    if (!path || !std::filesystem::exists(path)) return SQLITE_CANTOPEN;
    flags = (flags & ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) | SQLITE_OPEN_READONLY;
  }
  file.shim = &shim;
  file.real = reinterpret_cast<sqlite3_file*>(reinterpret_cast<char*>(f) + sizeof(File));
  const int rc = shim.real->xOpen(shim.real, path, file.real, flags, out_flags);
  if (rc != SQLITE_OK) return rc;
  std::snprintf(file.path, sizeof file.path, "%s", path ? path : "");
  file.base.pMethods = &shim.methods;
  return SQLITE_OK;
}

int x_delete(sqlite3_vfs* vfs, const char* path, int sync_dir) {
  Shim& shim = shim_of(vfs);
  if (!shim.count() || shim.cut) return SQLITE_IOERR_DELETE;
  shim.unsynced.erase(path);
  return shim.real->xDelete(shim.real, path, sync_dir);
}

int x_access(sqlite3_vfs* vfs, const char* path, int flags, int* out) {
  Shim& shim = shim_of(vfs);
  return shim.real->xAccess(shim.real, path, flags, out);
}
int x_full_pathname(sqlite3_vfs* vfs, const char* path, int size, char* out) {
  Shim& shim = shim_of(vfs);
  return shim.real->xFullPathname(shim.real, path, size, out);
}
int x_randomness(sqlite3_vfs* vfs, int size, char* out) {
  Shim& shim = shim_of(vfs);
  return shim.real->xRandomness(shim.real, size, out);
}
int x_sleep(sqlite3_vfs*, int) { return 0; }
int x_current_time(sqlite3_vfs* vfs, double* out) {
  Shim& shim = shim_of(vfs);
  return shim.real->xCurrentTime(shim.real, out);
}
int x_last_error(sqlite3_vfs*, int, char*) { return 0; }
int x_current_time64(sqlite3_vfs* vfs, sqlite3_int64* out) {
  Shim& shim = shim_of(vfs);
  return shim.real->xCurrentTimeInt64(shim.real, out);
}

std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void undo(std::string& image, const Change& change) {
  const auto offset = static_cast<std::size_t>(change.offset);
  image.resize(std::max(image.size(), offset + change.before.size()), '\0');
  image.replace(offset, change.before.size(), change.before);
  image.resize(static_cast<std::size_t>(change.size_before), '\0');
}

// Does the change again, as far as the disk got.
void redo_in_part(std::string& image, const Change& change, std::mt19937_64& random) {
  const auto offset = static_cast<std::size_t>(change.offset);
  if (change.truncation) {
    if (random() % 2 == 0) image.resize(std::min(image.size(), offset));
    return;
  }
  // Often all of it or nothing; sometimes torn.
  const auto mode = random() % 4;
  for (std::size_t at = 0; at < change.bytes.size();) {
    const std::size_t sector_end = ((offset + at) / kSector + 1) * kSector - offset;
    const std::size_t end = std::min(sector_end, change.bytes.size());
    const bool lands = mode == 0 || (mode >= 2 && random() % 2 == 0);
    if (lands) {
      image.resize(std::max(image.size(), offset + end), '\0');
      image.replace(offset + at, end - at, change.bytes, at, end - at);
    }
    at = end;
  }
}

}  // namespace

PowerVfs::PowerVfs(std::string name) : impl_(new Shim) {
  Impl& impl = *impl_;
  impl.name = std::move(name);
  impl.real = sqlite3_vfs_find(nullptr);
  // Version 1: no shared memory, so only exclusive locking gets a write-ahead log.
  impl.methods = {1,
                  x_close,
                  x_read,
                  x_write,
                  x_truncate,
                  x_sync,
                  x_file_size,
                  x_lock,
                  x_unlock,
                  x_check_reserved,
                  x_file_control,
                  x_sector_size,
                  x_characteristics,
                  nullptr,
                  nullptr,
                  nullptr,
                  nullptr,
                  nullptr,
                  nullptr};
  impl.vfs.iVersion = 2;
  impl.vfs.szOsFile = static_cast<int>(sizeof(File)) + impl.real->szOsFile;
  impl.vfs.mxPathname = impl.real->mxPathname;
  impl.vfs.zName = impl.name.c_str();
  impl.vfs.pAppData = impl_.get();
  impl.vfs.xOpen = x_open;
  impl.vfs.xDelete = x_delete;
  impl.vfs.xAccess = x_access;
  impl.vfs.xFullPathname = x_full_pathname;
  impl.vfs.xRandomness = x_randomness;
  impl.vfs.xSleep = x_sleep;
  impl.vfs.xCurrentTime = x_current_time;
  impl.vfs.xGetLastError = x_last_error;
  impl.vfs.xCurrentTimeInt64 = x_current_time64;
  if (sqlite3_vfs_register(&impl.vfs, 0) != SQLITE_OK)
    throw std::runtime_error("the VFS cannot be registered");
}

PowerVfs::~PowerVfs() { sqlite3_vfs_unregister(&impl_->vfs); }

const std::string& PowerVfs::name() const { return impl_->name; }
std::int64_t PowerVfs::operations() const { return impl_->operations; }
void PowerVfs::cut_at(std::int64_t operation) { impl_->cut_at = operation; }
bool PowerVfs::is_cut() const { return impl_->cut; }
void PowerVfs::full_from(std::int64_t operation) { impl_->full_from = operation; }
void PowerVfs::read_only(bool on) { impl_->read_only = on; }

void PowerVfs::restore(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  for (const auto& [path, changes] : impl_->unsynced) {
    if (!std::filesystem::exists(path)) continue;
    std::string image = slurp(path);
    for (auto change = changes.rbegin(); change != changes.rend(); ++change) undo(image, *change);
    for (const auto& change : changes) redo_in_part(image, change, random);
    std::ofstream(path, std::ios::binary | std::ios::trunc) << image;
  }
  impl_->unsynced.clear();
  impl_->cut = false;
  impl_->cut_at = -1;
}

}  // namespace welcome::test
