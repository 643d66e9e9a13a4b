# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# Cameras of a real kernel: vivid (raw pictures; it stalls, fails and is pulled out on demand) and the
# desk's, a v4l2loopback into which vm-camera plays Paul as MJPEG, as a USB camera sends it.
vivid=/dev/video0
control() { v4l2-ctl -d $vivid -c "$1"; }
# in_status_within_ms WHAT MS STATE
in_status_within_ms() {
  local took
  took=$(ms_until 20 camera_is "$3") || return 1
  figure "$1: $3 in status after $took ms"
  ((took <= $2))
}
looks_again_within_ms() {
  local took
  took=$(ms_until 30 looks) || return 1
  figure "$1: looks again after $took ms"
  ((took <= $2))
}

# A second vivid is a bridge that takes what a cable (HDMI) brings, at its size and no other.
bridge=/dev/video1
opens_vivid() {
  modprobe vivid n_devs=2 node_types=0x1,0x1 num_inputs=1,1 input_types=0x0,0x3 ccs_cap_mode=-1,0
  within 10 test -c $vivid
  use_camera $vivid always && within 30 looks
}
negotiated() {
  local format rate
  format=$(v4l2-ctl -d "$1" --get-fmt-video | tr -d '\n')
  rate=$(v4l2-ctl -d "$1" --get-parm | sed -n 's/.*Frames per second: *\([0-9.]*\).*/\1/p')
  figure "negotiated with $1: $(sed -n 's#.*Width/Height *: *\([0-9/]*\).*Pixel Format *: *\(.[A-Z]*.\).*#\1 \2#p' \
    <<<"$format"), $rate pictures a second"
  grep -q "1280/720.*'$2'" <<<"$format" && [[ $rate == "$3"* ]]
}
pace() {
  local before after
  before=$(frames)
  sleep 5
  after=$(frames)
  figure "$1: $((after - before)) pictures in 5 s"
}
pulled_out() {
  echo vivid.0 >/sys/bus/platform/drivers/vivid/unbind
  in_status_within_ms "pulled out" 3000 gone && sleep 3
}
put_back() {
  echo vivid.0 >/sys/bus/platform/drivers/vivid/bind
  looks_again_within_ms "put back" 6000
}
stalls() {
  control percentage_of_dropped_buffers=100
  in_status_within_ms "no pictures" 3500 stalled
}
goes_on() {
  control percentage_of_dropped_buffers=0
  looks_again_within_ms "pictures again" 6000
}
counts_damaged() {
  local before
  before=$(status .cameras.main.frames_bad)
  control inject_v4l2_buf_flag_error=1
  within 10 shows ".cameras.main.frames_bad > $before" && within 10 looks
}
survives_fatal_error() {
  control inject_fatal_streaming_error=1
  sleep 1
  looks_again_within_ms "fatal streaming error" 6000
}
# What comes through the cable from now on: 640x480p59
cable_brings() {
  local number
  number=$(v4l2-ctl -d $bridge --list-ctrls-menus | sed -n "s/^[[:space:]]*\([0-9]*\): $1.*/\1/p" | head -n 1)
  [[ -n $number ]] && v4l2-ctl -d $bridge -c dv_timings_signal_mode=4 -c "dv_timings=$number"
}
bridge_gives() { v4l2-ctl -d $bridge --get-fmt-video | grep -q "Width/Height *: $1"; }
opens_bridge() {
  cable_brings 640x480p && use_camera $bridge always && within 30 looks && bridge_gives 640/480
}
follows_another_size() {
  local bad failures took
  bad=$(status .cameras.main.frames_bad) failures=$(status .cameras.main.failures)
  cable_brings 720x576p
  took=$(ms_until 20 bridge_gives 720/576) || return 1
  figure "another size through the cable: followed after $took ms"
  within 10 looks && shows ".cameras.main.frames_bad == $bad and .cameras.main.failures == $failures"
}
same_process() { [[ $(main_pid) == "$camera_pid" ]]; }
holds_one_descriptor() { [[ $(descriptors $vivid) == 1 ]]; }

waits_for_pictures() {
  make_desk
  use_camera "$desk" always && within 20 camera_is gone
}
sees_mjpeg() {
  plays
  within 30 looks
}
recognises() {
  local took
  took=$(ms_until 120 shows '.faces.matches > 0') || return 1
  figure "Paul recognised through the kernel's camera after $took ms"
}
player_stops() {
  systemctl kill --signal=STOP vm-camera
  in_status_within_ms "the camera freezes" 3500 stalled
}
player_goes_on() {
  systemctl kill --signal=CONT vm-camera
  looks_again_within_ms "and goes on" 6000
}
player_returns() {
  systemctl stop vm-camera
  within 10 camera_is gone || within 10 camera_is stalled
  sleep 3
  plays
  # It is tried every 2 s, and the emulated machine takes its time to start the player.
  looks_again_within_ms "the camera was away" 9000
}

check "enrols a member from a clip" enrol_paul
check "opens a camera and looks" opens_vivid
camera_pid=$(main_pid)
check "gets raw 720p at the wanted rate where there is no MJPEG" negotiated $vivid YUYV 5.
pace "raw 720p"
check "notices within 3 s that the camera is pulled out" pulled_out
check "looks again when it is put back" put_back
check "notices within 3 s that no pictures come" stalls
check "looks again when they come" goes_on
check "counts damaged pictures and goes on" counts_damaged
check "opens the camera anew after a fatal error" survives_fatal_error
check "all that without a restart" same_process
check "holds the camera once" holds_one_descriptor
check "takes the size that the cable of a bridge brings" opens_bridge
check "follows when it brings another size" follows_another_size
check "says so while a camera gives no pictures yet" waits_for_pictures
check "takes MJPEG from a camera that has it" sees_mjpeg
check "gets MJPEG 720p" negotiated "$desk" MJPG ''
pace "MJPEG 720p"
check "recognises Paul" recognises
check "notices a frozen camera" player_stops
check "looks again when it goes on" player_goes_on
check "looks again when the camera was away" player_returns
systemctl stop vm-camera
rm /etc/welcomed/conf.d/camera.conf
