#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An RTSP camera for the tests: GStreamer's server on loopback, moving test pictures as JPEG.

usage: rtsp_server.py PORT USER PASSWORD    (PORT 0: a free one)
Prints "port N" when it accepts. Ends with its parent.
"""

import ctypes
import signal
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

port, user, password = sys.argv[1:4]
ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(port)

auth = GstRtspServer.RTSPAuth()
role = GstRtspServer.RTSPToken()
role.set_string("media.factory.role", "user")
auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), role)
server.set_auth(auth)

factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(
    "( videotestsrc pattern=ball is-live=true ! video/x-raw,format=I420,width=320,height=240,framerate=15/1"
    " ! jpegenc ! rtpjpegpay name=pay0 )"
)
factory.set_shared(True)
access = GstRtspServer.RTSPPermissions()
access.add_permission_for_role("user", "media.factory.access", True)
access.add_permission_for_role("user", "media.factory.construct", True)
factory.set_permissions(access)
server.get_mount_points().add_factory("/desk", factory)

if server.attach(None) == 0:
    sys.exit("cannot listen")
print("port", server.get_bound_port(), flush=True)
GLib.MainLoop().run()
