#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A file system that can become read-only while files on it are open, and writable again.

usage: passing_disk.py FOLDER MOUNTPOINT FLAG
Shows FOLDER at MOUNTPOINT. While the file FLAG exists every change fails with EROFS, as on a disk
that the kernel has made read-only; `mount -o remount,ro` refuses that while a file is open.
Prints "mounted". Ends when it is unmounted.
"""

import errno
import os
import sys

from fusepy import FUSE, FuseOSError, Operations

folder, mountpoint, flag = (os.path.abspath(argument) for argument in sys.argv[1:4])


def below(path):
    return folder + path


def changes():
    if os.path.exists(flag):
        raise FuseOSError(errno.EROFS)


class PassingDisk(Operations):
    def init(self, path):
        print("mounted", flush=True)

    # Reading always works.
    def getattr(self, path, fh=None):
        found = os.lstat(below(path))
        names = "st_atime st_ctime st_gid st_mode st_mtime st_nlink st_size st_uid st_blocks"
        return {name: getattr(found, name) for name in names.split()}

    def readdir(self, path, fh):
        return [".", "..", *os.listdir(below(path))]

    def statfs(self, path):
        found = os.statvfs(below(path))
        names = "f_bavail f_bfree f_blocks f_bsize f_favail f_ffree f_files f_flag f_frsize f_namemax"
        return {name: getattr(found, name) for name in names.split()}

    def read(self, path, size, offset, fh):
        return os.pread(fh, size, offset)

    def release(self, path, fh):
        os.close(fh)

    def fsync(self, path, datasync, fh):
        os.fsync(fh)

    def open(self, path, flags):
        if flags & (os.O_WRONLY | os.O_RDWR):
            changes()
        return os.open(below(path), flags)

    # Changes.
    def create(self, path, mode, fi=None):
        changes()
        return os.open(below(path), os.O_RDWR | os.O_CREAT | os.O_TRUNC, mode)

    def write(self, path, data, offset, fh):
        changes()
        return os.pwrite(fh, data, offset)

    def truncate(self, path, length, fh=None):
        changes()
        os.truncate(below(path), length)

    def unlink(self, path):
        changes()
        os.unlink(below(path))

    def rename(self, old, new):
        changes()
        os.rename(below(old), below(new))

    def mkdir(self, path, mode):
        changes()
        os.mkdir(below(path), mode)

    def rmdir(self, path):
        changes()
        os.rmdir(below(path))

    def chmod(self, path, mode):
        changes()
        os.chmod(below(path), mode)

    def utimens(self, path, times=None):
        changes()
        os.utime(below(path), times)


FUSE(PassingDisk(), mountpoint, foreground=True, nothreads=True, hard_remove=True)
